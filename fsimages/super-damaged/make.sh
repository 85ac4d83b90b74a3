#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: make.sh IMAGE. The primary superblock has a flipped byte; the copy in group 1 is good.
set -eu
image=$1
truncate -s 9M "$image"
mkfs.churnfs --quiet -b 1024 -L damaged -U 00112233-4455-6677-8899-aabbccddee00 -N 64 "$image"
printf '\377' | dd of="$image" bs=1 seek=200 conv=notrunc status=none
