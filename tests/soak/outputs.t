#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a run tells to machines while it goes on and at its end, and the mail made of its evidence.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

# Standard output by itself: it must hold nothing but KTAP.
churnstress run --duration 10s --size 32M --seed 1 --ktap --json "$tap_tmp/report.json" \
	--junit junit.xml --prometheus soak.prom --timeline timeline.jsonl >ktap.txt 2>err.txt &
run_pid=$!
daemon_await
# The daemon is there; the main loop, which answers, may not be yet.
kill -USR1 "$run_pid"
await grep -q '^churnstress: [0-9]* s of 10 s' err.txt
is "SIGUSR1: the status is printed once, on standard error" \
	"$(grep -c '^churnstress: [0-9]* s of 10 s on .*clean so far.*pages moved.*seed 1$' err.txt)" 1
ok "SIGUSR1: the run goes on" kill -0 "$run_pid"
like "metrics of a run that goes on: up" "$(cat soak.prom)" '^churnstress_up\{run="soak"\} 1$'
like "metrics of a run that goes on: no verdict" "$(cat soak.prom)" \
	'^churnstress_verdict\{run="soak",verdict="RUNNING"\} 1$'
run_wait
# A busy machine may move too little for PASS; the formats are judged all the same.
case $run_status in
0) verdict=PASS ;;
3) verdict=INCONCLUSIVE ;;
*) verdict=clean ;;
esac
like "the run: exit $run_status" "$verdict" '^(PASS|INCONCLUSIVE)$'
clean "the run"

is "KTAP: the version comes first" "$(sed -n 1p ktap.txt)" "KTAP version 1"
is "KTAP: then the plan, which is kept" "$(sed -n 2p ktap.txt)" "1..$(grep -Ec '^(not )?ok ' ktap.txt)"
is "KTAP: nothing but results and diagnostics" \
	"$(sed 1,2d ktap.txt | grep -Ev '^(not )?ok [0-9]+ [a-z-]+( # (SKIP|ERROR) .+)?$|^# ')" ""
is "KTAP: results are numbered" \
	"$(sed -n 's/^\(not \)\{0,1\}ok \([0-9]*\) .*/\2/p' ktap.txt | sort -n -c && echo yes)" yes
for case in metadata-blocks workload neighbour-inodes neighbour-fsck completion exercise-operations; do
	like "KTAP: $case" "$(cat ktap.txt)" "^ok [0-9]+ $case\$"
done
like "KTAP: no fault was planted" "$(cat ktap.txt)" '^ok [0-9]+ planted-fault # SKIP'
is "KTAP: what failed is for want of exercise" \
	"$(grep '^not ok' ktap.txt | grep -v ' exercise-')" ""

is "JUnit: as many cases" "$(grep -c '<testcase ' junit.xml)" "$(grep -Ec '^(not )?ok ' ktap.txt)"
is "JUnit: as many failures" "$(grep -c '<failure ' junit.xml)" "$(grep -c '^not ok' ktap.txt)"
like "JUnit: the verdict" "$(cat junit.xml)" "<property name=\"verdict\" value=\"$verdict\"/>"
if command -v xmllint >/dev/null; then
	ok "JUnit: well-formed" xmllint --noout junit.xml
else
	skip "JUnit: well-formed" "no xmllint"
fi

like "metrics at the end: down" "$(cat soak.prom)" '^churnstress_up\{run="soak"\} 0$'
like "metrics at the end: the verdict" "$(cat soak.prom)" \
	"^churnstress_verdict\{run=\"soak\",verdict=\"$verdict\"\} 1\$"
like "metrics at the end: the kernel" "$(cat soak.prom)" \
	"^churnstress_info\{.*kernel=\"$(uname -r)\""
metric() {
	sed -n "s/^churnstress_$1{run=\"soak\"} //p" soak.prom
}
# First value of key $2 within the object $1.
json() {
	sed -n "/^  \"$1\": {/,/^  }/s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" report.json | head -n 1
}
is "metrics: operations as in the report" "$(metric operations_total)" "$(json workload ops)"
is "metrics: blocks verified as in the report" "$(metric blocks_verified_total)" "$(json verify blocks)"
is "metrics: lookups as in the report" "$(metric buffer_lookups_total)" "$(json neighbour lookups)"
is "nothing is left beside the files" "$(ls -- *.tmp 2>/dev/null)" ""

is "timeline: begins with the start" "$(head -n 1 timeline.jsonl | cut -c 1-16)" '{"event":"start"'
like "timeline: the start has the seed" "$(head -n 1 timeline.jsonl)" '"seed":1,'
like "timeline: ends with the verdict" "$(tail -n 1 timeline.jsonl)" \
	"^\{\"event\":\"end\",.*\"verdict\":\"$verdict\",.*\}\$"
like "timeline: ends with the report's counts" "$(tail -n 1 timeline.jsonl)" \
	"\"ops\":$(json workload ops),"

