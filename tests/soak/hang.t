#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What hangs ends the run with exit 4 and evidence, also if it hangs in the kernel for good.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99
need_command mke2fs

evidence_check() {
	like "$1: the reason" "$(tail -n 1 out.txt)" "^KERNEL-FAULT: $2 hangs: no step of it has ended for"
	ok "$1: evidence: our threads" grep -q '^thread ' evidence/tasks.txt
	ok "$1: evidence: operations" test -s evidence/operations.txt
	ok "$1: evidence: report" grep -q '^KERNEL-FAULT' evidence/report.txt
	like "$1: JSON" "$(cat report.json)" '"verdict": "KERNEL-FAULT"'
	if [ -w /proc/sysrq-trigger ]; then
		ok "$1: the kernel's tasks in its log" grep -qi 'sysrq.*show' evidence/kernel-log*.txt
	else
		skip "$1: the kernel's tasks in its log" "no SysRq here"
		like "$1: that there is no SysRq is said" "$(cat out.txt)" 'no SysRq'
	fi
}

# A daemon that answers nobody.
run_background --duration 300s --size 32M --no-neighbour --hang-after 10s --output evidence
kill -STOP "$daemon_pid"
run_wait
is "daemon stopped: exit 4" "$run_status" 4
evidence_check "daemon stopped" "worker [0-9]+"
clean "daemon stopped"

# A device that answers nobody: its image is a file of a filesystem whose daemon is stopped. Whoever
# reads it waits in the kernel, where no signal reaches.
outer=$tap_tmp/outer
mkdir "$outer"
truncate -s 160M "$tap_tmp/outer.img"
mkfs.churnfs --quiet "$tap_tmp/outer.img"
churnfs -f "$tap_tmp/outer.img" "$outer" &
outer_pid=$!
tap_cleanup() {
	kill -CONT "$outer_pid" 2>/dev/null
	hung_task_back
	[ -n "${run_pid:-}" ] && kill -9 "$run_pid" 2>/dev/null
	[ -n "${device:-}" ] && losetup -d "$device" 2>/dev/null
	umount "$outer" 2>/dev/null || umount -l "$outer" 2>/dev/null
	cd /
}
await mountpoint -q "$outer"

hung_task=/proc/sys/kernel/hung_task
hung_task_timeout='' hung_task_warnings=''

# hung_task_set SECONDS: how long a task waits before the kernel logs it.
hung_task_set() {
	hung_task_timeout=$(cat "${hung_task}_timeout_secs")
	hung_task_warnings=$(cat "${hung_task}_warnings")
	echo 10 >"${hung_task}_warnings"
	echo "$1" >"${hung_task}_timeout_secs"
}

hung_task_back() {
	[ -n "$hung_task_timeout" ] || return 0
	echo "$hung_task_timeout" >"${hung_task}_timeout_secs"
	echo "$hung_task_warnings" >"${hung_task}_warnings"
}

sampled() {
	grep -q '"event":"sample"' timeline.jsonl
}

# device_stopped NAME WHEN [ARG...]: the device stops as soon as WHEN is true.
device_stopped() {
	rm -rf "$outer/image" timeline.jsonl evidence report.json
	truncate -s 96M "$outer/image"
	device=$(losetup -f --show "$outer/image")
	run_begin --duration 300s --device "$device" --reserve-head 32M --hang-after 10s \
		--output evidence --timeline timeline.jsonl "${@:3}"
	await "$2" 2>/dev/null
	kill -STOP "$outer_pid"
	run_wait
	is "$1: exit 4" "$run_status" 4
	ok "$1: its threads are there still" test -d "/proc/$work_pid/task"
	evidence_check "$1" ".*"
	kill -CONT "$outer_pid"
	ok "$1: they end when they can" await not test -d "/proc/$work_pid"
	# The guardian, which waited for the device, too, may still be at it.
	losetup -d "$device"
	ok "$1: nobody uses it any more" await device_free
	clean "$1"
}

device_free() {
	! losetup "$device" >/dev/null 2>&1
}

device_stopped "device stopped while setting up" neighbour_find
device_stopped "device stopped" sampled --hurry 20

# The kernel says so first, when told to look so often. Its word is kept at once, with what there was
# before; the hang adds to it.
if [ ! -w "${hung_task}_timeout_secs" ]; then
	skip "kernel speaks" "this kernel does not look for hung tasks"
elif [ "$(cat "${hung_task}_panic")" != 0 ]; then
	skip "kernel speaks" "this kernel would panic (hung_task_panic)"
else
	hung_task_set 3
	device_stopped "kernel speaks" sampled --hurry 6
	hung_task_back
	ok "kernel speaks: its log" grep -q 'blocked for more than 3 seconds' evidence/kernel-log.txt
	ok "kernel speaks: counters" test -s evidence/vmstat.txt
	like "kernel speaks: the mail has what followed, too" "$(churnstress report evidence)" \
		"^kernel-log-later.txt"
fi
ok "device stopped: nobody uses the file either" await umount "$outer"
tap_done
