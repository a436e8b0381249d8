/* The pass: its states in the order they are gone through, and what they share.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

/* --- Planning ------------------------------------------------------------------------ */

static bool pass_is_aside_listed(const struct sync_pass *pass, uint32_t uid)
{
	const struct remote_observation *obs = &pass->observation;

	if (obs->is_delta)
		return !uidset_contains(&obs->gone, uid) &&
		       (!pass->search.is_complete || uidset_contains(&pass->present, uid));
	return remote_observation_has(obs, uid) || !obs->is_complete;
}

/* What is set aside but no longer there, or refused no more, is forgotten. */
static bool pass_is_aside_current(const struct sync_pass *pass,
				  const struct setaside_record *record)
{
	const struct local_listing *listing = &pass->listing;

	if (record->uid != 0)
		return pass_is_aside_listed(pass, record->uid);
	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->items[i].name, record->name) == 0)
			return !listing->items[i].is_gone;
	}
	return listing->is_delta || !listing->is_stable;
}

static void pass_review_aside(struct sync_pass *pass)
{
	for (size_t i = pass->setaside.count; i-- > 0;) {
		struct setaside_record record = pass->setaside.records[i];
		if (!pass_is_aside_current(pass, &record))
			pass_clear_aside(pass, &pass->change.batch, record.uid, record.name);
	}
}

static void pass_trace_plan(const struct sync_pass *pass)
{
	for (size_t i = 0; log_is_on(LOG_LEVEL_TRACE) && i < pass->plan.count; i++) {
		const struct sync_action *action = &pass->plan.actions[i];
		log_trace(pass->options.account, "%s: plan %s uid %u %s flags %llx +%llx -%llx",
			  pass->name, sync_action_name(action->kind), action->uid,
			  action->name != NULL ? action->name : "",
			  (unsigned long long)action->flags, (unsigned long long)action->add,
			  (unsigned long long)action->remove);
	}
}

static bool is_in_delta(const struct delta *delta, size_t *at, uint32_t uid)
{
	while (*at < delta->count && delta->entries[*at].uid < uid)
		(*at)++;
	return *at < delta->count && delta->entries[*at].uid == uid;
}

/* With listings of both sides, what no delta names is as agreed. */
static int pass_plan_unchanged(struct sync_pass *pass, const struct sync_policy *policy,
			       struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct remote_flags some[256];
	size_t count = 0;
	size_t local = 0;
	size_t remote = 0;
	uint32_t after = 0;
	int code = 0;

	do {
		code = store->ops->messages_after(store, pass->mailbox.id, after, some,
						  ARRAY_LEN(some), &count, err);
		for (size_t i = 0; code == 0 && i < count; i++) {
			if (!is_in_delta(&pass->local_delta, &local, some[i].uid) &&
			    !is_in_delta(&pass->remote_delta, &remote, some[i].uid))
				sync_plan_unchanged(&pass->plan, policy, some[i].uid,
						    some[i].flags);
		}
		after = count > 0 ? some[count - 1].uid : 0;
	} while (code == 0 && count > 0);
	sync_plan_sort(&pass->plan);
	return code;
}

/* What is back is unknown to the state from now on, and so new. What may be under way has time. */
static void pass_heed_journal(struct sync_pass *pass)
{
	bool is_any = false;
	size_t kept = 0;

	if (uidset_is_empty(&pass->recover.expunged))
		return;
	for (size_t i = 0; i < pass->plan.count; i++) {
		struct sync_action *action = &pass->plan.actions[i];
		if (recover_is_back(pass, action)) {
			action->kind = SYNC_FORGET;
			is_any = true;
		}
		if (!recover_is_under_way(pass, action))
			pass->plan.actions[kept++] = *action;
	}
	pass->plan.count = kept;
	if (!is_any)
		return;
	sync_plan_sort(&pass->plan);
	pass->is_left_over = pass->result.wants_another = true;
}

/* Keeps of the listing what the plan names. The names of 100,000 files are megabytes, which
 * the commits have a better use for. */
