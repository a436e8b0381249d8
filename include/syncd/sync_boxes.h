/* What is to become of an account's mailboxes: made, deleted or renamed on one side because they
 * were on the other. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_BOXES_H
#define SYNCD_SYNC_BOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/ports.h"
#include "syncd/record.h"
#include "syncd/sync_limit.h"
#include "syncd/sync_plan.h"

enum sync_box_action {
	BOX_NOTHING, /* neither side has it, or one that shall have it alone */
	BOX_PASS,    /* both have it */
	BOX_CREATE_LOCAL,
	BOX_CREATE_REMOTE,
	/* It was deleted on the other side: here too, unless there is a message that the state
	 * does not know; then it is made anew there. */
	BOX_DELETE_LOCAL,
	BOX_DELETE_REMOTE,
	BOX_HOLD_LOCAL, /* as before, but too much would go at once */
	BOX_HOLD_REMOTE,
	/* It was deleted there, and held on the other side: made anew with what that one has. */
	BOX_RESTORE_LOCAL,
	BOX_RESTORE_REMOTE,
	BOX_FORGET,        /* neither side has it, the state does */
	BOX_RENAME_LOCAL,  /* `from` gets this name, there and in the state */
	BOX_RENAME_REMOTE, /* the same */
	BOX_RENAME_STATE,  /* on both sides that has happened */
};

#define SYNC_NO_BOX SIZE_MAX

/* A mailbox as it is found, by name. */
struct sync_box {
	const char *name;
	bool is_remote;
	bool is_local;
	const struct mailbox_record *record; /* NULL: the state has none of that name */
	size_t messages;                     /* agreed */
	struct mailbox_status status;        /* of the server's; 0: not told */
	uint64_t remote_id;                  /* mailbox_info.lasting_id; 0: not known */
	uint64_t local_id;
	/* Results. */
	enum sync_box_action action;
	size_t from;  /* renames: who has the old name on the side that is behind */
	size_t known; /* renames: who has the record */
	/* Only UIDVALIDITY and UIDNEXT say that it is the same mailbox on the server: its messages
	 * have to be looked at. */
	bool is_unsure;
	/* Input: looked at, and found to be no renamed one. */
	bool is_other;
};

struct sync_box_policy {
	enum sync_direction direction;
	bool may_create_local;
	bool may_create_remote;
	bool may_remove_local; /* a rename needs both */
	bool may_remove_remote;
	bool lists_inbox; /* the server does, wanted or not */
};

/* Whether one that the server has anew may be the one that it lacks: worth asking for its status
 * where that was not told. */
bool sync_boxes_may_rename(const struct sync_box *boxes, size_t count);

/* Fills the results. A server that does not even list INBOX is believed nothing to be deleted, and
 * INBOX is never deleted or renamed. Renamed on both sides, the server's name counts. */
void sync_boxes_plan(struct sync_box *boxes, size_t count, const struct sync_box_policy *policy);

/* Holds all deletions of mailboxes on a side (BOX_HOLD_*) when too many of the account's messages
 * would go with them. */
void sync_boxes_hold(struct sync_box *boxes, size_t count, const struct sync_limit *limit);

#endif
