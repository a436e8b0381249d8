/* The rules for mailboxes, as CONTRACT 2.2 (create, remove) has them.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_boxes.h"

#include <string.h>

static bool is_inbox(const struct sync_box *box)
{
	return strcmp(box->name, "INBOX") == 0;
}

static bool is_known(const struct sync_box *box)
{
	return box->record != NULL && box->record->uidvalidity != 0;
}

/* --- Renames ------------------------------------------------------------------------- */

/* New on the server, and its own. */
static bool can_be_new_remote(const struct sync_box *box)
{
	return box->is_remote && box->record == NULL && !is_inbox(box) && !box->is_other;
}

static bool can_be_new_local(const struct sync_box *box)
{
	return box->is_local && box->record == NULL && !is_inbox(box);
}

static bool is_missing_remote(const struct sync_box *box)
{
	return is_known(box) && !box->is_remote && !is_inbox(box);
}

static bool is_missing_local(const struct sync_box *box)
{
	return is_known(box) && !box->is_local && !is_inbox(box);
}

static bool has_ids(const struct mailbox_record *record, const struct sync_box *box)
{
	return record->remote_id != 0 && box->remote_id != 0;
}

/* Without ids, UIDVALIDITY: many servers make it of the time, so that mailboxes made in one second
 * share it. One without agreed messages, of which none can be compared, is then not taken for
 * renamed: what is new in it here would go where it does not belong. */
static bool is_same_remote(const struct sync_box *before, const struct sync_box *box)
{
	const struct mailbox_record *record = before->record;

	if (has_ids(record, box))
		return record->remote_id == box->remote_id;
	return before->messages > 0 && box->status.uidvalidity == record->uidvalidity &&
	       box->status.uidnext >= record->uidnext;
}

static bool is_same_local(const struct mailbox_record *record, const struct sync_box *box)
{
	return record->local_id != 0 && record->local_id == box->local_id;
}

/* The one mailbox new on the server that `box` may have become, when it is the only one that
 * may. */
static size_t find_remote(const struct sync_box *boxes, size_t count, size_t at)
{
	size_t found = SYNC_NO_BOX;

	if (!is_missing_remote(&boxes[at]))
		return SYNC_NO_BOX;
	for (size_t i = 0; i < count; i++) {
		if (can_be_new_remote(&boxes[i]) && is_same_remote(&boxes[at], &boxes[i])) {
			if (found != SYNC_NO_BOX)
				return SYNC_NO_BOX;
			found = i;
		}
	}
	if (found == SYNC_NO_BOX || has_ids(boxes[at].record, &boxes[found]))
		return found; /* one whose id is not known does not make an id doubtful */
	for (size_t i = 0; i < count; i++) {
		if (i != at && is_missing_remote(&boxes[i]) &&
		    is_same_remote(&boxes[i], &boxes[found]))
			return SYNC_NO_BOX;
	}
	return found;
}

static size_t find_local(const struct sync_box *boxes, size_t count, size_t at)
{
	for (size_t i = 0; is_missing_local(&boxes[at]) && i < count; i++) {
		if (can_be_new_local(&boxes[i]) && is_same_local(boxes[at].record, &boxes[i]))
			return i;
	}
	return SYNC_NO_BOX;
}

static void set_rename(struct sync_box *box, enum sync_box_action action, size_t from, size_t known,
		       const struct sync_box *boxes)
{
	const struct mailbox_record *record = boxes[known].record;

	box->action = action;
	box->from = from;
	box->known = known;
	box->is_unsure =
		action != BOX_RENAME_REMOTE && (record->remote_id == 0 || box->remote_id == 0);
}

/* True when the mailbox that the state calls `at` has another name by now, which is dealt with. */
static bool plan_rename(struct sync_box *boxes, size_t count, size_t at,
			const struct sync_box_policy *policy)
{
	size_t remote = find_remote(boxes, count, at);
	size_t local = find_local(boxes, count, at);
	bool may_local = policy->may_create_local && policy->may_remove_local &&
			 policy->direction != SYNC_PUSH;
	bool may_remote = policy->may_create_remote && policy->may_remove_remote &&
			  policy->direction != SYNC_PULL;

	/* A number that came again: the server has one of that name, which this one belongs to. */
	if (local != SYNC_NO_BOX && local != remote && boxes[local].is_remote)
		local = SYNC_NO_BOX;
	size_t behind = boxes[at].is_local ? at : local;
	if (remote != SYNC_NO_BOX && remote == local) {
		set_rename(&boxes[remote], BOX_RENAME_STATE, remote, at, boxes);
		return true;
	}
	if (remote != SYNC_NO_BOX && behind != SYNC_NO_BOX && !boxes[remote].is_local &&
	    may_local) {
		set_rename(&boxes[remote], BOX_RENAME_LOCAL, behind, at, boxes);
		return true;
	}
	if (local != SYNC_NO_BOX && boxes[at].is_remote && may_remote) {
		set_rename(&boxes[local], BOX_RENAME_REMOTE, at, at, boxes);
		return true;
	}
	return false;
}

