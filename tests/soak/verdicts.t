#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The verdicts of churnstress run, and that nothing is left behind after any of them.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

json() {
	sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" report.json | head -n 1
}

run "clean run" 0 --duration 20s --size 32M --seed 1
clean "clean run"
is "JSON: schema" "$(json schema)" 1
is "JSON: verdict" "$(json verdict)" PASS
is "JSON: exit" "$(json exit)" 0
is "JSON: seed" "$(json seed)" 1
ok "JSON: pages moved" test "$(json pages_moved)" -ge 1000
ok "JSON: at least half of them with buffers" \
	test "$(json pages_moved_with_buffers)" -ge $(($(json pages_moved) / 2))
ok "JSON: blocks verified" test "$(json blocks)" -ge 10000
is "JSON: mismatches" "$(json mismatches)" 0
ok "JSON: lookups of the neighbour" test "$(json lookups)" -ge 20000
ok "JSON: moves of looked-up pages" test "$(json hot_pages_moved)" -ge 20
is "JSON: the 2019 race is in reach" "$(json race_2019)" true
like "the minimum is printed" "$(cat out.txt)" 'own pages moved .* at least [0-9,]+ needed'
like "the last line is the verdict" "$(tail -n 1 out.txt)" '^PASS: '

# In so short a time too few pages may have moved; nothing else may be wrong.
short() {
	churnstress run --duration 3s --size 32M --no-neighbour --block-size "$1" --backend "$2" >out.txt 2>&1
	like "$1-byte blocks, $2: clean" "$(tail -n 1 out.txt)" \
		'^(PASS: |INCONCLUSIVE: clean, but only)'
}
short 2048 pread
short 4096 mmap
clean "other block sizes and back ends"

run "without migration" 3 --duration 2s --size 32M --no-neighbour --migrate none --json report.json
is "JSON: without a neighbour the 2019 race is not in reach" "$(json race_2019)" false
like "without migration: the reason" "$(tail -n 1 out.txt)" \
	'^INCONCLUSIVE: clean, but only 0 of the device.s own pages moved'
clean "without migration"

# As some services start their jobs.
timeout -k 5 120 bash -c "trap '' CHLD
	exec churnstress run --duration 2s --size 32M --no-neighbour --migrate none" >out.txt 2>&1
is "started where SIGCHLD is ignored: exit 3" "$?" 3
clean "started where SIGCHLD is ignored"

run_background --duration 60s --size 32M --output evidence
kill -9 "$daemon_pid"
run_wait
is "daemon killed: exit 2" "$run_status" 2
like "daemon killed: the reason" "$(tail -n 1 out.txt)" '^ERROR: the daemon was killed by signal 9'
ok "daemon killed: evidence: the last operations" test -s evidence/operations.txt
ok "daemon killed: evidence: the kernel's log" test -f evidence/kernel-log.txt
ok "daemon killed: evidence: the report" grep -q '^ERROR: the daemon was killed' evidence/report.txt
clean "daemon killed"

for signal in INT TERM; do
	run_background --duration 60s --size 32M
	kill -"$signal" "$run_pid"
	run_wait
	is "SIG$signal: exit 3" "$run_status" 3
	like "SIG$signal: the reason" "$(tail -n 1 out.txt)" '^INCONCLUSIVE: interrupted after'
	clean "SIG$signal"
done

run_background --duration 60s --size 32M
kill -9 "$run_pid"
run_wait
clean "churnstress killed with -9"

tap_done
