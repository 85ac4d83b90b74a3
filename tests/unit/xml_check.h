/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A strict look at the XML that we write, which is a small part of all XML. */
#ifndef CHURNFS_TESTS_XML_CHECK_H
#define CHURNFS_TESTS_XML_CHECK_H

#include <stddef.h>

/*
 * Checks a declaration, one root element, nesting, that attributes are quoted and not given twice,
 * that "<" and "&" appear as markup only, and that all characters are allowed (XML 1.0, section
 * 2.2). No comments, no sections, no other declarations. Returns NULL or what is wrong.
 */
const char *xml_check(const char *text);

/* How many elements NAME there are in a text that was checked. */
size_t xml_count(const char *text, const char *name);

#endif
