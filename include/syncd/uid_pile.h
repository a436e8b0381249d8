/* UIDs as a stranger sends them, in any order. A set would have to move all that it has for each
 * one that comes in descending order; a pile is sorted when it is complete.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_UID_PILE_H
#define SYNCD_UID_PILE_H

#include <stddef.h>
#include <stdint.h>

#include "syncd/uidset.h"

/* A zeroed struct is empty. */
struct uid_pile {
	struct uid_range *ranges;
	size_t count;
	size_t cap;
};

/* Frees the memory; the pile is empty and may be used again. */
void uid_pile_free(struct uid_pile *pile);

/* Adds all from `low` to `high` (1 <= low <= high is a must), in constant time but for sorting now
 * and then. Returns 0, or SYNCD_ELIMIT when more than half of UIDSET_RANGES_MAX do not join: then
 * the pile is empty, and what was in it worth nothing. */
int uid_pile_add_range(struct uid_pile *pile, uint32_t low, uint32_t high);

/* Adds all of it to the set and frees it, in any outcome. Returns as uidset_add. */
int uid_pile_move(struct uid_pile *pile, struct uidset *set);

#endif
