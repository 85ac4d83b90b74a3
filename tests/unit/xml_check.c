/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define DEPTH_MAX 16
#define NAME_SIZE 32
#define ATTRIBUTES_MAX 16

struct xml {
	const char *at;
	int depth;
	char open[DEPTH_MAX][NAME_SIZE];
	unsigned roots;
};

static bool characters_allowed(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (!utf8_printable(text, len))
			return false;
		text += len + (text[len] == '\n');
	}
	return true;
}

static bool entity_skip(struct xml *x)
{
	static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#xfffd;"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(x->at, known[i], strlen(known[i])) == 0) {
			x->at += strlen(known[i]);
			return true;
		}
	return false;
}

static bool name_read(struct xml *x, char name[NAME_SIZE])
{
	size_t len = strspn(x->at, "abcdefghijklmnopqrstuvwxyz-");

	if (!len || len >= NAME_SIZE)
		return false;
	memcpy(name, x->at, len);
	name[len] = 0;
	x->at += len;
	return true;
}

static const char *value_skip(struct xml *x)
{
	if (strncmp(x->at, "=\"", 2) != 0)
		return "an attribute without a quoted value";
	x->at += 2;
	while (*x->at != '"') {
		if (!*x->at || *x->at == '<')
			return "markup in an attribute";
		if (*x->at == '&') {
			if (!entity_skip(x))
				return "an ampersand in an attribute";
		} else {
			x->at++;
		}
	}
	x->at++;
	return NULL;
}

static const char *attributes_skip(struct xml *x)
{
	char names[ATTRIBUTES_MAX][NAME_SIZE];
	int count = 0;

	while (*x->at == ' ') {
		const char *wrong;

		x->at++;
		if (count == ATTRIBUTES_MAX || !name_read(x, names[count]))
			return "no attribute after a space";
		for (int i = 0; i < count; i++)
			if (strcmp(names[i], names[count]) == 0)
				return "an attribute given twice";
		count++;
		wrong = value_skip(x);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *start_tag(struct xml *x)
{
	const char *wrong;

	if (x->depth == DEPTH_MAX || !name_read(x, x->open[x->depth]))
		return "no name after <";
	x->roots += x->depth == 0;
	wrong = attributes_skip(x);
	if (wrong)
		return wrong;
	if (strncmp(x->at, "/>", 2) == 0) {
		x->at += 2;
		return NULL;
	}
	if (*x->at != '>')
		return "a start tag without an end";
	x->at++;
	x->depth++;
	return NULL;
}

static const char *end_tag(struct xml *x)
{
	char name[NAME_SIZE];

	if (!name_read(x, name) || *x->at != '>')
		return "a broken end tag";
	x->at++;
	if (!x->depth || strcmp(x->open[x->depth - 1], name) != 0)
		return "an end tag of another element";
	x->depth--;
	return NULL;
}

static const char *content(struct xml *x)
{
	if (*x->at == '&')
		return entity_skip(x) ? NULL : "an ampersand in text";
	if (strncmp(x->at, "]]>", 3) == 0)
		return "]]> in text";
	if (!x->depth && *x->at != '\n')
		return "text outside of the root";
	x->at++;
	return NULL;
}

const char *xml_check(const char *text)
{
	struct xml x = {.at = text};
	const char *wrong = NULL;

	if (strncmp(text, DECLARATION, strlen(DECLARATION)) != 0)
		return "no declaration";
	if (!characters_allowed(text) || strstr(text, "\xef\xbf\xbe") ||
	    strstr(text, "\xef\xbf\xbf"))
		return "a character that XML does not allow";
	x.at += strlen(DECLARATION);
	while (!wrong && *x.at) {
		if (strncmp(x.at, "</", 2) == 0) {
			x.at += 2;
			wrong = end_tag(&x);
		} else if (*x.at == '<') {
			x.at++;
			wrong = start_tag(&x);
		} else {
			wrong = content(&x);
		}
	}
	if (wrong)
		return wrong;
	if (x.depth)
		return "an element that does not end";
	return x.roots == 1 ? NULL : "not one root";
}

size_t xml_count(const char *text, const char *name)
{
	char tag[NAME_SIZE + 1];
	size_t count = 0;

	snprintf(tag, sizeof(tag), "<%s", name);
	for (const char *at = text; (at = strstr(at, tag)); at += strlen(tag))
		count += strchr(" >/", at[strlen(tag)]) != NULL;
	return count;
}
