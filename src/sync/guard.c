/* Which of the removals that a pass has planned it carries out now. An emptied directory or a
 * server restored from nothing must not take the other side with it (CONTRACT 2.2
 * `deletion_limit`). SPDX-License-Identifier: MIT */
#include "pass.h"

#define PLACES_MAX 16 /* copies of one message that are looked at */

/* What is removed here may be what another mailbox is about to get. */
static void leave_removals(struct sync_pass *pass)
{
	size_t dropped = sync_plan_drop(&pass->plan, SYNC_EXPUNGE) +
			 sync_plan_drop(&pass->plan, SYNC_REMOVE);

	pass->result.left_removals = dropped > 0;
	pass->is_left_over |= dropped > 0;
}

/* --- Mass deletion -------------------------------------------------------------------------- */

/* Whether another mailbox has what this place says, and keeps it: one that is being passed over may
 * be about to lose it, too, as this one's copy vouches for it. */
static int is_place_another(struct sync_pass *pass, const struct message_record *message,
			    const struct message_place *place, bool *is_another, struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct message_record other;
	bool is_there = false;

	*is_another = false;
	if (place->mailbox_id == pass->mailbox.id ||
	    (pass->options.is_passed_over != NULL &&
	     pass->options.is_passed_over(pass, place->mailbox_id)))
		return 0;
	int code = store->ops->message_get(store, place->mailbox_id, place->uid, &is_there, &other,
					   err);
	*is_another = code == 0 && is_there && other.size_bytes == message->size_bytes;
	return code;
}

static int is_elsewhere(struct sync_pass *pass, uint32_t uid, bool *is_found, struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct message_place places[PLACES_MAX];
	struct message_record message;
	size_t count = 0;
	int code = store->ops->message_get(store, pass->mailbox.id, uid, is_found, &message, err);

	if (code == 0 && *is_found && digest_has_message_id(&message.identity))
		code = store->ops->messages_by_identity(store, &message.identity, places,
							PLACES_MAX, &count, err);
	*is_found = false;
	for (size_t i = 0; code == 0 && i < count && !*is_found; i++)
		code = is_place_another(pass, &message, &places[i], is_found, err);
	return code;
}

/* How many of the files to be removed are of messages that are in another mailbox by now: moved
 * there on the server, mostly. Moves do not count (CONTRACT 2.2). */
static int count_moved(struct sync_pass *pass, size_t *moved, struct error *err)
{
	size_t count = 0;
	const struct sync_action *actions = sync_plan_of(&pass->plan, SYNC_REMOVE, &count);
	int code = 0;

	*moved = 0;
	for (size_t i = 0; code == 0 && i < count; i++) {
		bool is_found = false;
		code = is_elsewhere(pass, actions[i].uid, &is_found, err);
		*moved += is_found;
	}
	return code;
}

static void note_held(struct sync_pass *pass, enum sync_action_kind kind, size_t count,
		      size_t total)
{
	struct error held = { 0 };

	pass->result.held_deletions = count;
	pass->result.held_is_remote = kind == SYNC_EXPUNGE;
	error_set(&held, SYNCD_EHELD,
		  "%zu of %zu messages would be deleted %s: held back, as that is more than "
		  "deletion_limit (%u%%)",
		  count, total, kind == SYNC_EXPUNGE ? "on the server" : "in the maildir",
		  pass->options.deletion_limit.percent);
	pass_refuse(pass, &held);
}

static int guard_kind(struct sync_pass *pass, enum sync_action_kind kind, struct error *err)
{
	const struct sync_limit *limit = &pass->options.deletion_limit;
	struct store_port *store = pass->ports.store;
	size_t total = 0;
	size_t count = 0;
	size_t moved = 0;

	(void)sync_plan_of(&pass->plan, kind, &count);
	int code = store->ops->message_count(store, pass->mailbox.id, &total, err);
	if (code == 0 && kind == SYNC_REMOVE && sync_limit_is_passed(limit, count, total))
		code = count_moved(pass, &moved, err);
	if (code == 0 && sync_limit_is_passed(limit, count - moved, total))
		note_held(pass, kind, sync_plan_drop(&pass->plan, kind), total);
	return code;
}

int pass_guard(struct sync_pass *pass, struct error *err)
{
	if (pass->options.leaves_removals && !pass->options.is_dry_run) {
		leave_removals(pass);
		return 0;
	}
	int code = guard_kind(pass, SYNC_EXPUNGE, err);
	return code == 0 ? guard_kind(pass, SYNC_REMOVE, err) : code;
}
