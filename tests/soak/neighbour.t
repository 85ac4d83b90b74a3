#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An in-kernel filesystem on the same device: clean runs, planted faults, nothing left behind.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99
need_command mke2fs e2fsck

# First value of key $2 within the object $1.
json() {
	sed -n "/^  \"$1\": {/,/^  }/s/^ *\"$2\": //p" report.json | head -n 1 | sed 's/,$//;s/"//g'
}

for profile in ext4:bs=1024,nojournal ext2:bs=1024 ext4:bs=2048,journal=tiny,commit=1 ext4:bs=4096; do
	churnstress run --duration 4s --size 32M --neighbour "$profile" --json report.json \
		>out.txt 2>&1
	# In so short a time too few pages may have moved; nothing else may be wrong.
	like "$profile: clean" "$(tail -n 1 out.txt)" '^(PASS: |INCONCLUSIVE: clean, but only)'
	is "$profile: in the report" "$(json neighbour type)" "$profile"
	ok "$profile: inodes were updated" test "$(json neighbour updates)" -gt 100
	ok "$profile: each was compared" test "$(json neighbour verified)" -gt 100
	ok "$profile: e2fsck was clean" test "$(json neighbour checks)" -ge 1
done
clean "neighbours"

for block in inode-table inode-bitmap block-bitmap directory xattr block-map; do
	rm -rf evidence
	run "nb-stale-$block" 1 --duration 30s --size 32M --neighbour ext4:bs=1024,nojournal \
		--inject "nb-stale-$block" --output evidence
	is "nb-stale-$block: where" "$(json finding where)" neighbour
	is "nb-stale-$block: kind" "$(json finding kind)" stale
	is "nb-stale-$block: type" "$(json finding type)" "$block"
	ok "nb-stale-$block: evidence" test -s evidence/neighbour.txt
done
clean "planted faults"

run "on a device of its own" 0 --duration 20s --size 32M --neighbour-apart
is "on a device of its own: in the report" "$(json neighbour apart)" true
is "on a device of its own: the 2019 race is in reach" "$(json reach race_2019)" true
clean "on a device of its own"

run "damage without a neighbour" 2 --inject nb-stale-directory --no-neighbour
run "damage on a device of its own" 2 --inject nb-stale-directory --neighbour-apart
run "unknown profile" 2 --neighbour ext5
tap_done
