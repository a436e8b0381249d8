/* The conflict table: CONTRACT section 3 as data.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_plan.h"

#include "syncd/must.h"

struct rule {
	enum side_change local;
	enum side_change remote;
	enum sync_outcome outcomes[SYNC_DIRECTION_COUNT]; /* both, pull, push */
};

/* Read a row as: "locally ..., remotely ...; then, by direction: ...". A deletion
 * wins over a flag change; a message one side does not know is copied to it. */
static const struct rule rules[] = {
	/* local       remote       both             pull                 push */
	{ SIDE_SAME, SIDE_SAME, { OUTCOME_NOTHING, OUTCOME_NOTHING, OUTCOME_NOTHING } },
	{ SIDE_SAME, SIDE_FLAGS, { OUTCOME_MERGE, OUTCOME_MERGE, OUTCOME_LOCAL_WINS } },
	{ SIDE_SAME, SIDE_GONE, { OUTCOME_REMOVE, OUTCOME_REMOVE, OUTCOME_FORGET } },
	{ SIDE_FLAGS, SIDE_SAME, { OUTCOME_MERGE, OUTCOME_REMOTE_WINS, OUTCOME_MERGE } },
	{ SIDE_FLAGS, SIDE_FLAGS, { OUTCOME_MERGE, OUTCOME_REMOTE_WINS, OUTCOME_LOCAL_WINS } },
	{ SIDE_FLAGS, SIDE_GONE, { OUTCOME_REMOVE, OUTCOME_REMOVE, OUTCOME_FORGET } },
	{ SIDE_GONE, SIDE_SAME, { OUTCOME_EXPUNGE, OUTCOME_FETCH, OUTCOME_EXPUNGE } },
	{ SIDE_GONE, SIDE_FLAGS, { OUTCOME_EXPUNGE, OUTCOME_FETCH, OUTCOME_EXPUNGE } },
	{ SIDE_GONE, SIDE_GONE, { OUTCOME_FORGET, OUTCOME_FORGET, OUTCOME_FORGET } },
	{ SIDE_NEVER, SIDE_NEW, { OUTCOME_FETCH, OUTCOME_FETCH, OUTCOME_NOTHING } },
	{ SIDE_NEW, SIDE_NEVER, { OUTCOME_APPEND, OUTCOME_NOTHING, OUTCOME_APPEND } },
};

enum sync_outcome sync_rule(enum sync_direction direction, enum side_change local,
			    enum side_change remote)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].local == local && rules[i].remote == remote)
			return rules[i].outcomes[direction];
	}
	return OUTCOME_IMPOSSIBLE;
}
