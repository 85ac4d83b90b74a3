#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# dump.churnfs on what is damaged, truncated or something else: exit status and words.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"
mkfs=${MKFS:-mkfs.churnfs}
dump=${DUMP:-dump.churnfs}

img=$tap_tmp/img
good=$tap_tmp/good
truncate -s 24M "$good"
"$mkfs" -q -b 1024 -U 01234567-89ab-4cde-8f01-23456789abcd "$good"
last=24575
root=$("$dump" inode 1 "$good" | sed -n 's/.*logical 0, length 1, block \([0-9]*\)$/\1/p')

fresh() {
	cp --sparse=always "$good" "$img"
}

# smash BLOCK [OFFSET]: four bytes that are never there.
smash() {
	printf '\377\125\252\376' |
		dd of="$img" bs=1 seek=$(($1 * 1024 + ${2:-200})) conv=notrunc status=none
}

ok "the image itself is in order" "$dump" super "$good"

# The superblock and its copies.
fresh
smash 0
fails "primary damaged: exit 4" 4 "$dump" "$img"
like "primary damaged: the copy is named" "$("$dump" "$img" 2>&1 >/dev/null)" 'copy in block 7424'
like "primary damaged: state of each" "$("$dump" "$img" 2>/dev/null)" \
	'group 0, block 0, state bad checksum'
like "primary damaged: the copy is used" "$("$dump" "$img" 2>/dev/null)" '^  block: 7424$'
fails "primary damaged: the rest can be read, exit 4" 4 "$dump" tree "$img"
is "primary damaged: tree" "$("$dump" tree "$img" 2>/dev/null | wc -l)" 1
smash 7424
fails "primary and first copy damaged: exit 4" 4 "$dump" "$img"
like "primary and first copy damaged: the next" "$("$dump" "$img" 2>&1 >/dev/null)" 'block 22272'
smash 22272
fails "no superblock left: exit 2" 2 "$dump" "$img"
is "no superblock left: one line" "$("$dump" "$img" 2>&1 | wc -l)" 1

fresh
smash 7424
fails "a copy damaged: exit 4" 4 "$dump" "$img"
like "a copy damaged: which" "$("$dump" "$img")" 'group 1, block 7424, state bad checksum'

fresh
smash $last
fails "locator damaged: found by the primary, exit 4" 4 "$dump" "$img"
like "locator damaged: state" "$("$dump" "$img")" '^  state: bad checksum$'

# A block in the place of another.
fresh
dd if="$img" of="$img" bs=1024 skip=7425 seek=1 count=1 conv=notrunc status=none
fails "misdirected: exit 4" 4 "$dump" groups "$img"
fails "misdirected: block" 4 "$dump" block 1 "$img"
like "misdirected: what the tag says" "$("$dump" block 1 "$img")" '^  block: 7425$'

# Torn: the second sector is older.
fresh
dd if=/dev/zero of="$img" bs=512 seek=3 count=1 conv=notrunc status=none
fails "torn: exit 4" 4 "$dump" block 1 "$img"
like "torn: the sector" "$("$dump" block 1 "$img")" 'sector 1, stamp 0x00000000, matches no'

# Zeroed.
fresh
dd if=/dev/zero of="$img" bs=1024 seek=2 count=1 conv=notrunc status=none
fails "zeroed: exit 4" 4 "$dump" block 2 "$img"
fails "zeroed: groups go on" 4 "$dump" groups "$img"
is "zeroed: all groups are shown" "$("$dump" groups "$img" | grep -c '^group: ')" 4

# Damage in the tree is told in place.
fresh
smash "$root"
fails "root directory damaged: exit 4" 4 "$dump" tree "$img"
like "root directory damaged: told" "$("$dump" tree "$img")" "directory block $root: bad checksum"
fails "root directory damaged: its block" 4 "$dump" block "$root" "$img"
fresh
smash 4
fails "inode table damaged: exit 4" 4 "$dump" tree "$img"
fails "inode table damaged: inode" 4 "$dump" inode 1 "$img"
like "inode table damaged: told" "$("$dump" inode 1 "$img")" 'inode table block 4: bad checksum'
if command -v python3 >/dev/null 2>&1; then
	is "inode table damaged: JSON" "$("$dump" --json inode 1 "$img" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["damage"][0])')" \
		"inode table block 4: bad checksum"
else
	skip "inode table damaged: JSON" "needs python3"
fi

# Not a filesystem, or not all of one.
fresh
truncate -s 20M "$img"
fails "truncated: exit 2" 2 "$dump" "$img"
is "truncated: one line" "$("$dump" "$img" 2>&1 | wc -l)" 1
like "truncated: says so" "$("$dump" "$img" 2>&1)" truncated
fresh
truncate -s 512 "$img"
fails "truncated to a sector: exit 2" 2 "$dump" "$img"
: >"$img"
fails "empty: exit 2" 2 "$dump" "$img"
yes 'no filesystem at all' | head -c 4M >"$img"
fails "foreign: exit 2" 2 "$dump" "$img"
is "foreign: one line" "$("$dump" "$img" 2>&1 | wc -l)" 1
truncate -s 64M "$img"
if command -v mke2fs >/dev/null 2>&1; then
	mke2fs -q -F "$img"
	fails "an ext2: exit 2" 2 "$dump" "$img"
else
	skip "an ext2: exit 2" "needs mke2fs"
fi
fails "no such file: exit 2" 2 "$dump" "$tap_tmp/nothing"
fails "a folder: exit 2" 2 "$dump" "$tap_tmp"
fails "a character device: exit 2" 2 "$dump" /dev/zero
tap_done
