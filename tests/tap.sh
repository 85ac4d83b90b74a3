# SPDX-License-Identifier: GPL-2.0-or-later
# TAP for shell tests: ". tests/tap.sh", then ok/is/skip per test and tap_done at the end.
# Works in any POSIX shell. Each test gets its own folder, $tap_tmp, which goes when the test ends, but
# not if it failed and there is evidence of what a kernel did.
# shellcheck shell=sh

tap_count=0
tap_failed=0
tap_tmp=$(mktemp -d "${TMPDIR:-/tmp}/churnfs-test.XXXXXX") || exit 99

# A test that must undo more defines tap_cleanup; it runs first.
tap_exit() {
	tap_status=$?
	trap - EXIT HUP INT TERM
	if command -v tap_cleanup >/dev/null 2>&1; then
		tap_cleanup
	fi
	if [ $tap_failed -gt 0 ] && [ -n "$(find "$tap_tmp" -type d \( -name 'evidence*' -o -name 'churnstress-[0-9]*' \))" ]; then
		diag "evidence is kept in $tap_tmp"
	else
		rm -rf "$tap_tmp"
	fi
	exit "$tap_status"
}
trap tap_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# tap_result STATUS NAME: 0 is success.
tap_result() {
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		return 1
	fi
}

# ok NAME COMMAND [ARG...]: the command must succeed. Its output is shown when it does not.
ok() {
	tap_name=$1
	shift
	if "$@" >"$tap_tmp/.output" 2>&1; then
		tap_result 0 "$tap_name"
	else
		tap_code=$?
		tap_result 1 "$tap_name"
		diag "exit status $tap_code of: $*"
		diag "$(tail -n 20 "$tap_tmp/.output")"
		return 1
	fi
}

# fails NAME STATUS COMMAND [ARG...]: the command must end with exactly that exit status.
fails() {
	tap_name=$1
	tap_want=$2
	shift 2
	"$@" >"$tap_tmp/.output" 2>&1
	tap_code=$?
	if [ "$tap_code" -eq "$tap_want" ]; then
		tap_result 0 "$tap_name"
	else
		tap_result 1 "$tap_name"
		diag "exit status $tap_code instead of $tap_want of: $*"
		diag "$(tail -n 20 "$tap_tmp/.output")"
		return 1
	fi
}

# is NAME FOUND WANTED: the strings must be equal.
is() {
	if [ "$2" = "$3" ]; then
		tap_result 0 "$1"
	else
		tap_result 1 "$1"
		diag "found:  $2"
		diag "wanted: $3"
		return 1
	fi
}

# like NAME TEXT REGEX: some line of the text must match the extended regular expression.
like() {
	if printf '%s\n' "$2" | grep -Eq -e "$3"; then
		tap_result 0 "$1"
	else
		tap_result 1 "$1"
		diag "found:  $2"
		diag "no match for: $3"
		return 1
	fi
}

# skip NAME REASON: counts as skipped.
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all REASON: the whole script cannot run here.
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
}

need_fuse() {
	[ -c /dev/fuse ] && [ -r /dev/fuse ] && [ -w /dev/fuse ] || skip_all "needs /dev/fuse"
}

need_loop() {
	losetup -f >/dev/null 2>&1 || skip_all "needs a free loop device"
}

need_command() {
	for tap_name in "$@"; do
		command -v "$tap_name" >/dev/null 2>&1 || skip_all "needs $tap_name"
	done
}

# await COMMAND [ARG...]: repeats it until it succeeds, for at most 60 s; fails then.
await() {
	tap_tries=0
	until "$@"; do
		[ "$tap_tries" -lt 600 ] || return 1
		tap_tries=$((tap_tries + 1))
		sleep 0.1
	done
}

# not COMMAND [ARG...]: for await.
not() {
	! "$@"
}

# Last line of every test: the plan, and the exit status.
tap_done() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}
