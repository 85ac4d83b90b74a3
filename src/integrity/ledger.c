/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "integrity/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "integrity/tag.h"
#include "util/clock.h"

#define LEDGER_MAGIC 0x726764656c737264ULL
#define LEDGER_VERSION 2u
#define LEDGER_ALIGN 4096u
/* Enough to arrive meanwhile, few enough to stay in the cache until then. */
#define PREFETCH_ENTRIES 16u

/* The writer holds the block's lock; readers check SEQUENCE. Snapshots need the first line only. */
struct ledger_entry {
	_Atomic uint64_t sequence;
	_Atomic uint64_t generation;
	_Atomic uint64_t prev_generation;
	_Atomic uint64_t owner;
	_Atomic uint64_t written_ns;
	_Atomic uint32_t crc;
	_Atomic uint32_t type;
	_Atomic uint32_t history_count; /* generations ever entered into the ring */
	uint32_t reserved[3];
	_Atomic uint32_t history[LEDGER_HISTORY_MAX]; /* ring: low halves of earlier generations */
};
_Static_assert(sizeof(struct ledger_entry) == 256, "ledger entry is four cache lines");

struct ledger_slot {
	struct ledger_finding record;
	uint8_t expected[CFS_BLOCK_SIZE_MAX];
	uint8_t found[CFS_BLOCK_SIZE_MAX];
};

struct ledger_area {
	_Atomic uint64_t magic; /* set last: the ledger is ready */
	uint32_t version;
	uint32_t block_size;
	uint64_t blocks;
	uint64_t entries_offset;
	uint64_t shadow_offset;
	uint64_t size;
	uint8_t uuid[16];
	struct ledger_counters counters;
	_Atomic uint32_t findings_claimed;
	struct ledger_slot findings[LEDGER_FINDINGS_MAX];
};

struct ledger {
	struct ledger_area *area;
	struct ledger_entry *entries;
	uint8_t *shadow;
	size_t mapped;
};

static uint64_t align_up(uint64_t value)
{
	return (value + LEDGER_ALIGN - 1) & ~(uint64_t)(LEDGER_ALIGN - 1);
}

static int ledger_map(int fd, size_t size, struct ledger **out)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	void *base;

	if (!ledger)
		return -ENOMEM;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		int rc = -errno;

		free(ledger);
		return rc;
	}
	ledger->area = base;
	ledger->mapped = size;
	*out = ledger;
	return 0;
}

static void ledger_point(struct ledger *ledger)
{
	char *base = (char *)ledger->area;

	ledger->entries = (struct ledger_entry *)(void *)(base + ledger->area->entries_offset);
	ledger->shadow = (uint8_t *)base + ledger->area->shadow_offset;
}

/* Where things lie in the area. */
struct ledger_plan {
	uint64_t entries_offset;
	uint64_t shadow_offset;
	uint64_t size;
};

static int area_plan(uint32_t block_size, uint64_t blocks, struct ledger_plan *plan)
{
	if (block_size < CFS_BLOCK_SIZE_MIN || block_size > CFS_BLOCK_SIZE_MAX)
		return -EINVAL;
	if (blocks > INT64_MAX / 2 / (sizeof(struct ledger_entry) + block_size))
		return -EFBIG;
	plan->entries_offset = align_up(sizeof(struct ledger_area));
	plan->shadow_offset = align_up(plan->entries_offset + blocks * sizeof(struct ledger_entry));
	plan->size = align_up(plan->shadow_offset + blocks * block_size);
	return 0;
}

int ledger_create(int fd, const struct ledger_geometry *geometry, struct ledger **out)
{
	struct ledger_plan plan;
	struct ledger *ledger;
	int rc = area_plan(geometry->block_size, geometry->blocks, &plan);

	if (rc)
		return rc;
	/* Emptied first: a ledger of an earlier mount must not be taken for this one. */
	if (ftruncate(fd, 0) || ftruncate(fd, (off_t)plan.size))
		return -errno;
	rc = ledger_map(fd, (size_t)plan.size, &ledger);
	if (rc)
		return rc;
	ledger->area->version = LEDGER_VERSION;
	ledger->area->block_size = geometry->block_size;
	ledger->area->blocks = geometry->blocks;
	ledger->area->entries_offset = plan.entries_offset;
	ledger->area->shadow_offset = plan.shadow_offset;
	ledger->area->size = plan.size;
	memcpy(ledger->area->uuid, geometry->uuid, sizeof(ledger->area->uuid));
	ledger_point(ledger);
	atomic_store(&ledger->area->magic, LEDGER_MAGIC);
	*out = ledger;
	return 0;
}

