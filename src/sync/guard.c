/* Which of the removals that a pass has planned it carries out now. An emptied directory or a
 * server restored from nothing must not take the other side with it (CONTRACT 2.2
 * `deletion_limit`). SPDX-License-Identifier: MIT */
#include "elsewhere.h"
#include "pass.h"

#include "syncd/must.h"

/* What is removed here may be what another mailbox is about to get. */
static void leave_removals(struct sync_pass *pass)
{
	size_t dropped = sync_plan_drop(&pass->plan, SYNC_EXPUNGE) +
			 sync_plan_drop(&pass->plan, SYNC_REMOVE);

	pass->result.left_removals = dropped > 0;
	pass->is_left_over |= dropped > 0;
}

/* --- Mass deletion -------------------------------------------------------------------------- */

static bool is_losing(void *context, uint32_t mailbox_id)
{
	struct sync_pass *pass = context;

	return pass->options.is_passed_over != NULL &&
	       pass->options.is_passed_over(pass, mailbox_id);
}

/* How many of the messages to be removed are in another mailbox by now: moved there on the server,
 * or here where a move could not be told (survey.c). Moves do not count (CONTRACT 2.2). */
static int count_moved(struct sync_pass *pass, enum sync_action_kind kind, size_t *moved,
		       struct error *err)
{
	size_t count = 0;
	const struct sync_action *actions = sync_plan_of(&pass->plan, kind, &count);
	const struct elsewhere elsewhere = {
		.store = pass->ports.store,
		.mailbox_id = pass->mailbox.id,
		.is_losing = is_losing,
		.context = pass,
	};
	int code = 0;

	*moved = 0;
	for (size_t i = 0; code == 0 && i < count; i++) {
		bool is_found = false;
		code = elsewhere_find(&elsewhere, actions[i].uid, &is_found, err);
		*moved += is_found;
	}
	return code;
}

static struct held_deletions *held_of(struct sync_pass *pass, enum sync_action_kind kind)
{
	return kind == SYNC_EXPUNGE ? &pass->mailbox.held_remote : &pass->mailbox.held_local;
}

/* Of both sides the first is told: when that is decided upon, so is the other. */
static void tell_held(struct sync_pass *pass, enum sync_action_kind kind, size_t count,
		      size_t total)
{
	struct error held = { 0 };

	if (pass->result.held_deletions > 0)
		return;
	pass->result.held_deletions = count;
	pass->result.held_is_remote = kind == SYNC_EXPUNGE;
	error_set(&held, SYNCD_EHELD,
		  "%zu of %zu messages would be deleted %s: held back, as that is more than "
		  "deletion_limit (%u%%); syncctl accept carries it out, restore undoes it",
		  count, total, kind == SYNC_EXPUNGE ? "on the server" : "in the maildir",
		  pass->options.deletion_limit.percent);
	pass_refuse(pass, &held);
}

/* What was marked as deleted goes from both sides or stays on both. */
static void drop_with_pairs(struct sync_pass *pass, enum sync_action_kind kind)
{
	struct sync_plan *plan = &pass->plan;
	struct uidset uids;
	size_t kept = 0;

	uidset_init(&uids);
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->actions[i].kind == kind && plan->actions[i].uid != 0)
			must(uidset_add(&uids, plan->actions[i].uid) == 0);
	}
	for (size_t i = 0; i < plan->count; i++) {
		const struct sync_action *action = &plan->actions[i];
		bool is_removal = action->kind == SYNC_EXPUNGE || action->kind == SYNC_REMOVE;
		if (action->kind != kind && !(is_removal && uidset_contains(&uids, action->uid)))
			plan->actions[kept++] = *action;
	}
	plan->count = kept;
	uidset_free(&uids);
}

/* The figures are those of the time when it was too much by itself. */
static void hold(struct sync_pass *pass, enum sync_action_kind kind, size_t count, size_t total)
{
	struct held_deletions *held = held_of(pass, kind);
	struct held_deletions now = { .count = (uint32_t)count, .total = (uint32_t)total };

	if (sync_limit_is_passed(&pass->options.deletion_limit, count, total) &&
	    (held->count != now.count || held->total != now.total)) {
		*held = now;
		pass->is_mailbox_recorded = false;
	}
	tell_held(pass, kind, count, total);
	drop_with_pairs(pass, kind);
}

/* Too many: what becomes of them is up to a person. */
static void decide(struct sync_pass *pass, enum sync_action_kind kind, size_t count, size_t total)
{
	switch (pass->options.decision) {
	case SYNC_HOLD:
		hold(pass, kind, count, total);
		return;
	case SYNC_ACCEPT:
		break;
	case SYNC_RESTORE:
		pass->restores_remote |= kind == SYNC_EXPUNGE;
		pass->restores_local |= kind == SYNC_REMOVE;
		break;
	}
	pass->is_decided = true;
}

static int guard_kind(struct sync_pass *pass, enum sync_action_kind kind, struct error *err)
{
	const struct sync_limit *limit = &pass->options.deletion_limit;
	const struct held_deletions *held = held_of(pass, kind);
	struct store_port *store = pass->ports.store;
	size_t total = 0;
	size_t count = 0;
	size_t moved = 0;

	(void)sync_plan_of(&pass->plan, kind, &count);
	int code = store->ops->message_count(store, pass->mailbox.id, &total, err);
	if (code == 0 && sync_limit_holds(limit, held, count, total))
		code = count_moved(pass, kind, &moved, err);
	if (code == 0 && sync_limit_holds(limit, held, count - moved, total))
		decide(pass, kind, count - moved, total);
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

/* --- Bringing them back ----------------------------------------------------------------------- */

bool pass_is_restoring(const struct sync_pass *pass)
{
	return pass->restores_remote || pass->restores_local;
}

void pass_restore(struct sync_pass *pass)
{
	for (size_t i = 0; i < pass->plan.count; i++) {
		struct sync_action *action = &pass->plan.actions[i];
		if ((action->kind == SYNC_EXPUNGE && pass->restores_remote) ||
		    (action->kind == SYNC_REMOVE && pass->restores_local))
			action->kind = SYNC_FORGET;
	}
	sync_plan_sort(&pass->plan);
	pass->is_left_over = pass->result.wants_another = true;
}
