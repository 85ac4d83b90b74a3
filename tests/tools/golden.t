#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Golden images: what dump says of images made by earlier versions stays the same.
set -u
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
need_command xz

images=$(readlink -f "${top_srcdir:-.}")/fsimages
cd "$tap_tmp" || exit 99

for case in "$images"/*/; do
	name=$(basename "$case")
	xz -dc "$case/image.xz" >image
	# The first line of expect is the command.
	read -r _ _ command _ <"$case/expect"
	{
		echo "\$ dump.churnfs $command image"
		dump.churnfs "$command" image 2>&1
		echo "exit $?"
	} >found
	ok "$name: dump.churnfs $command" diff -u "$case/expect" found
done
tap_done
