/* The guard against mass deletion (CONTRACT 2.2 `deletion_limit`): an emptied directory
 * or a server restored from nothing must not take the other side with it.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_plan.h"

#include "syncd/must.h"

#define GUARD_MESSAGES_MIN 20 /* fewer deletions are never held */

size_t sync_guard(struct sync_plan *plan, enum sync_action_kind kind, size_t total,
		  unsigned limit_percent)
{
	size_t count = 0;

	must(kind == SYNC_EXPUNGE || kind == SYNC_REMOVE);
	(void)sync_plan_of(plan, kind, &count);
	if (limit_percent == 0 || count < GUARD_MESSAGES_MIN ||
	    (uint64_t)count * 100 <= (uint64_t)total * limit_percent)
		return 0;
	return sync_plan_drop(plan, kind);
}