static void pass_let_names_go(struct sync_pass *pass)
{
	struct local_listing *listing = &pass->listing;
	struct local_listing kept = {
		.is_delta = listing->is_delta,
		.is_stable = listing->is_stable,
		.mtimes = listing->mtimes,
	};

	if (pass->plan.count > listing->count / 2)
		return;
	for (size_t i = 0; i < pass->plan.count; i++) {
		struct sync_action *action = &pass->plan.actions[i];
		if (action->name == NULL)
			continue;
		local_listing_add(&kept, slice_of(action->name), action->flags);
		action->name = kept.items[kept.count - 1].name;
	}
	local_listing_free(listing);
	*listing = kept;
}

static int make_plan(struct sync_pass *pass, const struct sync_policy *policy, struct error *err)
{
	int code = 0;

	sync_plan_free(&pass->plan);
	sync_plan_make(&pass->plan, policy, &pass->local_delta, &pass->remote_delta);
	if (pass->wants_all && policy->expunges_deleted)
		code = pass_plan_unchanged(pass, policy, err);
	pass_heed_journal(pass);
	return code;
}

/* What is to be restored is planned otherwise: what was marked as deleted is there on both sides,
 * and only loses the mark. */
static int make_guarded_plan(struct sync_pass *pass, const struct sync_policy *policy,
			     struct error *err)
{
	struct sync_policy unmarking = *policy;
	int code = make_plan(pass, policy, err);

	if (code == 0)
		code = pass_guard(pass, err);
	if (code != 0 || !pass_is_restoring(pass))
		return code;
	unmarking.unmarks_deleted = true;
	code = make_plan(pass, &unmarking, err);
	pass_restore(pass);
	return code;
}

static void enter_plan(struct sync_pass *pass)
{
	struct error err = { 0 };

	kept_review(pass);
	if (pass_make_deltas(pass, pass->now_s, &err) != 0) {
		pass_fail(pass, &err);
		pass_piece_done(pass);
		return;
	}
	look_report_missed(pass);
	struct sync_policy policy = {
		.direction = pass_direction(pass),
		.expunges_deleted = pass->options.expunges_deleted,
		.local_mask = pass->local->ops->flags_mask(pass->local),
		.remote_mask = pass->open.is_read_only ? 0 : pass->open.flags_mask,
	};
	if (make_guarded_plan(pass, &policy, &err) != 0)
		pass_fail(pass, &err);
	recover_judge_removals(pass);
	delta_free(&pass->local_delta); /* 100,000 new messages are megabytes */
	delta_free(&pass->remote_delta);
	pass_trace_plan(pass);
	pass_note_moving(pass);
	pass_review_aside(pass);
	pass_let_names_go(pass);
	if (pass->options.is_dry_run && pass->options.planned != NULL)
		pass->options.planned(pass, &pass->plan, &pass->mailbox.keywords);
	pass_piece_done(pass);
}

/* --- The end -------------------------------------------------------------------------- */

static void enter_close(struct sync_pass *pass)
{
	if (pass->remote != NULL)
		pass->remote->ops->close(pass->remote);
	if (pass->local != NULL)
		pass->local->ops->close(pass->local);
	pass_piece_done(pass);
}

/* --- The story ---------------------------------------------------------------------------- */

struct pass_state_row {
	const char *name;
	void (*enter)(struct sync_pass *pass); /* ends with pass_piece_done, now or later */
	bool writes;                           /* left out of a dry run */
};

static const struct pass_state_row states[PASS_STATE_COUNT] = {
	[PASS_START] = { "start", NULL, false },
	[PASS_LOAD] = { "load", load_start, false },
	[PASS_MEND] = { "mend", mend_start, true },
	[PASS_LOOK] = { "look", look_start, false },
	[PASS_OPEN] = { "open", open_start, false },
	[PASS_DOUBT] = { "doubt", doubt_start, true },
	[PASS_RECOVER] = { "recover", recover_start, true },
	[PASS_RESET] = { "reset", reset_start, true },
	[PASS_OBSERVE] = { "observe", observe_start, false },
	[PASS_CONFIRM] = { "confirm", confirm_start, false },
	[PASS_PAIR] = { "pair", pair_start, true },
	[PASS_PLAN] = { "plan", enter_plan, false },
	[PASS_DELIVER] = { "deliver", deliver_start, true },
	[PASS_UPLOAD] = { "upload", upload_start, true },
	[PASS_CHANGE] = { "change", change_start, true },
	[PASS_KEPT] = { "kept", kept_start, true },
	[PASS_EMAIL] = { "email ids", email_start, true },
	[PASS_SETTLE] = { "settle", settle_start, true },
	[PASS_FINISH] = { "finish", finish_start, true },
	[PASS_CLOSE] = { "close", enter_close, false },
};

