#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Devices and images that cannot be mounted: one clear line, exit 2, and nothing is written.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/mount/lib.sh" || exit 99

# refused NAME REGEX [ARG...]: mounting fails with one matching line; the device stays as it is.
refused() {
	sum=$(sha256sum <"$disk")
	timeout 20 churnfs ${3:+"${@:3}"} "$disk" "$mnt" >out.txt 2>&1
	is "$1: exit 2" "$?" 2
	is "$1: one line" "$(wc -l <out.txt)" 1
	like "$1: says why" "$(cat out.txt)" "$2"
	is "$1: nothing is written" "$(sha256sum <"$disk")" "$sum"
	ok "$1: nothing is mounted" test "$(stat -c %d "$mnt")" = "$(stat -c %d "$tap_tmp")"
}

# poke BLOCK OFFSET BYTES: overwrites bytes of a 1 KiB block.
poke() {
	printf '%b' "$3" | dd of="$disk" bs=1 seek=$(($1 * 1024 + $2)) conv=notrunc,fsync status=none
}

refused "empty device" 'no churnfs'
mke2fs -q -F "$disk"
refused "another filesystem" 'no churnfs'
dd if=/dev/zero of="$disk" bs=1M count=64 status=none

mkfs.churnfs --quiet --force -b 1024 "$disk"
poke 0 200 '\xff'
like "damaged superblock: the copy is used, and said" "$(mount_it 2>&1)" 'copy'
ok "damaged superblock: mounted" mountpoint -q "$mnt"
ok "damaged superblock: usable" mkdir "$mnt/dir"
unmount_it
is "damaged superblock: mended at unmount" "$(mount_it 2>&1)" ""
ok "damaged superblock: what was made is there" test -d "$mnt/dir"
unmount_it

groups=$(dump.churnfs super "$disk" | sed -n 's/^group.count[^0-9]*\([0-9]*\).*/\1/p')
per_group=$(dump.churnfs super "$disk" | sed -n 's/^blocks.per.group[^0-9]*\([0-9]*\).*/\1/p')
ok "geometry is dumped" test -n "$groups" -a -n "$per_group"
group=0
while [ "$group" -lt "${groups:-0}" ]; do
	poke $((group * per_group)) 200 '\xff\xfe\xfd'
	group=$((group + 1))
done
refused "every copy damaged" 'superblock'

mkfs.churnfs --quiet --force -b 1024 "$disk"
poke 5 300 '\xa5'
refused "damaged inode table" 'block 5 .*inode table'

mkfs.churnfs --quiet --force -b 1024 "$disk"
losetup -d "$disk"
truncate -s 20M image
disk=$(losetup -f --show "$tap_tmp/image")
refused "truncated image" 'truncated|shorter'
losetup -d "$disk"
truncate -s 64M image
disk=$(losetup -f --show "$tap_tmp/image")

mkfs.churnfs --quiet --force -b 1024 "$disk"
mount_it
churnfs "$disk" "$mnt" >out.txt 2>&1
is "mounted twice: exit 2" "$?" 2
like "mounted twice: says why" "$(cat out.txt)" 'in use|busy'
unmount_it
churnfs -o backend=tape "$disk" "$mnt" >out.txt 2>&1
is "bad back end: exit 1" "$?" 1
like "bad back end: says why" "$(cat out.txt)" 'backend'
churnfs "$disk" /no/such/folder >out.txt 2>&1
is "no mount point: exit 2" "$?" 2
like "no mount point: says why" "$(cat out.txt)" '/no/such/folder'
churnfs /dev/no-such-device "$mnt" >out.txt 2>&1
is "no device: exit 2" "$?" 2
like "no device: says why" "$(cat out.txt)" '/dev/no-such-device'
churnfs >out.txt 2>&1
is "no arguments: exit 1" "$?" 1
unshare -m --propagation private sh -c 'mount -t tmpfs t /dev && exec "$@"' sh \
	churnfs "$tap_tmp/image" "$mnt" >out.txt 2>&1
is "no /dev/fuse: exit 2" "$?" 2
like "no /dev/fuse: says why" "$(cat out.txt)" '/dev/fuse'
tap_done
