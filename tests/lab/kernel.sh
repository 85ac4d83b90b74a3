#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kernel.sh NAME...
#
# Builds the kernels of the matrix's rows NAME, each from Debian's
# linux-source-6.1, config.fragment and the row's patch, and prints for each
# the folder that holds bzImage, System.map, config and build.log.
#
# One source tree in the cache serves all rows: the patch goes in, an
# incremental make runs, the image is copied out, the patch comes off.  A
# kernel is named by the hash of all that it is made from, so that a second
# call only prints the folder.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly PACKAGE=linux-source-6.1
readonly TARBALL=/usr/src/$PACKAGE.tar.xz
readonly APPLIED=.lab-applied
export ARCH=x86_64 KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab
# Under make lab, that make's flags and variables are not the kernel's.
unset MAKEFLAGS MFLAGS MAKELEVEL

check_tools() {
	lab_need "$TARBALL=$PACKAGE" gcc=gcc make=make patch=patch flex=flex bison=bison \
		bc=bc xz=xz-utils flock=util-linux /usr/include/libelf.h=libelf-dev \
		/usr/include/openssl/ssl.h=libssl-dev
}

source_version() {
	dpkg-query -W -f '${Version}' "$PACKAGE"
}

patch_of() {
	local row change

	row=$(lab_row "$1") || lab_die "$1: no such row in the matrix"
	read -r _ _ change _ <<<"$row"
	[[ $change == - ]] || echo "$LAB_DIR/mutants/$change"
}

options() {
	grep -E '^(# )?CONFIG_' "$LAB_DIR/config.fragment"
}

# Prints the folder of kernel $1 with patch $2 (may be empty).  Comments of the
# fragment and the head of the patch do not count.
kernel_folder() {
	local key

	key=$({
		source_version
		gcc -dumpfullversion
		options
		[[ -z $2 ]] || sed -n '/^--- /,$p' "$2"
	} | lab_hash)
	echo "$LAB_CACHE/kernels/$1-$key"
}

# Unpacks to a name of its own first: an interrupted unpack leaves no tree that
# looks whole.  amdgpu's headers are a quarter of the source and never built.
unpack_source() {
	local tree=$1 new=$1.new

	[[ -d $tree ]] && return
	lab_say "unpacking $TARBALL"
	rm -rf "$new"
	mkdir -p "$new"
	tar -C "$new" --strip-components=1 -xJf "$TARBALL" \
		--exclude='*/drivers/gpu/drm/amd/include/*'
	mv "$new" "$tree"
}

# A build that was killed leaves its patch in the tree, or just not yet.
restore_source() {
	local tree=$1

	[[ -e $tree/$APPLIED ]] || return 0
	if patch -f -s -R -p1 --dry-run -d "$tree" -i "$APPLIED" >/dev/null; then
		patch -f -s -R -p1 -d "$tree" -i "$APPLIED"
	elif ! patch -f -s -p1 --dry-run -d "$tree" -i "$APPLIED" >/dev/null; then
		lab_say "the source tree cannot be restored: starting from nothing"
		rm -rf "$tree"
		unpack_source "$tree"
		return
	fi
	rm "$tree/$APPLIED"
}

# Fails when kconfig dropped an option that the fragment asks for.
check_config() {
	local config=$1 line name bad=0

	while read -r line; do
		case $line in
		CONFIG_*=*) grep -qxF "$line" "$config" || { lab_say "kconfig dropped $line"; bad=1; } ;;
		'# CONFIG_'*' is not set')
			name=${line#\# }
			name=${name%% *}
			grep -q "^$name=" "$config" && { lab_say "kconfig set $name"; bad=1; }
			;;
		esac
	done <"$LAB_DIR/config.fragment"
	[[ $bad -eq 0 ]]
}

# Configures once per fragment: olddefconfig touches files that make looks at.
configure_source() {
	local tree=$1 stamp

	stamp=$(options | lab_hash)
	[[ -e $tree/.lab-configured-$stamp ]] && return
	make -s -C "$tree" tinyconfig >/dev/null
	(cd "$tree" && scripts/kconfig/merge_config.sh -m .config "$LAB_DIR/config.fragment") >/dev/null
	make -s -C "$tree" olddefconfig
	check_config "$tree/.config" || lab_die "config.fragment does not fit this source"
	rm -f "$tree"/.lab-configured-*
	touch "$tree/.lab-configured-$stamp"
}

# Builds kernel $1 with patch $2 into folder $3, under the lock of the tree.
build_kernel() {
	local name=$1 change=$2 out=$3 tree=$LAB_CACHE/source-$4 rc=0

	unpack_source "$tree"
	restore_source "$tree"
	configure_source "$tree"
	rm -rf "$out.new"
	mkdir -p "$out.new"
	if [[ -n $change ]]; then
		patch -f -s -p1 --dry-run -d "$tree" -i "$change" >&2 || lab_die "$change does not apply"
		cp "$change" "$tree/$APPLIED"
		patch -f -s -p1 -d "$tree" -i "$change"
	fi
	lab_say "building $name"
	make -s -C "$tree" -j"${CHURNFS_LAB_JOBS:-$(nproc)}" LOCALVERSION="-lab-$name" bzImage \
		>"$out.new/build.log" 2>&1 || rc=$?
	if [[ $rc -eq 0 ]]; then
		cp "$tree/arch/x86/boot/bzImage" "$tree/System.map" "$out.new/"
		cp "$tree/.config" "$out.new/config"
	fi
	restore_source "$tree"
	[[ $rc -eq 0 ]] || lab_die "$name does not build, see $out.new/build.log"
	rm -rf "$out"
	mv "$out.new" "$out"
}

main() {
	local name change out

	[[ $# -gt 0 ]] || lab_die "usage: kernel.sh NAME..."
	check_tools
	mkdir -p "$LAB_CACHE/kernels"
	exec 9>"$LAB_CACHE/lock"
	for name in "$@"; do
		change=$(patch_of "$name")
		out=$(kernel_folder "$name" "$change")
		if [[ ! -e $out/bzImage ]]; then
			flock 9
			[[ -e $out/bzImage ]] || build_kernel "$name" "$change" "$out" "$(source_version)"
			flock -u 9
		fi
		echo "$out"
	done
}

main "$@"
