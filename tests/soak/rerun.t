#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same seed without migration, after a finding: what is planted again is found again, what befell
# the first run alone is not.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

# Value of key $2 within the object $1 of the JSON report.
json() {
	sed -n "/^  \"$1\": {/,/^  }/s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" report.json | head -n 1
}

run "planted twice" 1 --duration 30s --size 32M --no-neighbour --seed 1 --inject zeroed \
	--output evidence --rerun
like "planted twice: said" "$(cat out.txt)" \
	'^the same seed without migration: also CORRUPT: not migration.s fault'
like "planted twice: the verdict is the first run's" "$(tail -n 1 out.txt)" '^CORRUPT: '
is "planted twice: JSON" "$(json rerun outcome)" corrupt
like "planted twice: kept" "$(cat evidence/rerun.txt)" 'also CORRUPT'
like "planted twice: the second run had no migration" "$(cat evidence/rerun/report.txt)" \
	'own pages moved +0 '
like "planted twice: its evidence is beside the first run's" "$(cat evidence/rerun/finding.txt)" \
	"^finding: block $(sed -n 's/^ *"block": \([0-9]*\),/\1/p' evidence/rerun/report.json | head -n 1) is zeroed"
like "planted twice: the first run's is whole" "$(cat evidence/finding.txt)" \
	"^finding: block $(json finding block) is zeroed"
clean "planted twice"
rm -rf evidence

# Blocks of the first run's device are wiped behind everybody's back; the second has another device.
run_background --duration 60s --size 32M --no-neighbour --seed 1 --output evidence --rerun
sleep 2
device=$(tr '\0' '\n' <"/proc/$daemon_pid/cmdline" | grep '^/dev/')
dd if=/dev/zero of="$device" bs=64k count=4 conv=notrunc status=none
run_wait
is "wiped once: exit 1" "$run_status" 1
like "wiped once: said" "$(cat out.txt)" '^the same seed without migration: clean for [0-9]+ s'
is "wiped once: JSON" "$(json rerun outcome)" clean
like "wiped once: kept" "$(cat evidence/rerun.txt)" 'clean for'
clean "wiped once"
rm -rf evidence

# On a device of the user's, too.
truncate -s 64M "$tap_tmp/image"
device=$(losetup -f --show "$tap_tmp/image")
run "on a device" 1 --duration 30s --device "$device" --no-neighbour --seed 1 --inject stale \
	--output evidence --rerun
is "on a device: JSON" "$(json rerun outcome)" corrupt
losetup -d "$device"
clean "on a device"
rm -rf evidence

run "not asked for" 1 --duration 30s --size 32M --no-neighbour --seed 1 --inject zeroed --output evidence
is "not asked for: none" "$(json rerun outcome)" ""
fails "not asked for: no folder" 1 test -e evidence/rerun
fails "without migration: refused" 2 churnstress run --duration 1s --migrate none --rerun
tap_done
