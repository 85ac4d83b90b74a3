#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files, directories, links and attributes through a real mount, with every back end.
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/mount/lib.sh" || exit 99

tree=$top/src

use() {
	name=$1
	ok "$name: mkfs" mkfs.churnfs --quiet --force -b "$2" "$disk"
	ok "$name: mount" mount_it -o "backend=$1"
	ok "$name: copy a tree" cp -a "$tree" "$mnt/tree"
	ok "$name: the copy is the same" diff -r "$tree" "$mnt/tree"
	ok "$name: attributes are the same" test \
		"$(cd "$tree" && find . -type f -printf '%P %m %s %T@\n' | sort)" = \
		"$(cd "$mnt/tree" && find . -type f -printf '%P %m %s %T@\n' | sort)"
	ok "$name: hard link" ln "$mnt/tree/util/log.c" "$mnt/hard"
	is "$name: link count" "$(stat -c %h "$mnt/hard")" 2
	ok "$name: symbolic link" ln -s "$(printf 'x%.0s' $(seq 1 900))" "$mnt/soft"
	is "$name: its target" "$(readlink "$mnt/soft" | wc -c)" 901
	cp "$tree/util/log.h" "$mnt/other"
	ok "$name: rename over" mv -T "$mnt/hard" "$mnt/other"
	ok "$name: the other is replaced" cmp "$mnt/other" "$tree/util/log.c"
	rm "$mnt/other"
	head -c 3000000 /dev/urandom >big
	ok "$name: write 3 MB" cp big "$mnt/big"
	ok "$name: sparse write" dd if=big of="$mnt/big" bs=1000 seek=9000 count=7 conv=notrunc,fsync
	dd if=big of=big bs=1000 seek=9000 count=7 conv=notrunc 2>/dev/null
	ok "$name: read it back" cmp big "$mnt/big"
	ok "$name: truncate" truncate -s 1234567 "$mnt/big"
	truncate -s 1234567 big
	ok "$name: read it back" cmp big "$mnt/big"
	exec 5<"$mnt/big"
	ok "$name: unlink while open" rm "$mnt/big"
	ok "$name: still readable" cmp big - <&5
	exec 5<&-
	ok "$name: unmount" unmount_it
	ok "$name: mount again" mount_it -o "backend=$1"
	ok "$name: all is still there" diff -r "$tree" "$mnt/tree"
	used=$(df --output=iused "$mnt" | tail -n 1)
	ok "$name: remove everything" rm -r "$mnt/tree" "$mnt/soft"
	ok "$name: inodes are free again" test "$(df --output=iused "$mnt" | tail -n 1)" -lt "$used"
	ok "$name: unmount" unmount_it
	ok "$name: dump finds no damage" dump.churnfs tree "$disk"
}

use auto 1024
use pread 2048
use mmap 4096

ok "full: mkfs" mkfs.churnfs --quiet --force "$disk"
ok "full: mount" mount_it
dd if=/dev/zero of="$mnt/fill" bs=1M 2>err.txt
like "full: No space left on device" "$(cat err.txt)" 'No space left on device'
ok "full: the rest can be removed" rm "$mnt/fill"
ok "full: and used again" dd if=/dev/zero of="$mnt/again" bs=1M count=30
ok "full: unmount" unmount_it

ok "killed: mount" mount_it
ok "killed: write" cp -a "$tree" "$mnt/tree"
exec 5>"$mnt/orphan"
head -c 100000 /dev/zero >&5
rm "$mnt/orphan"
pkill -9 -f "churnfs .*$mnt"
exec 5>&-
umount -l "$mnt"
sleep 0.3
ok "killed: mount again" mount_it
ok "killed: the tree is whole" diff -r "$tree" "$mnt/tree"
ok "killed: unmount" unmount_it
ok "killed: dump finds no damage" dump.churnfs tree "$disk"
tap_done
