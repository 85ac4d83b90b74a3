/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/nb_dirs_model.h"

#include <stdio.h>
#include <string.h>

void nb_names_format(unsigned slot, uint32_t generation, unsigned length,
		     char name[NB_NAME_MAX + 1])
{
	int n = snprintf(name, NB_NAME_MAX + 1, "%02u-%08x-", slot, generation);

	memset(name + n, 'x', length - (unsigned)n);
	name[length] = 0;
}

static bool name_parse(const char *name, unsigned length, unsigned *slot, uint32_t *generation)
{
	char again[NB_NAME_MAX + 1];

	if (sscanf(name, "%2u-%8x-", slot, generation) != 2 || *slot >= NB_NAMES)
		return false;
	nb_names_format(*slot, *generation, length, again);
	return strcmp(name, again) == 0;
}

static bool wrong_name(struct nb_names_wrong *wrong, const char *what, const char *name)
{
	wrong->what = what;
	snprintf(wrong->name, sizeof(wrong->name), "%.*s", (int)NB_NAME_MAX, name);
	return false;
}

bool nb_names_see(const struct nb_names *names, struct nb_names_seen *seen, const char *name,
		  unsigned length, struct nb_names_wrong *wrong)
{
	uint32_t generation;
	unsigned slot;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	*wrong = (struct nb_names_wrong){0};
	if (!name_parse(name, length, &slot, &generation))
		return wrong_name(wrong, "not one of ours", name);
	wrong->expected = names->generation[slot];
	wrong->found = generation;
	if (generation != names->generation[slot]) {
		wrong->known = generation && generation <= names->last;
		return wrong_name(wrong, "there, and must not be", name);
	}
	if (seen->slot[slot]) {
		/* One of them is of before a block was split. */
		wrong->known = true;
		return wrong_name(wrong, "there twice", name);
	}
	seen->slot[slot] = true;
	return true;
}

bool nb_names_seen_all(const struct nb_names *names, const struct nb_names_seen *seen,
		       unsigned length, struct nb_names_wrong *wrong)
{
	char name[NB_NAME_MAX + 1];

	for (unsigned slot = 0; slot < NB_NAMES; slot++)
		if (names->generation[slot] && !seen->slot[slot]) {
			*wrong = (struct nb_names_wrong){.known = true,
							 .expected = names->generation[slot]};
			nb_names_format(slot, names->generation[slot], length, name);
			return wrong_name(wrong, "missing", name);
		}
	return true;
}
