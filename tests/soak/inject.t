#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every kind of planted fault is found, named, located and kept. INJECT_SEEDS: how many of each (2).
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

# First value of key $2 within the object $1.
json() {
	sed -n "/^  \"$1\": {/,/^  }/s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" report.json | head -n 1
}

# The run ended with CORRUPT, and its finding is what was planted.
found() {
	[ "$run_status" -eq 1 ] || return 1
	for key in kind block expected_generation; do
		[ -n "$(json finding $key)" ] || return 1
		[ "$(json finding $key)" = "$(json injected $key)" ] || return 1
	done
	grep -q '^finding: block' out.txt && grep -q '^- 0' out.txt && grep -q '^+ 0' out.txt
}

# Seconds from the planting to the end of the process.
since_planting() {
	awk -v planted="$(json injected monotonic_ns)" \
		'{ printf "%.2f", planted ? $1 - planted / 1e9 : 999 }' /proc/uptime
}

seed=1
while [ "$seed" -le "${INJECT_SEEDS:-2}" ]; do
	for kind in stale bitflip torn misdirected zeroed; do
		rm -rf evidence report.json
		churnstress run --duration 30s --size 32M --no-neighbour --seed "$seed" \
			--inject "$kind" --output evidence --json report.json >out.txt 2>&1
		run_status=$?
		end=$(since_planting)
		if found; then
			# How long it took is told, not judged: the machine may be busy.
			tap_result 0 "$kind, seed $seed: found and told, run over $end s after planting"
		else
			tap_result 1 "$kind, seed $seed: exit $run_status"
			diag "$(tail -n 40 out.txt)"
		fi
	done
	seed=$((seed + 1))
done

is "stale: the found generation is the planted one" "$(
	churnstress run --duration 30s --size 32M --no-neighbour --inject stale \
		--json report.json >out.txt 2>&1
	json finding found_generation
)" "$(json injected planted_generation)"

for file in expected.bin found.bin finding.txt view-buffered.bin view-direct.bin view-mapped.bin \
	page.txt operations.txt report.txt report.json vmstat.txt; do
	ok "evidence: $file" test -s "evidence/$file"
done
ok "evidence: expected and found differ" test -n "$(cmp evidence/expected.bin evidence/found.bin)"
fails "evidence is not overwritten" 2 churnstress run --duration 1s --output evidence
rm -rf churnstress-2*
clean "planted faults"
tap_done