static void pass_end(struct sync_pass *pass)
{
	pass->result.err = pass->err.code != 0 ? pass->err : pass->refusal;
	for (size_t i = 0; i < pass->setaside.count; i++)
		pass->result.counts.too_large += sync_is_too_large(&pass->setaside.records[i]);
	pass->result.counts.set_aside = pass->setaside.count - pass->result.counts.too_large;
	if (pass->result.err.code != 0)
		error_mailbox(&pass->result.err, pass->name);
	pass->done(pass, &pass->result);
	keyword_table_free(&pass->mailbox.keywords);
	sync_setaside_free(&pass->setaside);
	remote_observation_free(&pass->observation);
	local_listing_free(&pass->listing);
	delta_free(&pass->local_delta);
	delta_free(&pass->remote_delta);
	uidset_free(&pass->present);
	uidset_free(&pass->told);
	sync_plan_free(&pass->plan);
	doubt_free(&pass->doubt);
	recover_free(&pass->recover);
	pair_free(&pass->pair);
	deliver_free(&pass->deliver);
	upload_free(&pass->upload);
	change_free(&pass->change);
	kept_free(&pass->kept);
	email_free(&pass->email);
	store_batch_free(&pass->finish.batch);
	free(pass);
}

static enum pass_state pass_next(const struct sync_pass *pass)
{
	enum pass_state next = pass->state + 1;

	if (pass_is_failing(pass))
		return PASS_CLOSE;
	/* Nothing is to be done, and nothing to be asked. */
	if (pass->state == PASS_LOOK && !pass->needs_remote)
		next = PASS_FINISH;
	while (pass->options.is_dry_run && states[next].writes)
		next++;
	return next;
}

static void pass_advance(struct sync_pass *pass)
{
	do {
		if (pass->state == PASS_CLOSE) {
			pass_end(pass);
			return;
		}
		pass->state = pass_next(pass);
		log_debug(pass->options.account, "%s: %s", pass->name, states[pass->state].name);
		pass->is_stepping = true;
		pass->is_piece_over = false;
		states[pass->state].enter(pass);
		pass->is_stepping = false;
	} while (pass->is_piece_over);
}

void pass_piece_done(struct sync_pass *pass)
{
	if (pass->is_stepping)
		pass->is_piece_over = true;
	else
		pass_advance(pass);
}

static void pass_begin(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, turn);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_advance(pass);
}

struct sync_pass *sync_pass_start(const struct sync_ports *ports, const char *name,
				  const struct sync_pass_options *options, sync_pass_done done)
{
	struct sync_pass *pass = xcalloc(1, sizeof(*pass));

	pass->ports = *ports;
	pass->options = *options;
	pass->done = done;
	pass->state = PASS_START;
	must(strlen(name) <= MAILBOX_NAME_MAX);
	memcpy(pass->name, name, strlen(name) + 1);
	remote_observation_init(&pass->observation);
	local_listing_init(&pass->listing);
	store_batch_init(&pass->finish.batch);
	store_batch_init(&pass->change.batch);
	pass->turn.done = pass_begin;
	ports->env->ops->defer(ports->env, &pass->turn);
	return pass;
}

void sync_pass_cancel(struct sync_pass *pass)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ECANCELLED, "cancelled");
	pass_fail(pass, &err);
	if (pass->remote != NULL)
		pass->remote->ops->cancel(pass->remote);
	if (pass->local != NULL)
		pass->local->ops->cancel(pass->local);
}

void *sync_pass_context(const struct sync_pass *pass)
{
	return pass->options.context;
}
