#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Fails when a file under src/ includes a header of a folder that its own folder may not use.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"

layers='util ondisk blkdev integrity journal meta fs fuse'

# Folders whose headers the files of folder $1 may include.
allowed() {
	case $1 in
	mkfs | dump) echo "util ondisk blkdev integrity journal meta $1" ;;
	soak) echo "util ondisk blkdev integrity $1" ;;
	*)
		for layer in $layers; do
			printf '%s ' "$layer"
			[ "$layer" != "$1" ] || return 0
		done
		echo unknown
		;;
	esac
}

# Prints "FILE includes HEADER" for every forbidden include of folder $2 in the tree at $1.
violations() {
	find "$1/$2" -name '*.[ch]' | sort | while read -r file; do
		sed -n 's,^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*,\1,p' "$file" |
			while read -r header; do
				case " $3 config.h/ " in
				*" ${header%%/*} "*) [ "$header" = "${header#*..}" ] && continue ;;
				esac
				[ "$header" = config.h ] || echo "${file#"$1"/} includes $header"
			done
	done
}

check_folder() {
	permitted=$(allowed "$2")
	case $permitted in
	*unknown*) echo "src/$2 is in no layer: add it to tests/layers.t" && return 1 ;;
	esac
	found=$(violations "$1" "$2" "$permitted")
	[ -z "$found" ] || { echo "$found" && return 1; }
}

src=${top_srcdir:-.}/src
for folder in "$src"/*/; do
	folder=$(basename "$folder")
	[ -n "$(find "$src/$folder" -name '*.[ch]')" ] || continue
	ok "src/$folder includes only what it may" check_folder "$src" "$folder"
done

# The check itself: each of these must be found.
bad=$tap_tmp/src
mkdir -p "$bad/util" "$bad/meta" "$bad/soak" "$bad/mkfs" "$bad/fuse" "$bad/stray"
echo '#include "meta/dir.h"' >"$bad/util/up.c"
fails "an upward include is found" 1 check_folder "$bad" util
printf '#include "meta/dir.h"\n\t#  include  "fs/namei.h"\n' >"$bad/meta/up.h"
fails "an upward include in a header, oddly spaced, is found" 1 check_folder "$bad" meta
echo '#include "journal/txn.h"' >"$bad/soak/txn.c"
fails "soak above layer 3 is found" 1 check_folder "$bad" soak
echo '#include "soak/run.h"' >"$bad/fuse/main.c"
fails "a layer that includes a tool is found" 1 check_folder "$bad" fuse
echo '#include "util/../meta/dir.h"' >"$bad/mkfs/dots.c"
fails "a path with dots is found" 1 check_folder "$bad" mkfs
echo 'int x;' >"$bad/stray/x.c"
fails "a folder in no layer is found" 1 check_folder "$bad" stray
printf '#include "config.h"\n#include <stdio.h>\n#include "util/log.h"\n' >"$bad/mkfs/dots.c"
ok "a good example passes" check_folder "$bad" mkfs
tap_done
