# SPDX-License-Identifier: GPL-2.0-or-later
# For tests that mount churnfs: ". tests/mount/lib.sh" after tests/tap.sh. $disk is a fresh loop
# device of 64 MiB on $tap_tmp/image, $mnt an empty folder.
# shellcheck shell=bash

need_root
need_fuse
need_loop
top=$(readlink -f "${top_srcdir:-.}")
cd "$tap_tmp" || exit 99
mnt=$tap_tmp/mnt
mkdir "$mnt"
truncate -s 64M image
disk=$(losetup -f --show "$tap_tmp/image") || exit 99

tap_cleanup() {
	umount -l "$mnt" 2>/dev/null
	losetup -d "$disk" 2>/dev/null
	cd /
}

# The daemon goes into the background once it has mounted.
mount_it() {
	churnfs "$@" "$disk" "$mnt"
}

# Unmounted means that the daemon has ended too, and has let go of the device.
unmount_it() {
	umount "$mnt" || return 1
	await not pgrep -f "churnfs.*$mnt" >/dev/null
}