bool sync_boxes_may_rename(const struct sync_box *boxes, size_t count)
{
	bool is_any_missing = false;
	bool is_any_untold = false;

	for (size_t i = 0; i < count; i++) {
		is_any_missing |= is_missing_remote(&boxes[i]);
		is_any_untold |= can_be_new_remote(&boxes[i]) && boxes[i].status.uidvalidity == 0;
	}
	return is_any_missing && is_any_untold;
}

/* --- One by one ---------------------------------------------------------------------- */

/* Pushing, what the server lacks is sent again; pulling, nothing is sent. */
static enum sync_box_action plan_missing_remote(const struct sync_box *box,
						const struct sync_box_policy *policy)
{
	bool is_deleted = is_known(box) && !is_inbox(box);

	if (is_deleted && policy->direction != SYNC_PUSH)
		return policy->may_remove_local ? BOX_DELETE_LOCAL : BOX_NOTHING;
	return policy->may_create_remote && policy->direction != SYNC_PULL ? BOX_CREATE_REMOTE
									   : BOX_NOTHING;
}

static enum sync_box_action plan_missing_local(const struct sync_box *box,
					       const struct sync_box_policy *policy)
{
	bool is_deleted = is_known(box) && !is_inbox(box);

	if (is_deleted && policy->direction != SYNC_PULL)
		return policy->may_remove_remote ? BOX_DELETE_REMOTE : BOX_NOTHING;
	return policy->may_create_local && policy->direction != SYNC_PUSH ? BOX_CREATE_LOCAL
									  : BOX_NOTHING;
}

static enum sync_box_action plan_one(const struct sync_box *box,
				     const struct sync_box_policy *policy)
{
	if (box->is_remote && box->is_local)
		return BOX_PASS;
	if (box->is_local)
		return plan_missing_remote(box, policy);
	if (box->is_remote)
		return plan_missing_local(box, policy);
	return box->record != NULL ? BOX_FORGET : BOX_NOTHING;
}

void sync_boxes_plan(struct sync_box *boxes, size_t count, const struct sync_box_policy *policy)
{
	struct sync_box_policy careful = *policy;

	careful.may_remove_local &= policy->lists_inbox;
	for (size_t i = 0; i < count; i++) {
		boxes[i].action = plan_one(&boxes[i], &careful);
		boxes[i].from = boxes[i].known = SYNC_NO_BOX;
		boxes[i].is_unsure = false;
	}
	for (size_t i = 0; i < count; i++) {
		if (plan_rename(boxes, count, i, &careful))
			boxes[i].action = BOX_NOTHING;
	}
	for (size_t i = 0; i < count; i++) {
		if (boxes[i].from != SYNC_NO_BOX && boxes[i].from != i)
			boxes[boxes[i].from].action = BOX_NOTHING;
	}
}

/* --- Too much at once ------------------------------------------------------------------ */

/* It stays so until a person decides. */
static bool was_held(const struct sync_box *box, const struct sync_limit *limit)
{
	return box->messages > 0 &&
	       sync_limit_was_passed(limit, box->action == BOX_DELETE_REMOTE
						    ? &box->record->held_remote
						    : &box->record->held_local);
}

static void hold(struct sync_box *boxes, size_t count, enum sync_box_action action,
		 enum sync_box_action held, const struct sync_limit *limit)
{
	size_t total = 0;
	size_t going = 0;

	for (size_t i = 0; i < count; i++) {
		total += boxes[i].messages;
		going += boxes[i].action == action ? boxes[i].messages : 0;
	}
	bool is_much = sync_limit_is_passed(limit, going, total);
	for (size_t i = 0; i < count; i++) {
		if (boxes[i].action == action && (is_much || was_held(&boxes[i], limit)))
			boxes[i].action = held;
	}
}

void sync_boxes_hold(struct sync_box *boxes, size_t count, const struct sync_limit *limit)
{
	hold(boxes, count, BOX_DELETE_LOCAL, BOX_HOLD_LOCAL, limit);
	hold(boxes, count, BOX_DELETE_REMOTE, BOX_HOLD_REMOTE, limit);
}
