#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkfs.churnfs on image files: what it makes, and that it leaves alone what it must.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"
mkfs=${MKFS:-mkfs.churnfs}
dump=${DUMP:-dump.churnfs}

img=$tap_tmp/img

fresh() {
	rm -f "$img"
	truncate -s "$1" "$img"
}

sum() {
	cksum <"$1"
}

# head_sum FILE BYTES
head_sum() {
	head -c "$2" "$1" | cksum
}

# unchanged NAME STATUS COMMAND...: it must end with that status and leave the image as it is.
unchanged() {
	before=$(sum "$img")
	fails "$@"
	is "$1: nothing was touched" "$(sum "$img")" "$before"
}

# field NAME: a line of the superblock's dump.
field() {
	"$dump" "$img" | sed -n "s/^$1: //p"
}

for bs in 1024 2048 4096; do
	fresh 16M
	ok "blocks of $bs" "$mkfs" -b $bs "$img"
	ok "blocks of $bs: dump finds no fault" "$dump" "$img"
	ok "blocks of $bs: groups are in order" "$dump" groups "$img"
	ok "blocks of $bs: tree is in order" "$dump" tree "$img"
	is "blocks of $bs: recorded" "$(field 'block size')" $bs

	fresh $((137 * bs))
	ok "the least size with blocks of $bs" "$mkfs" -q -b $bs "$img"
	ok "the least size with blocks of $bs: in order" "$dump" groups "$img"
	fresh $((137 * bs - 1))
	unchanged "one byte less with blocks of $bs" 2 "$mkfs" -b $bs "$img"
done

fresh 16M
"$mkfs" -q "$img"
is "the default is blocks of 4096" "$(field 'block size')" 4096
is "a new filesystem is clean" "$(field state)" clean
is "it is owned by who made it" "$("$dump" inode 1 "$img" | sed -n 's/^uid: //p')" "$(id -u)"
is "its root has mode 755" "$("$dump" inode 1 "$img" | sed -n 's/^mode: //p')" 040755
first=$(field uuid)
"$mkfs" -q --force "$img"
ok "the uuid is a new one each time" [ "$first" != "$(field uuid)" ]

fresh 16M
uuid=01234567-89ab-4cde-8f01-23456789abcd
ok "label, uuid, inodes" "$mkfs" -L 'big – red' -U $uuid -N 100 -b 1K "$img"
is "the label" "$(field label)" 'big – red'
is "the uuid" "$(field uuid)" $uuid
ok "at least so many inodes" [ "$(($(field 'group count') * $(field 'inodes per group')))" -ge 100 ]
ok "-q prints nothing" [ -z "$("$mkfs" -q -f "$img" 2>&1)" ]

# A size that is no multiple of the block size: the rest stays unused.
fresh $((16 * 1024 * 1024 + 3000))
ok "an odd size" "$mkfs" -q -b 2K "$img"
is "an odd size: whole blocks only" "$(field 'total blocks')" 8193
ok "an odd size: found again" "$dump" groups "$img"

# Old traces: what lay there before must not be found any more.
fresh 32M
"$mkfs" -q -b 1K "$img"
ok "over an older one" "$mkfs" -q -f -b 4K "$img"
is "over an older one: the new is found" "$(field 'block size')" 4096
ok "over an older one: in order" "$dump" groups "$img"

# The head belongs to someone else.
fresh 24M
yes 'this is not ours' | head -c 8M | dd of="$img" conv=notrunc status=none
before=$(head_sum "$img" 8388608)
ok "a reserved head" "$mkfs" --reserve-head 8M "$img"
is "a reserved head is not written" "$(head_sum "$img" 8388608)" "$before"
is "a reserved head: first block" "$(field 'first block')" 2048
is "a reserved head: feature" "$(field compat)" 0x00000001
ok "a reserved head: in order" "$dump" groups "$img"
ok "a reserved head, again, forced" "$mkfs" -f -q --reserve-head 8M -b 1K "$img"
is "a reserved head is not written by force" "$(head_sum "$img" 8388608)" "$before"

# Usage.
fresh 16M
unchanged "no such block size" 1 "$mkfs" -b 8192 "$img"
unchanged "a block size that is none" 1 "$mkfs" -b x "$img"
unchanged "a label of 33 bytes" 1 "$mkfs" -L 123456789012345678901234567890123 "$img"
ok "a label of 32 bytes" "$mkfs" -q -L 12345678901234567890123456789012 "$img"
is "a label of 32 bytes is kept" "$(field label)" 12345678901234567890123456789012
fresh 16M
unchanged "a label with a control character" 1 "$mkfs" -L "$(printf 'a\033b')" "$img"
unchanged "a label that is not UTF-8" 1 "$mkfs" -L "$(printf 'a\377')" "$img"
unchanged "a bad uuid" 1 "$mkfs" -U 0123 "$img"
unchanged "the nil uuid" 1 "$mkfs" -U 00000000-0000-0000-0000-000000000000 "$img"
unchanged "no inodes" 1 "$mkfs" -N 0 "$img"
unchanged "a negative number of inodes" 1 "$mkfs" -N -1 "$img"
unchanged "an odd head" 1 "$mkfs" --reserve-head 1000 "$img"
unchanged "two devices" 1 "$mkfs" "$img" "$img"
unchanged "an unknown option" 1 "$mkfs" --nonsense "$img"
fails "no device" 1 "$mkfs"
ok "--help" "$mkfs" --help

# Devices that cannot be used.
unchanged "too many inodes" 2 "$mkfs" -N 100000000 "$img"
unchanged "more inodes than there are numbers" 2 "$mkfs" -N 99999999999 "$img"
unchanged "a head as large as the device" 2 "$mkfs" --reserve-head 16M "$img"
unchanged "a head larger than the device" 2 "$mkfs" --reserve-head 1T "$img"
fails "no such file" 2 "$mkfs" "$tap_tmp/nothing"
ok "no such file: none was made" [ ! -e "$tap_tmp/nothing" ]
fails "a folder" 2 "$mkfs" "$tap_tmp"
fails "a character device" 2 "$mkfs" /dev/null
fresh 0
unchanged "an empty file" 2 "$mkfs" "$img"
is "one line for an error" "$("$mkfs" "$img" 2>&1 | wc -l)" 1
tap_done
