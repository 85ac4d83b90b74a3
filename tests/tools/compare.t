#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two reports side by side: rates, what differs, which is worse, and files that are no reports.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"
stress=${CHURNSTRESS:-churnstress}
cd "$tap_tmp" || exit 99

# report FILE VERDICT SECONDS MOVED DRIVER [SCHEMA]
report() {
	cat >"$1" <<EOF
{"schema": ${6:-1}, "verdict": "$2", "reason": "because of $2", "seed": 7, "kernel": "6.1-$2",
 "command": "churnstress run --seed 7", "duration_s": $3, "device": "/dev/loop0",
 "block_size": 1024, "workload": {"ops": 100}, "verify": {"blocks": 5000},
 "migration": {"pages_moved": $4, "drivers": [{"name": "$5", "pages_moved": $4}]},
 "neighbour": {"type": null}}
EOF
}
report pass.json PASS 10 20000 compact
report twice.json PASS 5 20000 compact
report numa.json PASS 10 5 numa
report corrupt.json CORRUPT 2.5 10 compact
report few.json INCONCLUSIVE 10 0 compact
report fault.json KERNEL-FAULT 10 20000 compact
report error.json ERROR 10 0 compact
report later.json PASS 10 20000 compact 2

out=$("$stress" compare pass.json twice.json)
is "alike: exit 0" $? 0
like "kernels" "$out" '^  kernel +6\.1-PASS +6\.1-PASS$'
like "rates are by the second, with a ratio" "$out" '^  own pages moved +2,000 +4,000 +2\.00$'
like "small rates" "$("$stress" compare pass.json numa.json)" '^  own pages moved +2,000 +0\.50 +0\.00$'
is "what neither has is left out" "$(printf '%s\n' "$out" | grep -c 'lookups')" 0
is "alike: nothing differs" "$(printf '%s\n' "$out" | grep -c differs)" 0
like "the outcome comes last" "$(printf '%s\n' "$out" | tail -n 1)" '^no worse: PASS after PASS$'
out=$("$stress" compare pass.json numa.json)
like "a driver of the first only" "$out" '^  moved by compact +2,000 +-$'
like "a driver of the second only" "$out" '^  moved by numa +- +0\.50$'
sed 's/--seed 7/--seed 8/' pass.json >seed.json
like "another command" "$("$stress" compare pass.json seed.json)" '^  command differs:$'

fails "CORRUPT after PASS: exit 1" 1 "$stress" compare pass.json corrupt.json
like "CORRUPT after PASS: why" "$("$stress" compare pass.json corrupt.json)" \
	'^worse: CORRUPT after PASS: because of CORRUPT$'
fails "INCONCLUSIVE after PASS: exit 3" 3 "$stress" compare pass.json few.json
fails "KERNEL-FAULT after INCONCLUSIVE: exit 4" 4 "$stress" compare few.json fault.json
fails "CORRUPT after KERNEL-FAULT: exit 1" 1 "$stress" compare fault.json corrupt.json
fails "PASS after CORRUPT: exit 0" 0 "$stress" compare corrupt.json pass.json
fails "CORRUPT after CORRUPT: exit 0" 0 "$stress" compare corrupt.json corrupt.json

mkdir evidence && cp corrupt.json evidence/report.json
fails "a folder of evidence" 1 "$stress" compare pass.json evidence

# refused NAME TEXT ARG...: exit 2, and one line on standard error.
refused() {
	refused_name=$1
	refused_text=$2
	shift 2
	fails "$refused_name: exit 2" 2 timeout 10 "$stress" compare "$@"
	like "$refused_name: says why" "$("$stress" compare "$@" 2>&1 >/dev/null)" "$refused_text"
}
mkfifo fifo
mkdir empty
echo '{"schema": 1' >half.json
echo '[]' >array.json
printf '{"schema": 1, "verdict": "\\u001b[2J"}' >escape.json
truncate -s 2M large.json
refused "nothing there" 'none\.json: No such file' pass.json none.json
refused "no evidence in a folder" 'empty: No such file' pass.json empty
refused "a FIFO" 'fifo: not a regular file' pass.json fifo
refused "half a report" 'half\.json: no report' half.json pass.json
refused "another kind of JSON" 'array\.json: no report' array.json pass.json
refused "larger than any report" 'large\.json: not a regular file of at most 1 MiB' pass.json large.json
refused "a schema of the future" 'later\.json: schema 2, known is 1' pass.json later.json
refused "an unknown verdict" 'escape\.json: that run judged nothing' pass.json escape.json
refused "a run that judged nothing" 'error\.json: that run judged nothing' error.json pass.json
refused "one report only" 'usage' pass.json

# What a report says reaches no terminal as a control character.
sed 's/6\.1-PASS/\\u001b[2J/' pass.json >control.json
is "control characters are escaped" \
	"$("$stress" compare pass.json control.json | tr -d '\n\t' | LC_ALL=C tr -dc '\000-\037' | wc -c)" 0
fails "a full disk below: exit 2" 2 sh -c '"$0" compare pass.json twice.json >/dev/full' "$stress"
tap_done
