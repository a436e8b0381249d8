/* Where a message's file should be by its name alone, when no directory was read.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "maildir_private.h"

/* The n-th subset (from 0) of a set of system flags; false behind the last one but the set itself.
 */
static bool proper_subset(uint64_t set, size_t n, uint64_t *subset)
{
	size_t left = n;

	*subset = 0;
	for (uint64_t bit = 1; bit <= FLAGS_SYSTEM; bit <<= 1) {
		if ((set & bit) == 0)
			continue;
		if ((left & 1) != 0)
			*subset |= bit;
		left >>= 1;
	}
	return left == 0 && *subset != set;
}

/* An empty name when there is no room for it. */
static void format_in_cur(const char *base, uint64_t letters, struct maildir_place *place)
{
	struct error ignored;

	place->is_new = false;
	if (maildir_file_format(slice_of(base), slice_of(""), letters, 0, place->file, &ignored) !=
	    0)
		place->file[0] = '\0';
}

static void format_bare(const char *base, bool is_new, struct maildir_place *place)
{
	place->is_new = is_new;
	(void)snprintf(place->file, sizeof(place->file), "%s", base);
}

bool guess_place(const struct maildir_target *target, size_t n, struct maildir_place *place)
{
	bool is_new_first = target->letters == 0;
	uint64_t subset;

	if (n == (is_new_first ? 1u : 0u)) {
		format_in_cur(target->base, target->letters, place);
		return true;
	}
	if (n <= 1) {
		format_bare(target->base, true, place);
		return true;
	}
	if (n < GUESSES_LIKELY) {
		format_bare(target->base, false, place);
		return true;
	}
	if (!proper_subset(target->letters & FLAGS_SYSTEM, n - GUESSES_LIKELY, &subset))
		return false;
	format_in_cur(target->base, subset | (target->letters & FLAGS_KEYWORDS), place);
	return true;
}
