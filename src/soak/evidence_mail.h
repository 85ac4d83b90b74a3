/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of evidence (evidence.h) as plain text, fit to be mailed to those who can act on it. */
#ifndef CHURNFS_SOAK_EVIDENCE_MAIL_H
#define CHURNFS_SOAK_EVIDENCE_MAIL_H

#include <stdio.h>

/*
 * Prints the verdict, what was found, where and how to do it again, then the text files, long ones
 * shortened. The folder may come from anybody: nothing but regular files is opened, and nothing
 * of them reaches a terminal as a control character. Returns 0; or, after one line on standard
 * error, -EINVAL for a folder that is no evidence, or the negative errno of opening it or of
 * writing.
 */
int evidence_mail(const char *path, FILE *out);

#endif
