#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Killed with -9 at any moment, with any driver at work: everything is put back. CHURNFS_KILLS,
# CHURNFS_SEED and CHURNFS_DRIVERS say how often, at which moments, and what is at work.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

kills=${CHURNFS_KILLS:-12}
seed=${CHURNFS_SEED:-1}
# Setting up, the first cycles, and something of what follows.
moment_ms=4000

settings_changed() {
	[ "$(settings_now)" != "$settings_before" ]
}

sleep_ms() {
	sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"
}
RANDOM=$seed

# The drivers that work here.
drivers=(auto)
for driver in ${CHURNFS_DRIVERS:-compact node thp hugetlb numa}; do
	churnstress run --duration 1s --size 32M --migrate "$driver" >out.txt 2>&1
	[ $? -eq 2 ] || drivers+=("$driver")
done
diag "drivers: ${drivers[*]}"

# The run that the user started, the process that does the work, or both at once.
victims() {
	work=$(pgrep -P "$run_pid" -x churnstress)
	case $1 in
	0) echo "$run_pid" ;;
	1) echo "${work:-$run_pid}" ;;
	2) echo "$run_pid $work" ;;
	esac
}

declare -A changes_nothing
changed=0
dirty=
for ((i = 0; i < kills; i++)); do
	driver=${drivers[i % ${#drivers[@]}]}
	ms=$((RANDOM % moment_ms))
	churnstress run --duration 60s --size 32M --migrate "$driver" \
		--json "$tap_tmp/report.json" >out.txt 2>&1 &
	run_pid=$!
	# A slow machine may change nothing in those seconds: in every second round they begin when
	# something was changed, if this driver changes anything.
	if [ $((i / ${#drivers[@]} % 2)) -eq 1 ] && [ -z "${changes_nothing[$driver]-}" ]; then
		await settings_changed || changes_nothing[$driver]=yes
	fi
	sleep_ms "$ms"
	settings_changed && changed=$((changed + 1))
	work_pid=$(pgrep -P "$run_pid" -x churnstress)
	# shellcheck disable=SC2046 # one or two processes
	kill -9 $(victims $((RANDOM % 3)))
	wait "$run_pid" 2>/dev/null
	leftovers_await
	[ -z "$left" ] || dirty="$dirty kill $i ($driver after $ms ms): $left"
done
is "killed $kills times, seed $seed: nothing is left behind" "$dirty" ""
diag "at $changed of these moments settings were changed"
tap_result "$([ "$changed" -gt 0 ]; echo $?)" "settings were changed when it was killed"
tap_done
