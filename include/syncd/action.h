/* What the planner wants done, in the order it is to be done.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ACTION_H
#define SYNCD_ACTION_H

#include <stddef.h>
#include <stdint.h>

/* In the order of execution: what makes a message safe comes before what removes one. */
enum sync_action_kind {
	SYNC_FETCH,     /* uid, flags: bring a remote message */
	SYNC_APPEND,    /* name, flags: send a local message */
	SYNC_STORE,     /* uid, add, remove: change flags on the server */
	SYNC_SET_FLAGS, /* uid, name or NULL, add, remove: change flags in the maildir; with uid 0
			   of name, which has flags */
	SYNC_AGREE,     /* uid, flags: both sides now have these */
	SYNC_EXPUNGE,   /* uid: remove on the server */
	SYNC_REMOVE,    /* uid, or name when it is 0: remove in the maildir */
	SYNC_FORGET,    /* uid: gone on both sides */
};

#define SYNC_ACTION_KIND_COUNT 8

struct sync_action {
	enum sync_action_kind kind;
	uint32_t uid;
	const char *name; /* borrowed from the local listing, or NULL */
	uint64_t flags;
	uint64_t add;
	uint64_t remove;
};

struct sync_plan {
	struct sync_action *actions; /* sorted by kind; then add, remove, uid */
	size_t count;
	size_t cap;
};

void sync_plan_init(struct sync_plan *plan);
void sync_plan_free(struct sync_plan *plan);
void sync_plan_add(struct sync_plan *plan, const struct sync_action *action);
void sync_plan_sort(struct sync_plan *plan);

/* The first action of a kind, *count of them in a row. */
const struct sync_action *sync_plan_of(const struct sync_plan *plan, enum sync_action_kind kind,
				       size_t *count);

/* Takes all actions of a kind out; returns how many there were. */
size_t sync_plan_drop(struct sync_plan *plan, enum sync_action_kind kind);

/* "fetch", "append", ... for people and logs. */
const char *sync_action_name(enum sync_action_kind kind);

#endif
