#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# detect.sh FOLDER [options of run.sh]
#
# How long it takes to detect the bug of 2019 in the same guest in different
# ways.  Runs row race-2019 of the matrix with each (-n RUNS of each, with other
# seeds), and prints a table in Markdown, also to FOLDER/detect.md.  Options are
# passed on; -e and -d are set here.  Exit status: 2 when the lab failed, 77 when
# packages are missing.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

folder='' options=()

# way NAME SECONDS [options of run.sh]: all runs of one way.
way() {
	local name=$1 seconds=$2 rc=0
	shift 2

	lab_say "detect: $name, at most $seconds s"
	"$LAB_DIR/run.sh" "${options[@]}" -o "$folder/$name" -d "$seconds" "$@" race-2019 \
		>"$folder/$name.tap" || rc=$?
	# That a way does not find it is what is to be seen here.
	[[ $rc -le 1 ]] || exit $rc
}

# Prints the row of one way: report NAME SECONDS TEXT.
report() {
	jq -rs --arg text "$3" --arg seconds "$2" '
		def s: . * 100 | round / 100 | tostring + " s";
		def median: sort | .[(length - 1) / 2 | floor];
		(map(select(.verdict == "CORRUPT" or .verdict == "KERNEL-FAULT"))) as $found |
		($found | map(.time_to_detect_s | numbers)) as $times |
		"| \($text) | \($found | length) of \(length) | " +
		(if ($times | length) > 0 then
			"\($times | median | s) | \($times | min | s) to \($times | max | s)"
		 elif all(.reach_race_2019 == false) then "not reachable | -"
		 else "not in \($seconds) s | -" end) +
		" | \(map(.pages_moved // .pages_moved_system // 0) | median)" +
		(if all(.pages_moved == null) then " (whole system)" else "" end) + " |"' \
		"$folder/$1/runs.jsonl"
}

main() {
	local stress

	folder=${1:?usage: detect.sh FOLDER [options of run.sh]}
	shift
	options=("$@")
	lab_need stress-ng=stress-ng jq=jq
	stress=$(type -P stress-ng)
	mkdir -p "$folder"
	way numa 120 -e 'CHURNSTRESS_ARGS=--migrate numa --workers 1'
	way compact 120 -e 'CHURNSTRESS_ARGS=--migrate compact --workers 1'
	way alone 30 -e 'CHURNSTRESS_ARGS=--no-neighbour --migrate numa --workers 1'
	way loop 300 -j "$LAB_DIR/jobs/compact-loop" -b "$stress"
	{
		echo '| 2019 bug, same guest | found | median time | range | pages moved, median |'
		echo '|---|---|---|---|---|'
		report numa 120 'churnstress, NUMA ping-pong'
		report compact 120 'churnstress, compact_memory only'
		report alone 30 'churnstress, FUSE leg alone (--no-neighbour)'
		report loop 300 'compact_memory every 5 s beside stress-ng, then e2fsck'
	} | tee "$folder/detect.md"
}

main "$@"
