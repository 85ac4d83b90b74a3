dnl SPDX-License-Identifier: GPL-2.0-or-later
m4_ifndef([PKG_PROG_PKG_CONFIG], [m4_fatal([pkg.m4 not found: install pkg-config])])

dnl CHURNFS_REQUIRED(VARIABLE, MODULE, DEBIAN-PACKAGE)
dnl Notes what is missing, so that one run of configure names all of it.
AC_DEFUN([CHURNFS_REQUIRED], [
PKG_CHECK_MODULES([$1], [$2], [], [
	churnfs_missing="$churnfs_missing
  $2 not found: install $3"
])
])

dnl CHURNFS_OPTIONAL(VARIABLE, MODULE, OPTION, DEBIAN-PACKAGE, WHAT-FOR)
dnl Without it the build goes on, unless it was asked for by --with-OPTION.
AC_DEFUN([CHURNFS_OPTIONAL], [
AC_ARG_WITH([$3], [AS_HELP_STRING([--without-$3], [build without $2: $5])],
	[], [with_$3=check])
AS_IF([test "x$with_$3" = xno], [churnfs_have_$3="no (disabled)"], [
	PKG_CHECK_MODULES([$1], [$2], [
		AC_DEFINE([HAVE_$1], [1], [Define to 1 if $2 is there: $5.])
		churnfs_have_$3=yes
	], [
		AS_IF([test "x$with_$3" = xyes], [churnfs_missing="$churnfs_missing
  $2 not found: install $4"])
		churnfs_have_$3="no (install $4)"
	])
])
])

dnl CHURNFS_SYSTEMD
dnl Where units go: as pkg-config says, as --with-systemdsystemunitdir=DIR says, or nowhere.
AC_DEFUN([CHURNFS_SYSTEMD], [
AC_REQUIRE([PKG_PROG_PKG_CONFIG])
AC_ARG_WITH([systemdsystemunitdir],
	[AS_HELP_STRING([--with-systemdsystemunitdir=DIR],
		[install the systemd unit there (where systemd looks; "no" for nowhere)])],
	[], [with_systemdsystemunitdir=yes])
AS_IF([test "x$with_systemdsystemunitdir" = xyes], [
	with_systemdsystemunitdir=$($PKG_CONFIG --variable=systemdsystemunitdir systemd 2>/dev/null)
	AS_IF([test -z "$with_systemdsystemunitdir"], [with_systemdsystemunitdir=no])
])
AC_SUBST([systemdsystemunitdir], [$with_systemdsystemunitdir])
AM_CONDITIONAL([HAVE_SYSTEMD], [test "x$with_systemdsystemunitdir" != xno])
])

dnl CHURNFS_LIBRARIES
AC_DEFUN([CHURNFS_LIBRARIES], [
PKG_PROG_PKG_CONFIG
AS_IF([test -z "$PKG_CONFIG"], [AC_MSG_ERROR([pkg-config not found: install pkg-config])])
churnfs_missing=
CHURNFS_REQUIRED([FUSE], [fuse3 >= 3.10], [libfuse3-dev])
CHURNFS_REQUIRED([URING], [liburing], [liburing-dev])
CHURNFS_REQUIRED([ISAL], [libisal], [libisal-dev])
CHURNFS_REQUIRED([JANSSON], [jansson], [libjansson-dev])
CHURNFS_REQUIRED([BLKID], [blkid], [libblkid-dev])
CHURNFS_OPTIONAL([LIBNUMA], [numa], [numa], [libnuma-dev],
	[migration between NUMA nodes])
CHURNFS_OPTIONAL([LIBTRACEFS], [libtracefs], [libtracefs], [libtracefs-dev libtraceevent-dev],
	[tracepoints that count buffer lookups])
CHURNFS_OPTIONAL([LIBEXT2FS], [ext2fs com_err], [ext2fs], [libext2fs-dev],
	[locating the raw inodes of an ext neighbour])
CHURNFS_OPTIONAL([CHECK], [check], [check], [check],
	[unit tests])
AM_CONDITIONAL([HAVE_CHECK], [test "x$churnfs_have_check" = xyes])
AS_IF([test -n "$churnfs_missing"], [AC_MSG_ERROR([libraries are missing:$churnfs_missing])])
])

dnl CHURNFS_SUMMARY
AC_DEFUN([CHURNFS_SUMMARY], [
AS_ECHO(["
$PACKAGE_STRING
  compiler      $CC $CFLAGS
  sanitizers   ${churnfs_sanitizers:- none}
  werror        $enable_werror
  numa          $churnfs_have_numa
  libtracefs    $churnfs_have_libtracefs
  ext2fs        $churnfs_have_ext2fs
  unit tests    $churnfs_have_check
  systemd unit  $with_systemdsystemunitdir
"])
])
