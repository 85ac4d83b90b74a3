# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Shared by the lab's scripts: where things are kept, how they fail, the
# matrix.  Sourced, never run.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # read by those who source this
LAB_CACHE=${CHURNFS_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/churnfs-lab}

lab_die() {
	echo "lab: $*" >&2
	exit 2
}

lab_say() {
	echo "lab: $*" >&2
}

# Names every missing tool's package at once, and installs nothing: ends with
# status 77, for what cannot run here is neither good nor bad.
# Arguments: TOOL=PACKAGE...; a TOOL that starts with / is a file.
lab_need() {
	local pair tool missing=()

	for pair in "$@"; do
		tool=${pair%%=*}
		case $tool in
		/*) [[ -e $tool ]] || missing+=("${pair#*=}") ;;
		*) type -P "$tool" >/dev/null || missing+=("${pair#*=}") ;;
		esac
	done
	[[ ${#missing[@]} -gt 0 ]] || return 0
	lab_say "missing packages: ${missing[*]} (./bootstrap lab installs them)"
	exit 77
}

# Prints the first 12 digits of the sha256 of standard input.
lab_hash() {
	sha256sum | cut -c1-12
}

# Prints the matrix without comments, fields separated by one blank.
lab_matrix() {
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$LAB_DIR/matrix" | tr -s '[:blank:]' ' '
}

# Prints the matrix row of kernel $1, or fails.
lab_row() {
	lab_matrix | awk -v name="$1" '$1 == name { print; found = 1 } END { exit !found }'
}
