#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [options] [NAME...]
#
# Boots the kernels of the matrix's rows NAME (all rows without one), runs a
# job in each, compares its verdict with the row, and prints TAP, a table and
# the mutation score.  Exits 0 when every row was as expected, 1 when not, 2
# when the lab failed, 77 when packages are missing.  runs.jsonl in the results
# folder has one line a run.
#
#   -b PROGRAM  take PROGRAM into the guest (may be repeated)
#   -n RUNS     runs of each kernel, each with a seed of its own (default 1)
#   -s SEED     the first run's seed (default 1)
#   -d SECONDS  length of a run (default: the row's)
#   -q SECONDS  quick: runs of controls last SECONDS, and may be INCONCLUSIVE when
#               all was clean, for a slow machine does little in a short time
#   -t SECONDS  time for the job beyond the length of its run (default 240)
#   -j JOB      shell script to run in the guest (default jobs/soak)
#   -f FILE     put FILE beside the job (may be repeated)
#   -e NAME=VALUE  set a variable for the job (may be repeated)
#   -k BZIMAGE  judge this kernel, as a control named "user", instead of rows
#   -o FOLDER   results (default: lab-results in the current folder)
#   -S MIB      size of the test disk
#   -m MIB, -l IOPS, -a WORDS  as of boot.sh
#
# A job gets SEED, DURATION and KERNEL from /job/env, leaves the report as
# /out/report.json, or speaks by its exit status alone (DESIGN: 0 PASS,
# 1 CORRUPT, 2 ERROR, 3 INCONCLUSIVE, 4 KERNEL-FAULT).

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

programs=() settings=() boot_args=() names=()
# Set-up, reports and evidence come on top of the soak; an emulated guest on a
# busy machine took 150 s for a soak of 30.
slack=240
runs=1 first_seed=1 duration='' quick='' job=$LAB_DIR/jobs/soak results=lab-results image=''

parse() {
	local flag

	while getopts b:n:s:d:q:t:j:f:e:k:o:m:S:l:a: flag; do
		case $flag in
		b) programs+=("$OPTARG") ;;
		n) runs=$OPTARG ;;
		s) first_seed=$OPTARG ;;
		d) duration=$OPTARG ;;
		q) quick=$OPTARG ;;
		t) slack=$OPTARG ;;
		j) job=$OPTARG ;;
		e) settings+=("$OPTARG") ;;
		k) image=$OPTARG ;;
		o) results=$OPTARG ;;
		S) boot_args+=(-s "$OPTARG") ;;
		f | m | l | a) boot_args+=("-$flag" "$OPTARG") ;;
		*) lab_die "see the head of run.sh" ;;
		esac
	done
	shift $((OPTIND - 1))
	names=("$@")
	[[ -z $image || ${#names[@]} -eq 0 ]] || lab_die "-k judges one kernel: no names with it"
	if [[ -n $image ]]; then
		names=(user)
	elif [[ ${#names[@]} -eq 0 ]]; then
		mapfile -t names < <(lab_matrix | cut -d' ' -f1)
	fi
	[[ $runs =~ ^[1-9][0-9]*$ && $first_seed =~ ^[0-9]+$ &&
		${duration:-1} =~ ^[1-9][0-9]*$ && ${quick:-1} =~ ^[1-9][0-9]*$ &&
		$slack =~ ^[0-9]+$ ]] ||
		lab_die "runs, seed and seconds are whole numbers"
}

row_of() {
	if [[ -n $image ]]; then
		echo "user control - PASS - - 120 100 0"
	else
		lab_row "$1" || lab_die "$1: no such row in the matrix"
	fi
}

# write_env FILE KERNEL SEED SECONDS
write_env() {
	local setting

	{
		printf 'KERNEL=%q\nSEED=%q\nDURATION=%q\n' "$2" "$3" "$4"
		for setting in "${settings[@]}"; do
			printf '%s=%q\n' "${setting%%=*}" "${setting#*=}"
		done
	} >"$1"
}

# Appends the line of one run to runs.jsonl: record FOLDER RUN SEED ROW...
record() {
	local folder=$1 run=$2 seed=$3 report=/dev/null

	# A guest that died may leave half a report.
	jq -e .verdict "$folder/out/report.json" >/dev/null 2>&1 && report=$folder/out/report.json
	jq -cn --argjson run "$run" --argjson seed "$seed" \
		--arg kernel "$4" --arg role "$5" --arg verdicts "$7" --arg wheres "$8" \
		--arg kinds "$9" --argjson within "${10}" --argjson need "${11}" --arg quick "$quick" \
		--slurpfile boot "$folder/boot.json" --slurpfile reports "$report" \
		-f "$LAB_DIR/record.jq" >>"$results/runs.jsonl"
}

# run_row ROW...: all runs of one kernel.
run_row() {
	local name=$1 seconds=${duration:-$7} kernel folder run seed

	[[ $2 == control ]] && seconds=${quick:-$seconds}
	if [[ -n $image ]]; then
		kernel=$image
	else
		kernel=$("$LAB_DIR/kernel.sh" "$name")/bzImage
	fi
	for ((run = 1; run <= runs; run++)); do
		seed=$((first_seed + run - 1))
		folder=$results/$name/$run
		write_env "$results/env" "$name" "$seed" "$seconds"
		lab_say "$name: run $run of $runs, seed $seed"
		"$LAB_DIR/boot.sh" -k "$kernel" -i "$results/initramfs.gz" -j "$job" -o "$folder" \
			-f "$results/env" -t $((seconds + slack)) -l "$9" "${boot_args[@]}"
		record "$folder" "$run" "$seed" "$@"
	done
}

# Prints TAP, the table and the score; fails when a row was not as expected.
summarise() {
	jq -rs -f "$LAB_DIR/summary.jq" "$results/runs.jsonl" >"$results/summary"
	awk -F '\t' 'NF == 1 && !/^# mutation/' "$results/summary"
	awk -F '\t' 'NF > 1' "$results/summary" | column -t -s $'\t'
	grep '^# mutation' "$results/summary" || true
	! grep -q '^not ok' "$results/summary"
}

main() {
	local name row

	parse "$@"
	lab_need jq=jq column=bsdextrautils
	[[ -r $job ]] || lab_die "$job: no such job"
	mkdir -p "$results"
	rm -f "$results/runs.jsonl"
	for name in "${names[@]}"; do
		row_of "$name" >/dev/null
	done
	"$LAB_DIR/initramfs.sh" "$results/initramfs.gz" "${programs[@]}"
	for name in "${names[@]}"; do
		read -ra row < <(row_of "$name")
		run_row "${row[@]}"
	done
	summarise
}

main "$@"