static bool area_valid(const struct ledger_area *area, uint64_t size)
{
	struct ledger_plan plan;

	return atomic_load(&area->magic) == LEDGER_MAGIC && area->version == LEDGER_VERSION &&
	       area_plan(area->block_size, area->blocks, &plan) == 0 &&
	       area->entries_offset == plan.entries_offset &&
	       area->shadow_offset == plan.shadow_offset && area->size == plan.size &&
	       plan.size == size;
}

int ledger_attach(int fd, struct ledger **out)
{
	struct ledger *ledger;
	struct stat st;
	int rc;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < (off_t)sizeof(struct ledger_area))
		return -EUCLEAN;
	rc = ledger_map(fd, (size_t)st.st_size, &ledger);
	if (rc)
		return rc;
	if (!area_valid(ledger->area, (uint64_t)st.st_size)) {
		ledger_detach(ledger);
		return -EUCLEAN;
	}
	ledger_point(ledger);
	*out = ledger;
	return 0;
}

void ledger_detach(struct ledger *ledger)
{
	if (!ledger)
		return;
	munmap(ledger->area, ledger->mapped);
	free(ledger);
}

void ledger_geometry_get(const struct ledger *ledger, struct ledger_geometry *geometry)
{
	geometry->block_size = ledger->area->block_size;
	geometry->blocks = ledger->area->blocks;
	memcpy(geometry->uuid, ledger->area->uuid, sizeof(geometry->uuid));
}

struct ledger_counters *ledger_counters(struct ledger *ledger)
{
	return &ledger->area->counters;
}

/*
 * Orders: the odd sequence is visible before the device changes, because the write is a system
 * call or a release store follows; fields are stored with release after it, so a reader that saw
 * one of them also sees the odd sequence when it looks again.
 */
void ledger_write_begin(struct ledger *ledger, uint64_t block)
{
	struct ledger_entry *e = &ledger->entries[block];
	uint64_t sequence = atomic_load_explicit(&e->sequence, memory_order_relaxed);

	atomic_store(&e->sequence, sequence | 1);
}

/* The entry's present generation becomes history. */
static void history_push(struct ledger_entry *e)
{
	uint64_t generation = atomic_load_explicit(&e->generation, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&e->history_count, memory_order_relaxed);

	if (!generation)
		return;
	atomic_store_explicit(&e->history[n % LEDGER_HISTORY_MAX], (uint32_t)generation,
			      memory_order_release);
	atomic_store_explicit(&e->history_count, n + 1, memory_order_release);
}

static void write_finish(struct ledger_entry *e)
{
	uint64_t sequence = atomic_load_explicit(&e->sequence, memory_order_relaxed);

	atomic_store(&e->sequence, (sequence | 1) + 1);
}

void ledger_write_end(struct ledger *ledger, uint64_t block, const void *image, uint32_t crc)
{
	struct ledger_entry *e = &ledger->entries[block];
	uint32_t bs = ledger->area->block_size;
	struct tag_info tag;

	tag_decode(image, &tag);
	memcpy(ledger->shadow + block * bs, image, bs);
	history_push(e);
	atomic_store_explicit(&e->generation, tag.generation, memory_order_release);
	atomic_store_explicit(&e->prev_generation, tag.prev_generation, memory_order_release);
	atomic_store_explicit(&e->owner, tag.owner, memory_order_release);
	atomic_store_explicit(&e->crc, crc, memory_order_release);
	atomic_store_explicit(&e->type, tag.type, memory_order_release);
	atomic_store_explicit(&e->written_ns, clock_now_ns(), memory_order_release);
	write_finish(e);
}

static void entry_clear(struct ledger *ledger, uint64_t block)
{
	struct ledger_entry *e = &ledger->entries[block];

	history_push(e);
	atomic_store_explicit(&e->generation, 0, memory_order_release);
	write_finish(e);
}

