#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The self-test passes with the detector that there is, and fails with one that is broken on purpose.
# SELFTEST_SEEDS: how many are tried (2).
set -u
. "${top_srcdir:-.}/tests/tap.sh" || exit 99
. "${top_srcdir:-.}/tests/soak/lib.sh" || exit 99

seeds=${SELFTEST_SEEDS:-2}

# Sum of column $1 of the rows whose view is $2 (or any other, with "!").
column() {
	awk -v column="$1" -v view="${2#!}" -v other="${2%%[!!]*}" \
		'NF == 8 && $3 ~ /^[0-9]+$/ && (($2 == view) != (other == "!")) { n += $column }
		 END { print n + 0 }' out.txt
}

# selftest NAME WANTED-STATUS ARG...
selftest() {
	name=$1
	want=$2
	shift 2
	churnstress selftest "$@" >out.txt 2>&1
	is "$name: exit" "$?" "$want"
	[ "$want" = 0 ] && [ "$(tail -n 1 out.txt | cut -d: -f1)" != PASS ] && diag "$(cat out.txt)"
}

selftest "all kinds and views" 0 --seeds "$seeds" --json selftest.json
for view in buffered mapped direct neighbour; do
	is "$view: six kinds planted" "$(column 3 "$view")" $((6 * seeds))
	is "$view: all caught" "$(column 4 "$view")" $((6 * seeds))
	is "$view: all named" "$(column 5 "$view")" $((6 * seeds))
done
like "the last line says so" "$(tail -n 1 out.txt)" \
	"^PASS: $((24 * seeds)) planted, $((24 * seeds)) caught, .* 0 false alarms"
like "JSON: passed" "$(cat selftest.json)" '"pass": true'
is "JSON: a row for each kind and view" "$(grep -c '"median_ms"' selftest.json)" 24
clean "all kinds and views"

# What one view alone shows is missed without that view, and only that.
for view in buffered mapped direct; do
	others=$(printf 'buffered mapped direct' | sed "s/ *$view//; s/^ //; s/ /,/")
	selftest "without the $view view" 1 --seeds 1 --no-neighbour --views "$others"
	is "without the $view view: its faults are missed" "$(column 4 "$view")" 0
	is "without the $view view: the others are caught" "$(column 4 "!$view")" 12
	like "without the $view view: the last line says so" "$(tail -n 1 out.txt)" '^FAIL: 18 planted, 12 caught'
	like "without the $view view: the first is named" "$(cat out.txt)" "^first: seed 1: stale, .* $view view alone: missed"
done
clean "a broken detector"

fails "no such option" 2 churnstress selftest --sideways
fails "no seeds" 2 churnstress selftest --seeds 0
fails "an argument too many" 2 churnstress selftest 5
fails "a view that there is not" 2 churnstress selftest --views sideways
tap_done
