/* What a look at one side yields: a server's listing and a maildir's.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/ports.h"

#define ARENA_BLOCK_BYTES 65536

/* Names are packed into blocks, so that 100,000 of them cost their bytes only. */
struct local_arena {
	struct local_arena *next;
	size_t used;
	char bytes[ARENA_BLOCK_BYTES];
};

void remote_observation_init(struct remote_observation *obs)
{
	*obs = (struct remote_observation){ .is_delta = false };
	uidset_init(&obs->gone);
}

void remote_observation_free(struct remote_observation *obs)
{
	free(obs->items);
	uidset_free(&obs->gone);
	remote_observation_init(obs);
}

void remote_observation_add(struct remote_observation *obs, uint32_t uid, uint64_t flags)
{
	obs->items = xgrow(obs->items, obs->count, &obs->cap, sizeof(*obs->items));
	obs->items[obs->count++] = (struct remote_flags){ .uid = uid, .flags = flags };
}

bool remote_observation_has(const struct remote_observation *obs, uint32_t uid)
{
	size_t low = 0;
	size_t high = obs->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (obs->items[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < obs->count && obs->items[low].uid == uid;
}

struct arrival {
	struct remote_flags item;
	size_t order;
};

static int compare_arrivals(const void *a, const void *b)
{
	const struct arrival *left = a;
	const struct arrival *right = b;

	if (left->item.uid != right->item.uid)
		return left->item.uid > right->item.uid ? 1 : -1;
	return (left->order > right->order) - (left->order < right->order);
}

static bool remote_observation_is_ascending(const struct remote_observation *obs)
{
	for (size_t i = 1; i < obs->count; i++) {
		if (obs->items[i - 1].uid >= obs->items[i].uid)
			return false;
	}
	return true;
}

void remote_observation_sort(struct remote_observation *obs)
{
	size_t kept = 0;

	if (remote_observation_is_ascending(obs))
		return;
	/* qsort need not be stable: a number of the order of arrival keeps the newer
	 * flags of a UID that came twice behind the older ones. */
	struct arrival *arrivals = xreallocarray(NULL, obs->count, sizeof(*arrivals));
	for (size_t i = 0; i < obs->count; i++)
		arrivals[i] = (struct arrival){ obs->items[i], i };
	qsort(arrivals, obs->count, sizeof(*arrivals), compare_arrivals);
	for (size_t i = 0; i < obs->count; i++) {
		if (kept > 0 && obs->items[kept - 1].uid == arrivals[i].item.uid)
			kept--;
		obs->items[kept++] = arrivals[i].item;
	}
	obs->count = kept;
	free(arrivals);
}

void local_listing_init(struct local_listing *listing)
{
	*listing = (struct local_listing){ .is_stable = false };
}

void local_listing_free(struct local_listing *listing)
{
	while (listing->arena != NULL) {
		struct local_arena *next = listing->arena->next;
		free(listing->arena);
		listing->arena = next;
	}
	free(listing->items);
	local_listing_init(listing);
}

static const char *local_listing_keep(struct local_listing *listing, struct slice name)
{
	struct local_arena *arena = listing->arena;

	if (arena == NULL || arena->used + name.len + 1 > ARENA_BLOCK_BYTES) {
		arena = xmalloc(sizeof(*arena));
		arena->next = listing->arena;
		arena->used = 0;
		listing->arena = arena;
	}
	char *copy = arena->bytes + arena->used;
	memcpy(copy, name.data, name.len);
	copy[name.len] = '\0';
	arena->used += name.len + 1;
	return copy;
}

void local_listing_add(struct local_listing *listing, struct slice name, uint64_t flags)
{
	listing->items =
		xgrow(listing->items, listing->count, &listing->cap, sizeof(*listing->items));
	listing->items[listing->count++] = (struct local_item){
		.name = local_listing_keep(listing, name),
		.flags = flags,
	};
}

void local_listing_add_gone(struct local_listing *listing, struct slice name)
{
	local_listing_add(listing, name, 0);
	listing->items[listing->count - 1].is_gone = true;
}

/* --- Sorting by name --------------------------------------------------------------- */

/* Names of one mailbox begin alike, and strcmp would compare that beginning again and again: three
 * times the time of this multikey quicksort, and qsort takes a copy of the array besides. */

#define SORT_SMALL 12 /* items that insertion sorts faster */

/* Items whose names agree in their first `depth` bytes. */
struct name_run {
	struct local_item *items;
	size_t count;
	size_t depth;
};

static unsigned char byte_at(const struct name_run *run, size_t i)
{
	return (unsigned char)run->items[i].name[run->depth];
}

static void swap_items(struct local_item *a, struct local_item *b)
{
	struct local_item item = *a;

	*a = *b;
	*b = item;
}

static void insertion_sort(const struct name_run *run)
{
	for (size_t i = 1; i < run->count; i++) {
		struct local_item item = run->items[i];
		size_t at = i;
		for (; at > 0 &&
		       strcmp(item.name + run->depth, run->items[at - 1].name + run->depth) < 0;
		     at--)
			run->items[at] = run->items[at - 1];
		run->items[at] = item;
	}
}

static unsigned char middle_of(unsigned char a, unsigned char b, unsigned char c)
{
	if (a < b)
		return b < c ? b : (a < c ? c : a);
	return a < c ? a : (b < c ? c : b);
}

/* Splits a run by the next byte into less than, equal to and greater than the pivot. False when
 * the names of the equal ones end there. */
static bool partition(const struct name_run *run, struct name_run parts[3])
{
	unsigned char pivot = middle_of(byte_at(run, 0), byte_at(run, run->count / 2),
					byte_at(run, run->count - 1));
	size_t less = 0;
	size_t greater = run->count;

	for (size_t i = 0; i < greater;) {
		unsigned char byte = byte_at(run, i);
		if (byte < pivot)
			swap_items(&run->items[less++], &run->items[i++]);
		else if (byte > pivot)
			swap_items(&run->items[i], &run->items[--greater]);
		else
			i++;
	}
	parts[0] = (struct name_run){ run->items, less, run->depth };
	parts[1] = (struct name_run){ run->items + less, greater - less, run->depth + 1 };
	parts[2] = (struct name_run){ run->items + greater, run->count - greater, run->depth };
	return pivot != '\0';
}

/* The largest part goes round the loop, so that the others' recursion stays shallow. */
static void sort_run(struct name_run run)
{
	struct name_run parts[3];

	while (run.count > SORT_SMALL) {
		if (!partition(&run, parts))
			parts[1].count = 0;
		size_t largest = 0;
		for (size_t i = 1; i < 3; i++)
			largest = parts[i].count > parts[largest].count ? i : largest;
		for (size_t i = 0; i < 3; i++) {
			if (i != largest)
				sort_run(parts[i]);
		}
		run = parts[largest];
	}
	insertion_sort(&run);
}

void local_listing_sort(struct local_listing *listing)
{
	size_t kept = 0;

	sort_run((struct name_run){ .items = listing->items, .count = listing->count });
	for (size_t i = 0; i < listing->count; i++) {
		struct local_item *last = kept > 0 ? &listing->items[kept - 1] : NULL;
		if (last == NULL || strcmp(last->name, listing->items[i].name) != 0) {
			listing->items[kept++] = listing->items[i];
			continue;
		}
		last->flags |= listing->items[i].flags;
		last->is_gone &= listing->items[i].is_gone;
	}
	listing->count = kept;
}
