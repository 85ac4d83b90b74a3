dnl SPDX-License-Identifier: GPL-2.0-or-later

dnl CHURNFS_SANITIZER(SHORT, NAME, WHAT)
AC_DEFUN([CHURNFS_SANITIZER], [
AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [build with $3])], [], [enable_$1=no])
AS_IF([test "x$enable_$1" = xyes], [
	churnfs_sanitizers="$churnfs_sanitizers $1"
	SANITIZER_FLAGS="$SANITIZER_FLAGS -fsanitize=$2"
])
])

dnl CHURNFS_SANITIZERS
dnl Sets SANITIZER_FLAGS for compiler and linker, and the conditionals SANITIZED and TSAN.
AC_DEFUN([CHURNFS_SANITIZERS], [
SANITIZER_FLAGS=
churnfs_sanitizers=
CHURNFS_SANITIZER([asan], [address], [AddressSanitizer])
CHURNFS_SANITIZER([ubsan], [undefined], [UndefinedBehaviorSanitizer])
CHURNFS_SANITIZER([tsan], [thread], [ThreadSanitizer])
AS_IF([test "x$enable_asan$enable_tsan" = xyesyes],
	[AC_MSG_ERROR([--enable-asan and --enable-tsan exclude each other])])
AS_IF([test -n "$SANITIZER_FLAGS"], [
	dnl A finding that is only printed would let a test pass.
	SANITIZER_FLAGS="$SANITIZER_FLAGS -fno-sanitize-recover=all -fno-omit-frame-pointer"
	AC_MSG_CHECKING([whether $CC links with$SANITIZER_FLAGS])
	churnfs_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $SANITIZER_FLAGS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])], [
		AC_MSG_RESULT([no])
		AC_MSG_ERROR([the sanitizer runtime of $CC is not installed])
	])
	CFLAGS=$churnfs_saved_CFLAGS
])
AC_SUBST([SANITIZER_FLAGS])
AM_CONDITIONAL([SANITIZED], [test -n "$SANITIZER_FLAGS"])
AM_CONDITIONAL([TSAN], [test "x$enable_tsan" = xyes])
])
