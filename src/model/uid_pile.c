/* UIDs in any order, to be sorted at the end.
 * SPDX-License-Identifier: MIT */
#include "syncd/uid_pile.h"

#include <stdbool.h>
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/error.h"
#include "syncd/must.h"

void uid_pile_free(struct uid_pile *pile)
{
	free(pile->ranges);
	*pile = (struct uid_pile){ 0 };
}

static int compare_ranges(const void *a, const void *b)
{
	const struct uid_range *left = a;
	const struct uid_range *right = b;

	return (left->low > right->low) - (left->low < right->low);
}

/* Joins the range to that one if they overlap or are neighbours. */
static bool join(struct uid_range *range, struct uid_range more)
{
	bool is_behind = range->high != UINT32_MAX && more.low > range->high + 1;
	bool is_before = more.high != UINT32_MAX && range->low > more.high + 1;

	if (is_behind || is_before)
		return false;
	if (more.low < range->low)
		range->low = more.low;
	if (more.high > range->high)
		range->high = more.high;
	return true;
}

static void sort(struct uid_pile *pile)
{
	size_t kept = 0;

	if (pile->count > 1)
		qsort(pile->ranges, pile->count, sizeof(*pile->ranges), compare_ranges);
	for (size_t i = 0; i < pile->count; i++) {
		if (kept == 0 || !join(&pile->ranges[kept - 1], pile->ranges[i]))
			pile->ranges[kept++] = pile->ranges[i];
	}
	pile->count = kept;
}

int uid_pile_add_range(struct uid_pile *pile, uint32_t low, uint32_t high)
{
	struct uid_range range = { low, high };
	bool is_full = pile->count == UIDSET_RANGES_MAX;

	must(low >= 1 && low <= high);
	if (pile->count > 0 && join(&pile->ranges[pile->count - 1], range))
		return 0;
	if (is_full)
		sort(pile);
	/* Fuller it would be sorted again too soon. */
	if (is_full && pile->count > UIDSET_RANGES_MAX / 2) {
		uid_pile_free(pile);
		return SYNCD_ELIMIT;
	}
	pile->ranges = xgrow(pile->ranges, pile->count, &pile->cap, sizeof(*pile->ranges));
	pile->ranges[pile->count++] = range;
	return 0;
}

int uid_pile_move(struct uid_pile *pile, struct uidset *set)
{
	int rc = 0;

	sort(pile);
	struct uidset sorted = { .ranges = pile->ranges, .range_count = pile->count };
	if (pile->count > 0)
		rc = uidset_merge(set, &sorted);
	uid_pile_free(pile);
	return rc;
}
