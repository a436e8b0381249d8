/* Telling moved files by what they hold.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_moves.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/flags.h"

void sync_moves_free(struct sync_moves *moves)
{
	for (size_t i = 0; i < moves->gone_count; i++)
		free(moves->gone[i].name);
	for (size_t i = 0; i < moves->came_count; i++)
		free(moves->came[i].name);
	free(moves->gone);
	free(moves->came);
	free(moves->by_name);
	*moves = (struct sync_moves){ .gone = NULL };
}

void sync_moves_add_gone(struct sync_moves *moves, const struct sync_gone *gone)
{
	moves->gone = xgrow(moves->gone, moves->gone_count, &moves->gone_cap, sizeof(*moves->gone));
	moves->gone[moves->gone_count] = *gone;
	moves->gone[moves->gone_count].by = SYNC_NOT_MOVED;
	moves->gone[moves->gone_count++].name = xstrdup(gone->name);
}

void sync_moves_add_came(struct sync_moves *moves, const struct sync_came *came)
{
	moves->came = xgrow(moves->came, moves->came_count, &moves->came_cap, sizeof(*moves->came));
	moves->came[moves->came_count] = *came;
	moves->came[moves->came_count].was = SYNC_NOT_MOVED;
	moves->came[moves->came_count++].name = xstrdup(came->name);
}

/* --- By name ------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct sync_gone_name *)a)->name,
		      ((const struct sync_gone_name *)b)->name);
}

static void sort_names(struct sync_moves *moves)
{
	if (moves->named == moves->gone_count)
		return;
	free(moves->by_name);
	moves->by_name = xcalloc(moves->gone_count, sizeof(*moves->by_name));
	for (size_t i = 0; i < moves->gone_count; i++)
		moves->by_name[i] = (struct sync_gone_name){ moves->gone[i].name, i };
	qsort(moves->by_name, moves->gone_count, sizeof(*moves->by_name), compare_names);
	moves->named = moves->gone_count;
}

static bool has_name(const struct sync_moves *moves, size_t at, const char *name)
{
	return at < moves->named && strcmp(moves->by_name[at].name, name) == 0;
}

bool sync_moves_take_name(struct sync_moves *moves, const struct sync_came *came)
{
	size_t low = 0;
	size_t high = moves->gone_count;

	sort_names(moves);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(moves->by_name[middle].name, came->name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!has_name(moves, low, came->name) || has_name(moves, low + 1, came->name))
		return false;
	struct sync_gone *gone = &moves->gone[moves->by_name[low].index];
	if (gone->is_taken)
		return false;
	struct sync_came known = *came;
	known.size_bytes = gone->size_bytes;
	known.identity = gone->identity;
	gone->is_taken = true;
	gone->by = moves->came_count;
	sync_moves_add_came(moves, &known);
	return true;
}

/* --- By content --------------------------------------------------------------------------- */

bool sync_is_same_message(const struct sync_came *came, const struct digest *identity,
			  uint64_t size_bytes, uint64_t flags, const char *name)
{
	if (!digest_equals(&came->identity, identity) || came->size_bytes != size_bytes)
		return false;
	if (strcmp(came->name, name) == 0)
		return true;
	return digest_has_message_id(identity) && ((came->flags | flags) & FLAG_DRAFT) == 0;
}

/* What is equal in all but the name stands together. */
static int compare_content(const struct digest *a, uint64_t a_size_bytes, const struct digest *b,
			   uint64_t b_size_bytes)
{
	int order = memcmp(a->bytes, b->bytes, DIGEST_LEN);

	if (order != 0)
		return order;
	return a_size_bytes == b_size_bytes ? 0 : a_size_bytes > b_size_bytes ? 1 : -1;
}

static int compare_gone(const void *a, const void *b)
{
	const struct sync_gone *left = a;
	const struct sync_gone *right = b;
	int order = compare_content(&left->identity, left->size_bytes, &right->identity,
				    right->size_bytes);

	if (order == 0)
		order = strcmp(left->name, right->name);
	if (order == 0 && left->mailbox != right->mailbox)
		order = left->mailbox > right->mailbox ? 1 : -1;
	if (order == 0 && left->uid != right->uid)
		order = left->uid > right->uid ? 1 : -1;
	return order;
}