# Set-up that fails: one line for people, one error for machines.
churnstress run --duration 1s --ktap --prometheus missing/soak.prom >ktap.txt 2>err.txt
is "metrics that cannot be written: exit 2" "$?" 2
is "metrics that cannot be written: one line" "$(wc -l <err.txt)" 1
like "metrics that cannot be written: says why" "$(cat err.txt)" \
	'--prometheus missing/soak.prom: No such file or directory'
is "metrics that cannot be written: one failure" "$(grep '^not ok' ktap.txt)" \
	"$(grep '^not ok [0-9]* completion # ERROR --prometheus missing' ktap.txt)"
for option in json junit prometheus timeline; do
	mkfifo fifo
	churnstress run --duration 1s "--$option" fifo >out.txt 2>&1
	is "--$option into a FIFO: exit 2" "$?" 2
	is "--$option into a FIFO: one line" "$(wc -l <out.txt)" 1
	like "--$option into a FIFO: says why" "$(cat out.txt)" "--$option fifo: not a regular file"
	ok "--$option into a FIFO: it is left alone" test -p fifo
	rm -f fifo
done

run "planted fault" 1 --duration 30s --size 32M --seed 1 --no-neighbour --inject stale \
	--output evidence --ktap
like "planted fault: the case fails" "$(cat out.txt)" '^not ok [0-9]+ metadata-blocks$'
like "planted fault: the difference is told" "$(cat out.txt)" '^# \+ 0'
# A worker may have been refused the block.
is "planted fault: nothing but what it reached fails" \
	"$(grep '^not ok' out.txt | grep -Ev ' (metadata-blocks|workload)$')" ""
churnstress report evidence >mail.txt 2>err.txt
is "report: exit 0" "$?" 0
is "report: no messages" "$(cat err.txt)" ""
is "report: begins with the verdict" "$(sed -n 1p mail.txt)" "churnstress: CORRUPT on Linux $(uname -r)"
like "report: what was found" "$(sed -n 3,4p mail.txt)" 'block [0-9]+ is stale'
like "report: that it was planted" "$(cat mail.txt)" '^Planted:'
like "report: the seed" "$(cat mail.txt)" '^Seed: +1$'
like "report: the command" "$(cat mail.txt)" '^Command: +churnstress run '
is "report: files in order" "$(sed -n 's/^\([a-z-]*\.txt\) (.*):$/\1/p' mail.txt |
	grep -E '^(report|page|operations|kernel-version).txt')" "$(printf '%s\n' \
	report.txt page.txt operations.txt kernel-version.txt)"
like "report: says how much is left out" "$(cat mail.txt)" '^  \[\.\.\. [0-9]+ lines left out \.\.\.\]$'
is "report: head and tail and what is left out are all of operations.txt" \
	"$(sed -n '/^operations.txt/,/^kernel-version.txt/s/^  \[\.\.\. \([0-9]*\) lines.*/\1/p' mail.txt)" \
	$(($(wc -l <evidence/operations.txt) - 24))
like "report: names the images" "$(cat mail.txt)" '^  expected\.bin \(1 KiB\)$'

# refused NAME REGEX FOLDER
refused() {
	churnstress report "$3" >out.txt 2>err.txt
	is "report, $1: exit 2" "$?" 2
	is "report, $1: prints nothing" "$(cat out.txt)" ""
	is "report, $1: one line" "$(wc -l <err.txt)" 1
	like "report, $1: says why" "$(cat err.txt)" "$2"
}
refused "no folder" 'missing: No such file' missing
refused "a file" 'Not a directory' report.json
refused "a folder of something else" 'no evidence' "$TMPDIR"
fails "report without a folder: exit 2" 2 churnstress report

# A folder from somebody else: never waits, follows no link, prints no control character.
mkdir hostile
mkfifo hostile/report.txt
ln -s /proc/version hostile/kernel-log.txt
printf 'a\033[31mb\033[0m\r\n\233\n' >hostile/page.txt
truncate -s 1T hostile/trace.txt
echo '{"verdict": "CORRUPT", "reason": "a\u001bb", "seed": [1], "finding": "x"}' >hostile/report.json
: >"$(printf 'hostile/\033x\ny')"
timeout 60 churnstress report hostile >mail.txt 2>err.txt
is "report, hostile: exit 0" "$?" 0
is "report, hostile: no control characters" "$(LC_ALL=C tr -d '\n -~' <mail.txt | wc -c)" 0
like "report, hostile: the FIFO is left out" "$(cat mail.txt)" '^report.txt: left out: not a regular file$'
like "report, hostile: the link is left out" "$(cat mail.txt)" '^kernel-log.txt: left out: a symbolic link$'
like "report, hostile: escaped" "$(cat mail.txt)" '^  a\\x1b\[31mb\\x1b\[0m\\x0d$'
ok "report, hostile: a terabyte is shortened" test "$(wc -c <mail.txt)" -lt 16384

tap_done
