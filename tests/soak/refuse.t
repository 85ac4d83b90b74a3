#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input and poor surroundings: one clear line, exit 2, nothing touched.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

# refused NAME REGEX ARG...: churnstress run ARG... ends with 2 and a single matching line.
refused() {
	refused_name=$1
	refused_line=$2
	shift 2
	"$@" >out.txt 2>&1
	is "$refused_name: exit 2" "$?" 2
	is "$refused_name: one line" "$(wc -l <out.txt)" 1
	like "$refused_name: says why" "$(cat out.txt)" "$refused_line"
}

# In a mount namespace where something is missing.
without() {
	unshare -m --propagation private sh -c "$1; shift; exec \"\$@\"" sh "$@"
}

truncate -s 64M disk
disk=$(losetup -f --show disk)
tap_cleanup() {
	umount "$tap_tmp/mnt" 2>/dev/null
	losetup -d "$disk" 2>/dev/null
	cd /
}

mke2fs -q -F -t ext4 "$disk"
sum=$(sha256sum <disk)
refused "known signature" 'holds a ext4 signature: use --force' churnstress run --device "$disk"
is "known signature: untouched" "$(sha256sum <disk)" "$sum"

mkdir mnt
mount "$disk" mnt
refused "mounted" 'mounted or in use.*: unmount it' churnstress run --device "$disk"
refused "mounted, forced" 'mounted or in use' churnstress run --device "$disk" --force
umount mnt

# Zeroed in place: unlinking the file would not detach it.
dd if=/dev/zero of="$disk" bs=1M count=64 status=none
losetup -d "$disk"
truncate -s 64K disk
disk=$(losetup -f --show disk)
churnstress run --device "$disk" >out.txt 2>&1
is "too small: exit 2" "$?" 2
like "too small: says why" "$(cat out.txt)" 'too small'

refused "not a block device" 'not a block device' churnstress run --device /etc/passwd
refused "no such device" 'No such file' churnstress run --device /dev/no-such-device
refused "no such option" 'expected a number from 1' churnstress run --workers 0
refused "not so often" 'expected a number from 1 to 1000' churnstress run --hurry 1001
refused "bad size" 'expected 16M to 64G' churnstress run --size 1
refused "bad duration" 'expected at least 1s' churnstress run --duration soon
refused "bad fault" 'expected stale, bitflip' churnstress run --inject gremlin
refused "no neighbour to put apart" "there is no neighbour" \
	churnstress run --no-neighbour --neighbour-apart
refused "unknown driver" "unknown migration driver 'warp'" churnstress run --migrate warp
refused "no such folder" 'No such file' churnstress run --image-dir /no/such/folder

mkdir small
refused "no space for the image" 'cannot make an image of 192 MiB .*No space.*use --image-dir' \
	without "mount -t tmpfs -o size=1m t '$tap_tmp/small'" \
	churnstress run --image-dir "$tap_tmp/small"
refused "no /dev/fuse" 'cannot use /dev/fuse' \
	without 'mount -t tmpfs t /dev' churnstress run
refused "no compaction" 'this kernel has no compaction' \
	without 'mount -t tmpfs t /proc/sys/vm' churnstress run --migrate compact
if command -v setpriv >/dev/null && chmod 755 "$tap_tmp" &&
	setpriv --reuid=65534 --regid=65534 --clear-groups churnstress run --help >/dev/null 2>&1; then
	refused "not root" 'needs root' \
		setpriv --reuid=65534 --regid=65534 --clear-groups churnstress run
else
	skip "not root" "another user cannot run the program here"
fi
clean "refusals"

# What the second would note as the machine's settings are those of the first.
run_background --duration 120s --size 32M --no-neighbour
refused "a second run" 'another churnstress migrates on this machine: wait for its end' \
	churnstress run --size 32M
churnstress run --size 32M --duration 5s --migrate none --no-neighbour >out.txt 2>&1
is "a second run without migration: it goes on" "$?" 3
kill -INT "$run_pid"
run_wait
is "the first run: as if it had been alone" "$run_status" 3
clean "two runs"

# lib.sh's own: a deadlock of the kernel is told from the waits of threads that get on.
stack() {
	mkdir -p "proc/$1/task/$1"
	printf '[<0>] %s+0x10/0x20\n' "${@:2}" >"proc/$1/task/$1/stack"
}
stack 1 __folio_lock __find_get_block_slow bdev_getblk __ext4_get_inode_loc ext4_setattr
stack 2 __folio_lock block_write_begin
stack 3 __lock_buffer ext4_read_bh
fails "one side waits: no deadlock" 1 kernel_deadlocked proc
stack 4 __lock_buffer block_read_full_folio_other blkdev_read_iter
fails "another function: no deadlock" 1 kernel_deadlocked proc
stack 4 __lock_buffer block_read_full_folio filemap_read_folio blkdev_read_iter
ok "both sides wait: a deadlock" kernel_deadlocked proc
fails "this machine has none" 1 kernel_deadlocked
tap_done
