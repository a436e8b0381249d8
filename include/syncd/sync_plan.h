/* The heart: how the three truths of a message become actions. Pure functions,
 * no I/O and no clock; plus the observers that turn listings into deltas.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_PLAN_H
#define SYNCD_SYNC_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/action.h"
#include "syncd/delta.h"
#include "syncd/error.h"
#include "syncd/ports.h"
#include "syncd/sync_waiting.h"

enum sync_direction {
	SYNC_BOTH,
	SYNC_PULL, /* the server wins, nothing is sent */
	SYNC_PUSH, /* the maildir wins, nothing is written locally */
};

#define SYNC_DIRECTION_COUNT 3

struct sync_policy {
	enum sync_direction direction;
	uint64_t local_mask; /* flags that each side can hold */
	uint64_t remote_mask;
	bool expunges_deleted; /* messages flagged \Deleted go from both sides, */
	bool unmarks_deleted;  /* or with this, too, they lose that flag */
};

/* What the rules say of one message. */
enum sync_outcome {
	OUTCOME_IMPOSSIBLE, /* this pair of changes cannot come up */
	OUTCOME_NOTHING,
	OUTCOME_MERGE,       /* each flag takes the value of the side that changed it */
	OUTCOME_REMOTE_WINS, /* local flags become the server's */
	OUTCOME_LOCAL_WINS,
	OUTCOME_FETCH, /* bring it, or bring it back */
	OUTCOME_APPEND,
	OUTCOME_EXPUNGE, /* remove on the server */
	OUTCOME_REMOVE,  /* remove in the maildir */
	OUTCOME_FORGET,  /* drop the record; what is left on one side is new there from then on */
};

/* The conflict table's entry (CONTRACT 3). */
enum sync_outcome sync_rule(enum sync_direction direction, enum side_change local,
			    enum side_change remote);

/* Adds the actions for one message. */
void sync_plan_item(struct sync_plan *plan, const struct sync_policy *policy,
		    const struct sync_item *item);

/* Joins two sorted deltas by UID and plans every message in them. The names in
 * `local` must outlive the plan. */
void sync_plan_make(struct sync_plan *plan, const struct sync_policy *policy,
		    const struct delta *local, const struct delta *remote);

/* Adds what becomes of a message that neither side changed: with expunges_deleted it may have been
 * flagged long ago. */
void sync_plan_unchanged(struct sync_plan *plan, const struct sync_policy *policy, uint32_t uid,
			 uint64_t agreed);

/* Whether it was not refused but left on the server for its size. */
bool sync_is_too_large(const struct setaside_record *record);

/* --- Observers: listings merged with the agreed state ------------------------- */

/* Messages that one side refuses, not to be planned before their time. */
struct sync_setaside {
	struct setaside_record *records; /* sorted: local ones by name, then by uid */
	size_t count;
	size_t cap;
};

/* Loads a mailbox's; free with sync_setaside_free. */
int sync_setaside_load(struct store_port *store, uint32_t mailbox_id, struct sync_setaside *out,
		       struct error *err);
void sync_setaside_free(struct sync_setaside *setaside);

/* The record of a UID, or of a name when uid is 0; NULL when there is none. */
const struct setaside_record *sync_setaside_find(const struct sync_setaside *setaside, uint32_t uid,
						 const char *name);

/* Adds or replaces a record / takes one out; false when there was none. */
void sync_setaside_put(struct sync_setaside *setaside, const struct setaside_record *record);
bool sync_setaside_remove(struct sync_setaside *setaside, uint32_t uid, const char *name);

/* Fills in what a refusal by now makes of `record`: reason, attempts and the next try, later each
 * time. `before` is what there was before, or NULL. */
void sync_setaside_refused(struct setaside_record *record, const struct setaside_record *before,
			   int64_t now_s, const struct error *why);

/* What an observer needs beside the listing. */
struct sync_observer {
	struct store_port *store;
	uint32_t mailbox_id;
	/* Flags whose absence means something. Others may be seen, as on a server that shows a
	 * flag without letting us change it; absent, they count as agreed. */
	uint64_t mask;
	const struct sync_setaside *setaside;
	const struct sync_waiting *waiting; /* what is new and not planned; or NULL */
	int64_t now_s;                      /* set-aside messages due by now are planned again */
};

/* Fill `delta` (initialised), sorted. The listing must be sorted and outlive it. An
 * incomplete or unstable listing yields no SIDE_GONE. Return 0 or the store's failure. */
int sync_observe_remote(const struct sync_observer *observer,
			const struct remote_observation *observation, struct delta *delta,
			struct error *err);
int sync_observe_local(const struct sync_observer *observer, const struct local_listing *listing,
		       struct delta *delta, struct error *err);

#endif
