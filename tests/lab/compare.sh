#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# compare.sh FOLDER [options of run.sh]
#
# The comparison that was asked for when the race of 2019 was fixed: the unfixed
# kernel, the fix as first proposed (dirty pages are written out, buffers are
# dropped) and the one that was merged (the lock is held), with the same seed and
# the same work.  Runs jobs/compare in each and writes to FOLDER comparison.md,
# comparison.svg and comparison.png; prints the first.  Runs of one kernel are
# pooled.  Exit status: 2 when the lab failed, 77 when packages are missing.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly KERNELS=(race-2019 rfc-writeout stock)
readonly TITLES=("unfixed" "RFC: write out, drop buffers" "merged: lock held")
# Beside the soak there are three traced ones, two fillings of memory, and blocks
# of memory to offline, each with a time limit of its own.
readonly JOB_SECONDS=600

folder=''

# Prints the durations of KIND in kernel $2, in ns, sorted.
durations() {
	cat "$folder/$2"/*/out/durations | awk -v kind="$1" '$1 == kind { print $2 }' | sort -n
}

# Reads sorted ns, prints "1,234 calls; median 1.2, 99 % 3.4, 99.9 % 5.6, at most 7.8 µs".
percentiles() {
	awk '
		function at(share, i) { i = int(share * NR); return v[i < 1 ? 1 : i] / 1000 }
		{ v[NR] = $1 }
		END {
			if (NR)
				printf "%d calls: median %.1f, 99 %% %.1f, 99.9 %% %.1f, at most %.1f µs",
					NR, at(0.5), at(0.99), at(0.999), at(1)
			else
				printf "no calls"
		}'
}

# Prints the log2 histogram of KIND: from (µs), then each kernel's share in percent.
histogram() {
	local kernel

	for kernel in "${KERNELS[@]}"; do
		durations "$1" "$kernel" | sed "s/^/$kernel /"
	done | awk -v kernels="${KERNELS[*]}" '
		BEGIN { n = split(kernels, name, " "); low = 99 }
		{
			for (b = 0; 2 ^ (b + 1) <= $2 / 125; b++)
				;
			count[$1, b]++
			total[$1]++
			low = b < low ? b : low
			high = b > high ? b : high
		}
		END {
			for (b = low; b <= high; b++) {
				printf "%g", 2 ^ b / 8
				for (i = 1; i <= n; i++)
					printf " %.4f", total[name[i]] ? 100 * count[name[i], b] / total[name[i]] : 0
				print ""
			}
		}'
}

# Prints one number of each run of kernel $1: numbers KERNEL FILTER [jq's options].
numbers() {
	local kernel=$1 filter=$2
	shift 2

	jq -rs "$@" "$filter" "$folder/$kernel"/*/out/numbers.json
}

row() {
	local what=$1 of=$2 kernel
	shift 2

	printf '| %s ' "$what"
	for kernel in "${KERNELS[@]}"; do
		printf '| %s ' "$("$of" "$kernel" "$@")"
	done
	echo '|'
}

# The soak and the traced runs each end with a line that begins with the verdict.
found_of() {
	local runs=("$folder/$1"/*/out/output "$folder/$1"/*/out/traced-*) found

	found=$(cat "${runs[@]}" | grep -c '^CORRUPT: ' || true)
	echo "in $found of ${#runs[@]} runs"
}

moved_of() {
	jq -rs --arg kernel "$1" 'map(select(.kernel == $kernel)) |
		"\(map(.pages_moved // 0) | add)"' "$folder/runs.jsonl"
}

# shellcheck disable=SC2016 # jq's variables
success_of() {
	numbers "$1" '(map(.migrate_success) | add) as $good | (map(.migrate_fail) | add) as $bad |
		"\(1000 * $good / ($good + $bad) | round / 10) % of \($good + $bad)"'
}

duration_of() {
	durations "$2" "$1" | percentiles
}

# shellcheck disable=SC2016 # jq's variables
offline_of() {
	numbers "$1" 'map(.blocks[]) | map(select(.offline).seconds) as $good |
		"\($good | length) of \(length)" + if ($good | length) > 0 then
		", median \($good | sort | .[(length - 1) / 2 | floor]) s, at most \($good | max) s" else "" end'
}

huge_of() {
	numbers "$1" '"\(map(.huge_got) | add) of \(map(.huge_wanted) | add) in \(map(.huge_s) | add) s"'
}

histogram_table() {
	awk '
		{ printf "| %g to %g µs | %.2f %% | %.2f %% | %.2f %% |\n", $1, 2 * $1, $2, $3, $4 }' \
		"$folder/$1.dat"
}

# Prints the tables, in Markdown.
tables() {
	printf '| '
	printf '| %s ' "${TITLES[@]}"
	echo '|'
	echo '|---|---|---|---|'
	printf '| kernel '
	printf '| %s ' "${KERNELS[@]}"
	echo '|'
	row "corruption found" found_of
	row "pages of the device moved" moved_of
	row "migrations that succeeded, whole system" success_of
	row "section that replaces a page" duration_of section
	row "buffer lookup, __find_get_block()" duration_of lookup
	row "memory blocks offlined, memory full of dirty pages" offline_of
	row "huge pages had, memory full of dirty pages" huge_of
	echo
	echo '| section that replaces a page | unfixed | RFC | merged |'
	echo '|---|---|---|---|'
	histogram_table section
}

main() {
	local kind rc=0

	folder=${1:?usage: compare.sh FOLDER [options of run.sh]}
	shift
	lab_need gnuplot=gnuplot-nox jq=jq
	"$LAB_DIR/run.sh" -j "$LAB_DIR/jobs/compare" -t "$JOB_SECONDS" -m 2048 -S 1536 \
		-o "$folder" "$@" "${KERNELS[@]}" >&2 || rc=$?
	# A verdict that is not the row's is a result too.
	[[ $rc -le 1 ]] || exit $rc
	for kind in section lookup; do
		histogram "$kind" >"$folder/$kind.dat"
	done
	tables >"$folder/comparison.md"
	(cd "$folder" && gnuplot "$LAB_DIR/compare.gp")
	cat "$folder/comparison.md"
}

main "$@"
