# SPDX-License-Identifier: GPL-2.0-or-later
# For tests that run churnstress: ". tests/soak/lib.sh" after tests/tap.sh.
# shellcheck shell=bash

need_root
need_fuse
need_loop

# One at a time: settings of the whole machine are changed, and moves are counted.
exec 9>"$top_builddir/tests/soak/lock" || exit 99
flock 9
# A soak of weeks may be going on. (The lock is that of src/soak/machinelock.h.)
flock -w 60 /proc/sys/vm true || skip_all "another churnstress migrates on this machine"

# Whatever a run makes lies below here, so that leftovers can be told from other people's things.
export TMPDIR=$tap_tmp/work
mkdir "$TMPDIR"
cd "$tap_tmp" || exit 99

settings='/proc/sys/vm/percpu_pagelist_high_fraction /proc/sys/vm/compaction_proactiveness
	/proc/sys/vm/compact_unevictable_allowed /proc/sys/vm/nr_hugepages
	/sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/mm/transparent_hugepage/defrag'
settings_now() {
	for setting in $settings; do
		[ -r "$setting" ] && echo "$setting $(cat "$setting")"
	done
	# Blocks of memory by state.
	cat /sys/devices/system/memory/memory*/state 2>/dev/null | sort | uniq -c
}
settings_before=$(settings_now)

# What a run of ours left behind, a line each; nothing when all is clean.
leftovers() {
	losetup -a | grep -F "$TMPDIR"
	grep -F "$TMPDIR" /proc/self/mountinfo
	pgrep -af "churnfs.*$TMPDIR"
	pgrep -af "churnstress run.*$tap_tmp"
	ls -A "$TMPDIR"
	[ -z "${work_pid:-}" ] || ls -d /sys/kernel/tracing/instances/churnstress_"$work_pid" 2>/dev/null
	[ "$(settings_now)" = "$settings_before" ] || settings_now
}

nothing_left() {
	left=$(leftovers)
	[ -z "$left" ]
}

# Sets $left to what is left behind. Detaching a loop device and ending a process take a moment after
# their last user went.
leftovers_await() {
	await nothing_left
}

clean() {
	leftovers_await
	is "$1: nothing is left behind" "$left" ""
}

# True while a thread waits in ALL of the functions named, as /proc (or FOLDER) tells.
thread_waits_in() {
	local folder=$1 stacks
	shift
	mapfile -t stacks < <(grep -ls . "$folder"/[0-9]*/task/[0-9]*/stack 2>/dev/null)
	for function; do
		[ "${#stacks[@]}" -gt 0 ] || return 1
		mapfile -t stacks < <(grep -lsw "$function" "${stacks[@]}")
	done
	[ "${#stacks[@]}" -gt 0 ]
}

# Some kernels have a deadlock that a run may meet (README, "Seen on a kernel as it is"): what comes
# after it says nothing of churnstress. Three looks, since each wait alone is nothing special.
kernel_deadlocked() {
	local look
	for look in 1 2 3; do
		thread_waits_in "${1:-/proc}" __ext4_get_inode_loc __folio_lock &&
			thread_waits_in "${1:-/proc}" block_read_full_folio __lock_buffer || return 1
		[ "$look" -eq 3 ] || sleep 1
	done
}

eval "tap_result_plain() $(declare -f tap_result | tail -n +2)"
tap_result() {
	if [ "$1" -ne 0 ] && kernel_deadlocked; then
		skip "$2" "this kernel has deadlocked in ext4, see README"
	else
		tap_result_plain "$@"
	fi
}

# run STATUS-NAME WANTED-STATUS ARG...: a run with its output in out.txt.
run() {
	run_name=$1
	run_want=$2
	shift 2
	# The JSON file marks the process as ours.
	churnstress run --json "$tap_tmp/report.json" "$@" >out.txt 2>&1
	run_status=$?
	if [ "$run_status" -eq "$run_want" ]; then
		tap_result 0 "$run_name: exit $run_want"
	else
		tap_result 1 "$run_name: exit $run_status instead of $run_want"
		diag "$(tail -n 20 out.txt)"
	fi
}

daemon_find() {
	work_pid=$(pgrep -P "$run_pid" -x churnstress) && daemon_pid=$(pgrep -P "$work_pid" -x churnfs)
}

# Waits until the daemon of the run $run_pid is there, and sets $work_pid and $daemon_pid.
daemon_await() {
	await daemon_find
}

# run_begin ARG...: sets $run_pid, $work_pid, the process that does the work, and $daemon_pid once the
# daemon is there.
run_begin() {
	churnstress run --json "$tap_tmp/report.json" "$@" >out.txt 2>&1 &
	run_pid=$!
	daemon_await
}

# Sets $mounted and $device once the run's neighbour is mounted, where the run sees it.
neighbour_find() {
	# shellcheck disable=SC2046 # words on purpose
	set -- $(awk '$5 ~ "/neighbour$" { print $5, $(NF - 1) }' "/proc/$work_pid/mountinfo")
	mounted=${1:-} device=${2:-}
	[ -n "$mounted" ]
}

# run_background ARG...: the same, and waits until the run proper is on.
run_background() {
	run_begin "$@"
	# Into the run proper: workers have made something.
	sleep 1
}

run_wait() {
	wait "$run_pid"
	run_status=$?
}

tap_cleanup() {
	[ -n "${run_pid:-}" ] && kill -9 "$run_pid" 2>/dev/null
	cd /
}
