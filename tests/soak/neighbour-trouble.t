#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A neighbour that cannot be mounted, runs full, or is turned read-only by an error: one line that
# says so, the right exit code, and nothing left behind.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99
need_command mke2fs e2fsck nsenter

# Runs a command where the run's own mounts are seen.
inside() {
	nsenter --mount="/proc/$work_pid/ns/mnt" -- "$@"
}

# neighbour_run ARG...: sets $mounted and $device, and waits until the neighbour is at work.
neighbour_run() {
	run_background --duration 60s --size 32M --reserve-head 32M "$@"
	await neighbour_find
	sleep 2
}

last() {
	tail -n 1 out.txt
}

if grep -qw minix /proc/filesystems || ! command -v mkfs.minix >/dev/null; then
	skip "unmountable: exit 2" "this kernel has minix, or there is no mkfs.minix"
else
	run "unmountable" 2 --duration 5s --size 32M --neighbour any:minix
	like "unmountable: what to do" "$(last)" 'this kernel has no minix: choose another --neighbour'
	clean "unmountable"
fi

# A filesystem of which nothing is known: another's file must not count as damage.
neighbour_run --neighbour any:ext3
inside dd if=/dev/zero of="$mounted/fill" bs=64k >/dev/null 2>&1
run_wait
is "full: exit 2" "$run_status" 2
like "full: what to do" "$(last)" '^ERROR: neighbour .*: it is full: use a larger --reserve-head'
clean "full"

neighbour_run
trigger=/sys/fs/ext4/${device##*/}/trigger_fs_error
if [ -w "$trigger" ]; then
	echo 1 >"$trigger"
	run_wait
	is "an error of the filesystem: exit 4" "$run_status" 4
	like "an error of the filesystem: the reason" "$(last)" \
		'^KERNEL-FAULT: .*(read-only after an error|EXT4-fs error|error)'
else
	kill -9 "$run_pid"
	run_wait
	skip "an error of the filesystem: exit 4" "this kernel cannot make one on request"
fi
clean "an error of the filesystem"
tap_done
