/* How many deletions are too many to be carried out unasked (CONTRACT 2.2 deletion_limit), and what
 * a person may say of them. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_LIMIT_H
#define SYNCD_SYNC_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/record.h"

#define SYNC_LIMIT_MESSAGES 20

struct sync_limit {
	unsigned percent; /* of the messages there are; 0: no limit */
	size_t messages;  /* fewer are never too many: SYNC_LIMIT_MESSAGES, but in tests */
};

/* What becomes of deletions that are too many. */
enum sync_decision {
	SYNC_HOLD,    /* nobody has said anything yet */
	SYNC_ACCEPT,  /* they are carried out */
	SYNC_RESTORE, /* they are undone: what was deleted on one side is brought back from the
			 other */
};

/* Of messages whose mailbox is gone from one side, and yet was not deleted (INBOX): too many,
 * however few they are. */
#define SYNC_LIMIT_ALL ((struct held_deletions){ .count = UINT32_MAX, .total = 1 })

/* Whether that is more than may go at once of `total` messages. */
bool sync_limit_is_passed(const struct sync_limit *limit, size_t count, size_t total);

/* Whether what was held then is too much still: the limit may be another by now. */
bool sync_limit_was_passed(const struct sync_limit *limit, const struct held_deletions *held);

/* The same of `count` that may be the rest of what was held before: that stays so until a person
 * decides, none is left, or the limit is another. Mail that comes, and some that are put back, make
 * the share smaller, and the deletions no more wanted. */
bool sync_limit_holds(const struct sync_limit *limit, const struct held_deletions *held,
		      size_t count, size_t total);

#endif