void ledger_adopt(struct ledger *ledger, uint64_t block, const void *image, uint32_t crc)
{
	ledger_write_begin(ledger, block);
	ledger_write_end(ledger, block, image, crc);
}

void ledger_write_failed(struct ledger *ledger, uint64_t block)
{
	entry_clear(ledger, block);
}

void ledger_forget(struct ledger *ledger, uint64_t block)
{
	ledger_write_begin(ledger, block);
	entry_clear(ledger, block);
}

void ledger_prefetch(const struct ledger *ledger, uint64_t block)
{
	__builtin_prefetch(&ledger->entries[block]);
}

bool ledger_snapshot(const struct ledger *ledger, uint64_t block, struct ledger_snapshot *snap)
{
	const struct ledger_entry *e = &ledger->entries[block];

	/* Verifiers go through them in order, and four cache lines apart is no stride to guess. */
	__builtin_prefetch(e + PREFETCH_ENTRIES);
	snap->sequence = atomic_load_explicit(&e->sequence, memory_order_acquire);
	if (snap->sequence & 1)
		return false;
	snap->generation = atomic_load_explicit(&e->generation, memory_order_acquire);
	snap->prev_generation = atomic_load_explicit(&e->prev_generation, memory_order_acquire);
	snap->owner = atomic_load_explicit(&e->owner, memory_order_acquire);
	snap->crc = atomic_load_explicit(&e->crc, memory_order_acquire);
	snap->type = atomic_load_explicit(&e->type, memory_order_acquire);
	snap->written_ns = atomic_load_explicit(&e->written_ns, memory_order_acquire);
	return ledger_unchanged(ledger, block, snap);
}

bool ledger_unchanged(const struct ledger *ledger, uint64_t block,
		      const struct ledger_snapshot *snap)
{
	return atomic_load(&ledger->entries[block].sequence) == snap->sequence;
}

unsigned ledger_history(const struct ledger *ledger, uint64_t block, uint32_t *history)
{
	const struct ledger_entry *e = &ledger->entries[block];
	uint32_t pushed = atomic_load_explicit(&e->history_count, memory_order_acquire);
	unsigned count = pushed < LEDGER_HISTORY_MAX ? pushed : LEDGER_HISTORY_MAX;

	for (unsigned i = 0; i < count; i++)
		history[i] = atomic_load_explicit(
			&e->history[(pushed - 1 - i) % LEDGER_HISTORY_MAX], memory_order_acquire);
	return count;
}

bool ledger_shadow(const struct ledger *ledger, uint64_t block, const struct ledger_snapshot *snap,
		   void *image)
{
	uint32_t bs = ledger->area->block_size;

	memcpy(image, ledger->shadow + block * bs, bs);
	return tag_checksum(image, bs, tag_uuid_seed(ledger->area->uuid), block) == snap->crc;
}

void ledger_report(struct ledger *ledger, const struct finding *finding, uint64_t written_ns,
		   const void *expected, const void *found)
{
	struct ledger_area *area = ledger->area;
	struct ledger_slot *slot;
	uint32_t index;

	atomic_fetch_add(&area->counters.mismatches, 1);
	index = atomic_load(&area->findings_claimed);
	do {
		if (index >= LEDGER_FINDINGS_MAX)
			return;
	} while (!atomic_compare_exchange_weak(&area->findings_claimed, &index, index + 1));
	slot = &area->findings[index];
	slot->record.finding = *finding;
	slot->record.when_ns = clock_now_ns();
	slot->record.written_ns = written_ns;
	slot->record.reporter = (uint32_t)getpid();
	if (expected)
		memcpy(slot->expected, expected, area->block_size);
	if (found)
		memcpy(slot->found, found, area->block_size);
	atomic_store(&slot->record.valid, 1);
}

unsigned ledger_finding_count(const struct ledger *ledger)
{
	return atomic_load(&ledger->area->findings_claimed);
}

const struct ledger_finding *ledger_finding_get(const struct ledger *ledger, unsigned index,
						const void **expected, const void **found)
{
	struct ledger_slot *slot;

	if (index >= ledger_finding_count(ledger))
		return NULL;
	slot = &ledger->area->findings[index];
	if (!atomic_load(&slot->record.valid))
		return NULL;
	*expected = slot->expected;
	*found = slot->found;
	return &slot->record;
}