/* The first gone one that does not stand before this content and, unless NULL, this name. */
static size_t find_first(const struct sync_moves *moves, const struct sync_came *came,
			 const char *name)
{
	size_t low = 0;
	size_t high = moves->gone_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct sync_gone *gone = &moves->gone[middle];
		int order = compare_content(&gone->identity, gone->size_bytes, &came->identity,
					    came->size_bytes);
		if (order == 0 && name != NULL)
			order = strcmp(gone->name, name);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool take(struct sync_moves *moves, struct sync_came *came, size_t at)
{
	struct sync_gone *gone = &moves->gone[at];

	if (gone->is_taken ||
	    !sync_is_same_message(came, &gone->identity, gone->size_bytes, gone->flags, gone->name))
		return false;
	gone->is_taken = true;
	came->was = at;
	return true;
}

static void find_by_name(struct sync_moves *moves, struct sync_came *came)
{
	for (size_t i = find_first(moves, came, came->name); i < moves->gone_count; i++) {
		if (strcmp(moves->gone[i].name, came->name) != 0 || take(moves, came, i))
			return;
	}
}

/* A run of equal content is gone through once, however many come: its first entry says where the
 * search goes on. Drafts are passed by for good, as no file of another name is one. */
static void find_by_content(struct sync_moves *moves, struct sync_came *came)
{
	size_t first = find_first(moves, came, NULL);

	if (first == moves->gone_count || (came->flags & FLAG_DRAFT) != 0)
		return;
	struct sync_gone *head = &moves->gone[first];
	for (size_t i = head->next > first ? head->next : first; i < moves->gone_count; i++) {
		const struct sync_gone *gone = &moves->gone[i];
		if (compare_content(&gone->identity, gone->size_bytes, &came->identity,
				    came->size_bytes) != 0)
			return;
		head->next = i + 1;
		if (take(moves, came, i))
			return;
	}
}

static bool may_have_grown(const struct sync_came *came, const struct sync_gone *gone)
{
	return gone->mailbox != came->mailbox && !gone->is_taken && (gone->flags & FLAG_DRAFT) == 0;
}

static void find_grown(struct sync_moves *moves, struct sync_came *came)
{
	struct sync_came smaller = *came;

	if ((came->flags & FLAG_DRAFT) != 0 || !digest_has_message_id(&came->identity))
		return;
	smaller.size_bytes -=
		came->size_bytes < SYNC_HEADER_ADDED_MAX ? came->size_bytes : SYNC_HEADER_ADDED_MAX;
	for (size_t i = find_first(moves, &smaller, NULL); i < moves->gone_count; i++) {
		struct sync_gone *gone = &moves->gone[i];
		if (compare_content(&gone->identity, gone->size_bytes, &came->identity,
				    came->size_bytes) >= 0)
			return;
		if (may_have_grown(came, gone)) {
			gone->is_taken = true;
			came->was = i;
			return;
		}
	}
}

void sync_moves_find(struct sync_moves *moves)
{
	if (moves->gone_count == 0)
		return;
	qsort(moves->gone, moves->gone_count, sizeof(*moves->gone), compare_gone);
	for (size_t i = 0; i < moves->gone_count; i++) {
		if (moves->gone[i].by != SYNC_NOT_MOVED)
			moves->came[moves->gone[i].by].was = i;
	}
	for (size_t i = 0; i < moves->came_count; i++) {
		if (moves->came[i].was == SYNC_NOT_MOVED)
			find_by_name(moves, &moves->came[i]);
	}
	for (size_t i = 0; i < moves->came_count; i++) {
		if (moves->came[i].was == SYNC_NOT_MOVED)
			find_by_content(moves, &moves->came[i]);
	}
	for (size_t i = 0; i < moves->came_count; i++) {
		if (moves->came[i].was == SYNC_NOT_MOVED)
			find_grown(moves, &moves->came[i]);
	}
}
