/* What changed on one side since the state was last agreed, and what the three
 * parties say of each message concerned. Plain data between observers and planner.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DELTA_H
#define SYNCD_DELTA_H

#include <stddef.h>
#include <stdint.h>

enum side_change {
	SIDE_NEVER, /* this side never had it */
	SIDE_SAME,  /* as agreed */
	SIDE_FLAGS, /* its flags are not the agreed ones */
	SIDE_GONE,
	SIDE_NEW, /* the state does not know it */
};

#define SIDE_CHANGE_COUNT 5

/* One change on one side. */
struct delta_entry {
	enum side_change change; /* SIDE_NEW, SIDE_GONE or SIDE_FLAGS */
	uint32_t uid;            /* 0: a new local message */
	uint64_t flags;          /* as they are now; 0 when gone */
	uint64_t agreed;         /* 0 when new */
	const char *name;        /* local new and flags: base name, borrowed from the listing */
};

/* Sorted by UID, the new local ones (UID 0) first in name order. */
struct delta {
	struct delta_entry *entries;
	size_t count;
	size_t cap;
};

void delta_init(struct delta *delta);
void delta_free(struct delta *delta);
void delta_add(struct delta *delta, const struct delta_entry *entry);
void delta_sort(struct delta *delta);

/* One message as the three parties see it: what the planner's rules are about. */
struct sync_item {
	uint32_t uid;     /* 0: the server does not have it */
	const char *name; /* when known from the local delta, else NULL */
	enum side_change local;
	enum side_change remote;
	uint64_t agreed;
	uint64_t local_flags; /* = agreed when same */
	uint64_t remote_flags;
};

#endif
