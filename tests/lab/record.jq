# SPDX-License-Identifier: GPL-2.0-or-later
#
# One run, judged: boot.json, the report if there is one, and the matrix row in;
# one line of runs.jsonl out.

def among($list): . as $word | $list == "-" or ($list | split(",") | any(. == $word));

["PASS", "CORRUPT", "ERROR", "INCONCLUSIVE", "KERNEL-FAULT"] as $verdict_of_exit |
$boot[0] as $boot | ($reports[0] // {}) as $report |
{
	kernel: $kernel, role: $role, run: $run, seed: $seed, need: $need,
	verdict: ($report.verdict //
		if $boot.outcome == "panic" then "KERNEL-FAULT"
		elif $boot.outcome == "hang" then "HANG"
		else $verdict_of_exit[$boot.exit] // "ERROR" end),
	reason: $report.reason,
	where: $report.finding.where,
	kind: $report.finding.kind,
	time_to_detect_s: $report.finding.time_to_detect_s,
	pages_moved: $report.migration.pages_moved,
	lookups: $report.neighbour.lookups,
	pages_moved_system: $report.migration.pages_moved_system,
	reach_race_2019: $report.reach.race_2019,
	outcome: $boot.outcome, fault: $boot.fault,
	accel: $boot.accel, boot_s: $boot.boot_s, wall_s: $boot.wall_s
} |
# A sound kernel must not complain either, whatever the stressor made of it.
.expected = (
	((.verdict | among($verdicts)) or
		($quick != "" and $role == "control" and .verdict == "INCONCLUSIVE" and
		 (.reason // "" | startswith("clean, but only")))) and
	($report.finding == null or
		((.where | among($wheres)) and (.kind | among($kinds)) and
		 (.time_to_detect_s // 0) <= $within)) and
	($role == "mutant" or .fault == null))
