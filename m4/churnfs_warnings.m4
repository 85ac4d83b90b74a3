dnl SPDX-License-Identifier: GPL-2.0-or-later

dnl CHURNFS_CC_FLAG(VARIABLE, FLAG)
dnl Appends FLAG to VARIABLE if the compiler takes it. Clang only warns of a warning flag that it
dnl does not know, hence -Werror.
AC_DEFUN([CHURNFS_CC_FLAG], [
AS_VAR_PUSHDEF([taken], [churnfs_cv_cc_flag_$2])dnl
AC_CACHE_CHECK([whether $CC takes $2], [taken], [
	churnfs_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS -Werror $2"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
		[AS_VAR_SET([taken], [yes])], [AS_VAR_SET([taken], [no])])
	CFLAGS=$churnfs_saved_CFLAGS
])
AS_VAR_IF([taken], [yes], [$1="$$1 $2"])
AS_VAR_POPDEF([taken])dnl
])

dnl CHURNFS_WARNINGS
dnl Sets the language standard and the warnings in WARN_CFLAGS.
AC_DEFUN([CHURNFS_WARNINGS], [
AC_ARG_ENABLE([werror],
	[AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
	[], [enable_werror=no])
WARN_CFLAGS=
CHURNFS_CC_FLAG([WARN_CFLAGS], [-std=gnu17])
AS_IF([test -z "$WARN_CFLAGS"], [AC_MSG_ERROR([$CC does not know C17 (-std=gnu17)])])
m4_foreach_w([flag], [-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Wpointer-arith],
	[CHURNFS_CC_FLAG([WARN_CFLAGS], m4_defn([flag]))])
AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
AC_SUBST([WARN_CFLAGS])
])
