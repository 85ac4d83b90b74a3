#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# initramfs.sh OUT [PROGRAM...]
#
# Writes the guest's initramfs to OUT: busybox and guest-init, and in /usr/bin
# dash, e2fsprogs, fusermount3 when there is one, and each PROGRAM, with the
# shared libraries that they need.  Jobs run in dash, not in busybox's shell,
# which prefers its own mke2fs to the real one whatever PATH says.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly TOOLS=(dash mke2fs e2fsck dumpe2fs debugfs tune2fs)

# Prints the path of a tool that may be outside of a user's PATH.
tool_path() {
	PATH=$PATH:/usr/sbin:/sbin type -P "$1"
}

# Copies library $2 to where it is here.
add_library() {
	local root=$1 library=$2

	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
}

# Copies program $2 to $1/usr/bin, and the libraries that it needs.
add_program() {
	local root=$1 file=$2 library

	[[ -x $file ]] || lab_die "$file: no such program"
	cp -L "$file" "$root/usr/bin/"
	# A static program makes ldd fail, and needs nothing.
	while read -r library; do
		[[ -e $root$library ]] || add_library "$root" "$library"
	done < <(ldd "$file" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' || true)
}

main() {
	local out=${1:?usage: initramfs.sh OUT [PROGRAM...]} root tool link unwinder
	shift

	lab_need busybox=busybox-static dash=dash mke2fs=e2fsprogs cpio=cpio gzip=gzip
	root=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$root'" EXIT
	mkdir -p "$root"/{bin,usr/bin,etc,dev,proc,sys,tmp,out,mnt,root,run,job}
	cp -L "$(tool_path busybox)" "$root/bin/busybox"
	ldd "$root/bin/busybox" >/dev/null 2>&1 && lab_die "busybox is not static: install busybox-static"
	install -m 755 "$LAB_DIR/guest-init" "$root/init"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	for tool in "${TOOLS[@]}"; do
		add_program "$root" "$(tool_path "$tool")"
	done
	for link in mkfs.ext2 mkfs.ext4; do
		ln -s mke2fs "$root/usr/bin/$link"
	done
	cp /etc/mke2fs.conf "$root/etc/"
	if tool=$(tool_path fusermount3); then
		add_program "$root" "$tool"
	fi
	for tool in "$@"; do
		add_program "$root" "$tool"
	done
	# ldd does not know it: glibc loads it when a thread is cancelled.
	unwinder=$("$(tool_path ldconfig)" -p | awk '$1 == "libgcc_s.so.1" && !seen++ { print $NF }')
	[[ -n $unwinder ]] || lab_die "missing packages: libgcc-s1"
	add_library "$root" "$unwinder"
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$out"
}

main "$@"
