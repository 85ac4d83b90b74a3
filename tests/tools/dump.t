#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# dump.churnfs on a whole image: text, JSON, usage.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"
mkfs=${MKFS:-mkfs.churnfs}
dump=${DUMP:-dump.churnfs}

img=$tap_tmp/img
uuid=01234567-89ab-4cde-8f01-23456789abcd
truncate -s 32M "$img"
"$mkfs" -q -b 1024 -L first -U $uuid --reserve-head 1M "$img"
before=$(cksum <"$img")

ok "super is the default" "$dump" "$img"
is "super is the default: same text" "$("$dump" "$img")" "$("$dump" super "$img")"
super=$("$dump" super "$img")
like "super: uuid" "$super" "^uuid: $uuid$"
like "super: label" "$super" '^label: first$'
like "super: the primary" "$super" 'group 0, block 1024, generation 1, .*state ok'
like "super: a copy" "$super" 'group 1, block 8448, generation 1, .*state ok'
like "super: the locator" "$super" '^  block: 32767$'

like "inode: the root" "$("$dump" inode 1 "$img")" '^type: directory$'
like "inode: a free one" "$("$dump" inode 2 "$img")" '^type: free$'
is "tree: only the root" "$("$dump" tree "$img" | wc -l)" 1
is "groups: one paragraph each" "$("$dump" groups "$img" | grep -c '^group: ')" 5
like "block: type" "$("$dump" block 1026 "$img")" '^  type: block bitmap$'
like "block: state" "$("$dump" block 1026 "$img")" '^  state: ok$'
like "block: stamps" "$("$dump" block 1026 "$img")" 'sector 1, stamp 0x00000001, matches yes'
like "block: bytes" "$("$dump" block 1026 "$img")" '^  0000  .* 43 55 52 4e .*CURN'
like "block: the head" "$("$dump" block 0 "$img")" '^place: reserved head$'
like "block: the journal's room" "$("$dump" block \
	"$(echo "$super" | sed -n 's/^journal start: //p')" "$img")" '^place: journal room$'

# The whole device, block by block, without a complaint.
# shellcheck disable=SC2317 # called by ok
all_blocks() {
	for block in 0 1 1023 1024 1025 1026 1027 1028 1029 8448 8449 15872 32766 32767; do
		"$dump" block "$block" "$img" || return
		"$dump" --json block "$block" "$img" || return
	done
}
ok "block: of every kind" all_blocks

# One interpreter for all: prints "NAME|FOUND|WANTED" lines.
cat >"$tap_tmp/check.py" <<'PYTHON'
import json, subprocess, sys
dump, image = sys.argv[1:]

def load(*what):
    return json.loads(subprocess.run([dump, "--json", *what, image], check=True,
                                     stdout=subprocess.PIPE).stdout)

def check(name, found, wanted):
    print(f"JSON: {name}|{found}|{wanted}")

d = load("super")
check("super", [d["uuid"], d["block_size"], d["first_block"], d["state"], len(d["copies"])],
      ["01234567-89ab-4cde-8f01-23456789abcd", 1024, 1024, "clean", 3])
check("copies", [d["copies"][1]["state"], d["locator"]["state"], d["origin"]["group"]],
      ["ok", "ok", 0])
d = load("groups")
check("groups", [len(d), sum(g["free_blocks"] - g["clear_block_bits"] for g in d)], [5, 0])
d = load("tree")
check("tree", [(n["path"], n["inode"], n["type"], n["size"], len(n["extents"])) for n in d],
      [("/", 1, "directory", 1024, 1)])
d = load("inode", "1")
check("inode", [d["mode"], d["links"], d["parent"], d["bitmap"], d["extents"][0]["length"]],
      ["040755", 2, 1, True, 1])
check("free inode", load("inode", "2")["type"], "free")
d = load("block", "1025")["tag"]
check("block", [d["type"], d["crc"] == d["crc_computed"], len(d["sectors"])],
      ["group header", True, 2])
d = load("block", "1028")["payload"]
check("inode table", [d["inodes"][0]["inode"], d["first_inode"]], [1, 1])
check("inode bitmap", load("block", "1027")["payload"]["set_ranges"], "0")
check("directory", len(load("block", "%d" % load("inode", "1")["extents"][0]["block"])
                       ["payload"]["entries"]), 1)
PYTHON
if command -v python3 >/dev/null 2>&1; then
	ok "JSON is JSON" python3 "$tap_tmp/check.py" "$dump" "$img"
	cp "$tap_tmp/.output" "$tap_tmp/json"
	while IFS='|' read -r name found wanted; do
		is "$name" "$found" "$wanted"
	done <"$tap_tmp/json"
else
	skip "JSON" "needs python3"
fi

is "nothing was written" "$(cksum <"$img")" "$before"

# Usage.
fails "no device" 1 "$dump"
fails "an unknown command" 1 "$dump" nonsense "$img"
fails "an unknown option" 1 "$dump" --nonsense "$img"
fails "inode without a number" 1 "$dump" inode "$img"
fails "inode with a word" 1 "$dump" inode x "$img"
fails "inode 0" 1 "$dump" inode 0 "$img"
fails "an inode beyond the last" 1 "$dump" inode 99999999 "$img"
fails "a block beyond the last" 1 "$dump" block 32768 "$img"
fails "a negative block" 1 "$dump" block -1 "$img"
fails "tree with a number" 1 "$dump" tree 1 "$img"
ok "--help" "$dump" --help
fails "an output that cannot be written" 2 sh -c "\"$dump\" block 1024 \"$img\" >/dev/full"
tap_done
