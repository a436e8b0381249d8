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

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct local_item *)a)->name, ((const struct local_item *)b)->name);
}

void local_listing_sort(struct local_listing *listing)
{
	size_t kept = 0;

	if (listing->count == 0)
		return;
	qsort(listing->items, listing->count, sizeof(*listing->items), compare_names);
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
