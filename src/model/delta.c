/* Deltas of one side.
 * SPDX-License-Identifier: MIT */
#include "syncd/delta.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

void delta_init(struct delta *delta)
{
	*delta = (struct delta){ .count = 0 };
}

void delta_free(struct delta *delta)
{
	free(delta->entries);
	delta_init(delta);
}

void delta_add(struct delta *delta, const struct delta_entry *entry)
{
	delta->entries = xgrow(delta->entries, delta->count, &delta->cap, sizeof(*delta->entries));
	delta->entries[delta->count++] = *entry;
}

static int compare_entries(const void *a, const void *b)
{
	const struct delta_entry *left = a;
	const struct delta_entry *right = b;

	if (left->uid != right->uid)
		return left->uid > right->uid ? 1 : -1;
	if (left->name == NULL || right->name == NULL)
		return 0;
	return strcmp(left->name, right->name);
}

void delta_sort(struct delta *delta)
{
	if (delta->count > 1)
		qsort(delta->entries, delta->count, sizeof(*delta->entries), compare_entries);
}
