#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: make.sh IMAGE. Every kind of inode, a directory of several blocks, a fragmented file.
set -eu
image=$1
mnt=$(mktemp -d)
truncate -s 2M "$image"
mkfs.churnfs --quiet -b 1024 -L golden -U 00112233-4455-6677-8899-aabbccddeeff "$image"
disk=$(losetup -f --show "$image")
churnfs "$disk" "$mnt"
mkdir "$mnt/many"
i=0
while [ "$i" -lt 60 ]; do
	: >"$mnt/many/file-with-a-rather-long-name-$i"
	i=$((i + 1))
done
printf 'hello\n' >"$mnt/small"
i=0
while [ "$i" -lt 24 ]; do
	printf 'block %2d' "$i" | dd of="$mnt/sparse" bs=1024 seek=$((i * 3)) conv=notrunc status=none
	i=$((i + 1))
done
ln "$mnt/small" "$mnt/hard"
ln -s small "$mnt/soft"
ln -s "$(printf 'x%.0s' $(seq 1 1000))" "$mnt/long"
mkfifo "$mnt/fifo"
umount "$mnt"
while pgrep -f "churnfs $disk" >/dev/null; do sleep 0.1; done
losetup -d "$disk"
rmdir "$mnt"
