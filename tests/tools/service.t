#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The unit churnstress@.service, as systemd itself reads it.
# shellcheck source=tests/tap.sh
. "${top_srcdir:-.}/tests/tap.sh"

command -v systemd-analyze >/dev/null || skip_all "no systemd-analyze"
unit=${top_builddir:-.}/src/soak/churnstress@.service
ok "no place is left to fill in" sh -c "! grep -n '@[a-z]*@' '$unit'"

# What it starts and documents is not installed yet.
uninstalled() {
	sed "s,^ExecStart=[^ ]*,ExecStart=/bin/true,; /^Documentation=/d" "$unit"
}
uninstalled >"$tap_tmp/churnstress@.service"
# verify NAME: what systemd has to say of the unit alone.
verify() {
	systemd-analyze verify --man=no "$tap_tmp/$1" 2>&1 | grep "$1:" >"$tap_tmp/said"
	! test -s "$tap_tmp/said" || { cat "$tap_tmp/said" && return 1; }
}
ok "systemd has nothing to say against it" verify churnstress@.service

# The check itself.
uninstalled | sed 's/^KillMode=process/KillMode=proces/' >"$tap_tmp/bad@.service"
fails "a wrong setting is noticed" 1 verify bad@.service
tap_done
