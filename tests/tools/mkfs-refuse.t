#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.churnfs refuses a device that holds something or is in use, and overwrites it when forced.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"
mkfs=${MKFS:-mkfs.churnfs}
dump=${DUMP:-dump.churnfs}

img=$tap_tmp/img
loop=

# shellcheck disable=SC2317 # called when the test ends
tap_cleanup() {
	[ -z "$loop" ] || losetup -d "$loop"
}

fresh() {
	rm -f "$img"
	truncate -s "$1" "$img"
}

# refused NAME WORD [OPTION...]: exit 2, WORD in one line of explanation, nothing written.
refused() {
	name=$1
	word=$2
	shift 2
	before=$(cksum <"$img")
	fails "$name is refused" 2 "$mkfs" "$@" "$img"
	like "$name: the message says why" "$("$mkfs" "$@" "$img" 2>&1)" "$word"
	is "$name: nothing was touched" "$(cksum <"$img")" "$before"
}

# forced NAME: --force makes a filesystem that is in order and alone.
forced() {
	ok "$name: forced" "$mkfs" -q --force "$img"
	ok "$name: forced: in order" "$dump" groups "$img"
	if command -v blkid >/dev/null 2>&1; then
		fails "$name: forced: the old signature is gone" 2 blkid -p "$img"
	fi
}

fresh 16M
"$mkfs" -q "$img"
refused "a churnfs" churnfs
forced "a churnfs"

# Either trace of a churnfs is enough.
dd if=/dev/zero of="$img" bs=4096 count=1 conv=notrunc status=none
refused "a churnfs without its superblock" churnfs
fresh 16M
"$mkfs" -q "$img"
truncate -s 20M "$img"
refused "a churnfs without its locator" churnfs
fresh 16M
"$mkfs" -q --reserve-head 8M "$img"
refused "a churnfs behind a head" churnfs
refused "a churnfs behind the same head" churnfs --reserve-head 8M

if command -v mke2fs >/dev/null 2>&1; then
	fresh 16M
	mke2fs -q -F -b 1024 "$img"
	refused "an ext2" ext2
	forced "an ext2"
	for bs in 1K 2K 4K; do
		fresh 16M
		mke2fs -q -F -b 4096 "$img"
		ok "an ext2, forced with blocks of $bs" "$mkfs" -q -f -b $bs "$img"
		ok "an ext2, forced with blocks of $bs: in order" "$dump" groups "$img"
	done

	# In the head it may stay; behind the head it may not.
	fresh 24M
	mke2fs -q -F "$img" 8M
	before=$(head -c 8M "$img" | cksum)
	ok "an ext2 in the head does not matter" "$mkfs" -q --reserve-head 8M "$img"
	is "an ext2 in the head is untouched" "$(head -c 8M "$img" | cksum)" "$before"
	ok "an ext2 in the head: forced" "$mkfs" -q -f --reserve-head 8M "$img"
	is "an ext2 in the head is untouched by force" "$(head -c 8M "$img" | cksum)" "$before"
	if command -v e2fsck >/dev/null 2>&1; then
		ok "an ext2 in the head is whole" e2fsck -fn "$img"
	fi
	fresh 24M
	mke2fs -q -F -E offset=8388608 "$img" 8M
	refused "an ext2 behind the head" ext2 --reserve-head 8M
else
	skip "ext2 signatures" "needs mke2fs"
fi

if command -v mkswap >/dev/null 2>&1; then
	fresh 16M
	mkswap "$img" >/dev/null 2>&1
	refused "a swap area" swap
	forced "a swap area"
else
	skip "a swap area" "needs mkswap"
fi

if command -v sfdisk >/dev/null 2>&1; then
	fresh 16M
	# Nor does it call sync(2) then, which waits for every device of the machine.
	echo 'label: gpt' | sfdisk --no-tell-kernel -q "$img" >/dev/null 2>&1
	refused "a partition table" gpt
	forced "a partition table"
else
	skip "a partition table" "needs sfdisk"
fi

if [ "$(id -u)" -eq 0 ]; then
	fresh 16M
	chmod 400 "$img"
	skip "an image without permission" "root may do everything"
else
	fresh 16M
	chmod 400 "$img"
	refused "an image without permission" permission
fi

# In use means no, whatever is forced.
fresh 16M
chmod 600 "$img"
exec 9<"$img"
if flock 9; then
	refused "an image that a daemon serves" "in use"
	refused "an image that a daemon serves, forced," "in use" --force
else
	skip "an image that a daemon serves" "needs flock"
fi
exec 9<&-
if [ "$(id -u)" -eq 0 ] && loop=$(losetup -f --show "$img" 2>/dev/null); then
	refused "an image behind a loop device" loop
	refused "an image behind a loop device, forced," loop --force
	ok "the loop device itself is not in use" "$mkfs" -q "$loop"
	if command -v mke2fs >/dev/null 2>&1 && mke2fs -q -F "$loop" &&
		mkdir "$tap_tmp/mnt" && mount -t ext2 "$loop" "$tap_tmp/mnt"; then
		fails "a mounted device is refused" 2 "$mkfs" "$loop"
		fails "a mounted device is refused, forced" 2 "$mkfs" --force "$loop"
		ok "a mounted device works on" touch "$tap_tmp/mnt/file"
		umount "$tap_tmp/mnt"
	else
		skip "a mounted device is refused" "nothing can be mounted here"
	fi
else
	loop=
	skip "an image behind a loop device" "needs root and a loop device"
fi
tap_done
