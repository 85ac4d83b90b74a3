/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pages of the device that the neighbour works in, for those who move them. */
#include <errno.h>
#include <stdlib.h>

#include "soak/cpus.h"
#include "soak/devpages.h"
#include "soak/nb_inodes.h"
#include "soak/nb_private.h"

#define PAGES_PER_STATE_MAX 256u
#define WATCHED_MAX 4096u

size_t neighbour_hot_pages(const struct neighbour *nb, struct neighbour_hot_page *hot, size_t max)
{
	size_t n = 0;

	for (unsigned i = 0; i < nb->threads; i++) {
		const struct nb_thread *t = &nb->thread[i];
		uint64_t pages[PAGES_PER_STATE_MAX];
		size_t count = 0;

		if (t->legs && t->leg[0].ops == &nb_inodes)
			count = nb_inodes_pages(t->leg[0].state, pages, PAGES_PER_STATE_MAX);
		for (size_t k = 0; k < count && k < PAGES_PER_STATE_MAX; k++) {
			size_t at = 0;

			/* Threads may share a page where their files meet. */
			while (at < n && at < max && hot[at].offset != pages[k])
				at++;
			if (at < n && at < max)
				continue;
			if (n < max)
				hot[n] = (struct neighbour_hot_page){pages[k], cpus_nth(i)};
			n++;
		}
	}
	return n;
}

struct page_list {
	uint64_t block_size;
	uint64_t *page;
	size_t count;
};

static void page_add(void *arg, const struct nb_watched *watched)
{
	struct page_list *list = arg;
	uint64_t page = watched->block * list->block_size / DEVPAGE_SIZE * DEVPAGE_SIZE;

	if (list->count < WATCHED_MAX)
		list->page[list->count++] = page;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts, and leaves each once. */
static void pages_sort(struct page_list *list)
{
	size_t n = 0;

	qsort(list->page, list->count, sizeof(*list->page), compare_u64);
	for (size_t i = 0; i < list->count; i++)
		if (n == 0 || list->page[n - 1] != list->page[i])
			list->page[n++] = list->page[i];
	list->count = n;
}

int nb_pages_note(struct neighbour *nb)
{
	struct page_list list = {0};

	if (!nb->layout)
		return 0;
	list.block_size = nb_layout_geometry(nb->layout)->block_size;
	list.page = calloc(WATCHED_MAX, sizeof(*list.page));
	if (!list.page)
		return -ENOMEM;
	for (unsigned i = 0; i < nb->threads; i++) {
		const struct nb_thread *t = &nb->thread[i];

		for (unsigned k = 0; k < t->legs; k++)
			if (t->leg[k].ops != &nb_inodes)
				t->leg[k].ops->visit(t->leg[k].state, page_add, &list);
	}
	pages_sort(&list);
	nb->watched = list.page;
	nb->watched_count = list.count;
	return 0;
}

size_t neighbour_watched_pages(const struct neighbour *nb, const uint64_t **pages)
{
	*pages = nb->watched;
	return nb->watched_count;
}
