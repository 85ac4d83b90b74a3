#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What weeks of soak must not do: use more and more memory, or write without bounds. All that comes
# at intervals comes CHURNFS_HURRY times as often in CHURNFS_ENDURANCE seconds. 3600 seconds must have
# a day's, a sample a minute; twice that rate leaves time for checks that take longer than intervals.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

seconds=${CHURNFS_ENDURANCE:-40}
hurry=${CHURNFS_HURRY:-48}
# Until then it fills what it keeps of the past.
warm=$((seconds / 4 > 20 ? seconds / 4 : 20))
memory_max=$((5 << 20))
timeline_max=$((32 << 20))

churnstress run --duration "${seconds}s" --hurry "$hurry" --seed "${CHURNFS_SEED:-1}" \
	--json "$tap_tmp/report.json" --timeline timeline.jsonl --prometheus soak.prom \
	--output evidence >out.txt 2>err.txt
run_status=$?
# A busy machine may move too little for PASS.
case $run_status in
0 | 3) verdict=clean ;;
*) verdict="exit $run_status: $(tail -n 5 out.txt err.txt)" ;;
esac
is "$seconds s: nothing was lost" "$verdict" clean
diag "$(cat out.txt)"
clean "the run"

# range PROCESS: from the lowest to the highest of the samples once it is warm, in bytes.
range() {
	sed -n "s/.*\"event\":\"sample\".*\"elapsed_s\":\([0-9.]*\).*\"memory_$1\":{[^}]*\"unlocked\":\([0-9]*\)}.*/\1 \2/p" \
		timeline.jsonl | awk -v from="$warm" '
		$1 >= from { if (!n++ || $2 < low) low = $2; if ($2 > high) high = $2 }
		END { if (n < 10) print "-1"; else printf "%d", high - low }'
}
for process in churnstress churnfs; do
	range=$(range "$process")
	diag "$process: memory within $range bytes"
	tap_result "$([ "$range" -ge 0 ] && [ "$range" -le "$memory_max" ]; echo $?)" \
		"$process: resident memory is flat within $memory_max bytes"
done
lines=$(grep -c . timeline.jsonl)
tap_result "$([ "$lines" -ge "$((seconds * 24 / 60))" ]; echo $?)" "the timeline was kept: $lines lines"
written=$(cat timeline.jsonl* | wc -c)
tap_result "$([ "$written" -le "$timeline_max" ]; echo $?)" "the timeline is bounded: $written bytes"
diag "$(grep -E 'e2fsck|in .* rounds' out.txt)"
diag "written besides: $(find out.txt err.txt soak.prom evidence -type f -printf '%f %s, ')"
tap_done
