# SPDX-License-Identifier: GPL-2.0-or-later
#
# All lines of runs.jsonl in; TAP, the table (lines with tabs) and the mutation
# score out.

def median: sort | if length == 0 then "-" else .[(length - 1) / 2 | floor] end;

[to_entries[] | .value + { line: .key }] | group_by(.kernel) | sort_by(.[0].line) |
map({
	name: .[0].kernel, role: .[0].role, runs: length,
	good: (map(select(.expected)) | length),
	said: (group_by(.verdict) | map("\(length) \(.[0].verdict)") | join(", ")),
	detect: (map(.time_to_detect_s | numbers) | median),
	moved: (map(.pages_moved | numbers) | median),
	need: .[0].need
} | .ok = (.good * 100 >= .need * .runs)) as $rows |
($rows | map(select(.role == "mutant"))) as $mutants |

"1..\($rows | length)",
($rows | to_entries[] | "\(if .value.ok then "ok" else "not ok" end) \(.key + 1) - " +
	"\(.value.name): \(.value.good) of \(.value.runs) runs as expected (\(.value.said))"),
(.[][] | select(.verdict == "INCONCLUSIVE" or (.expected | not)) |
	"# \(.kernel), run \(.run): \(.verdict): \(.reason // .fault // "no reason given")"),
"# kernel\trole\truns\tas expected\tverdicts\tmedian s to detect\tmedian pages moved",
($rows[] | "# \(.name)\t\(.role)\t\(.runs)\t\(.good)\t\(.said)\t\(.detect)\t\(.moved)"),
(if ($mutants | length) > 0 then
	"# mutation score: \($mutants | map(select(.ok)) | length) of \($mutants | length)"
 else empty end)
