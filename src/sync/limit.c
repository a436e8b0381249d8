/* How many deletions are too many.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_limit.h"

#include <stdint.h>

bool sync_limit_is_passed(const struct sync_limit *limit, size_t count, size_t total)
{
	return limit->percent != 0 && count >= limit->messages &&
	       (uint64_t)count * 100 > (uint64_t)total * limit->percent;
}

bool sync_limit_was_passed(const struct sync_limit *limit, const struct held_deletions *held)
{
	return held->count > 0 && sync_limit_is_passed(limit, held->count, held->total);
}

bool sync_limit_holds(const struct sync_limit *limit, const struct held_deletions *held,
		      size_t count, size_t total)
{
	return sync_limit_is_passed(limit, count, total) ||
	       (count > 0 && sync_limit_was_passed(limit, held));
}
