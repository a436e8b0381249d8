/* The pass: its states in the order they are gone through, and what they share.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

/* --- Opening both sides ------------------------------------------------------- */

static void pass_opened(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, open.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	else
		pass->remote = pass->open.mailbox;
	pass_piece_done(pass);
}

static int pass_load_mailbox(struct sync_pass *pass, struct error *err)
{
	struct store_port *store = pass->ports.store;
	bool is_known = false;
	int code = store->ops->mailbox_get(store, pass->name, &is_known, &pass->mailbox, err);

	if (code != 0)
		return code;
	if (!is_known) {
		pass->mailbox = (struct mailbox_record){ .id = store->ops->mailbox_new_id(store) };
		(void)snprintf(pass->mailbox.name, sizeof(pass->mailbox.name), "%s", pass->name);
	}
	pass->is_mailbox_recorded = is_known;
	pass->keywords_recorded = pass->mailbox.keywords.count;
	code = sync_setaside_load(store, pass->mailbox.id, &pass->setaside, err);
	if (code == 0)
		code = pass->ports.local->ops->open(pass->ports.local, pass->name,
						    &pass->mailbox.keywords, &pass->local, err);
	return code;
}

static void enter_open(struct sync_pass *pass)
{
	struct error err = { 0 };

	if (pass_load_mailbox(pass, &err) != 0) {
		pass_fail(pass, &err);
		pass_piece_done(pass);
		return;
	}
	pass->open.op.done = pass_opened;
	pass->open.name = pass->name;
	pass->open.keywords = &pass->mailbox.keywords;
	pass->ports.remote->ops->open(pass->ports.remote, &pass->open);
}

/* --- Looking at both sides ------------------------------------------------------- */

static void pass_observed(struct sync_pass *pass, const struct port_op *op, int code)
{
	if (code != 0)
		pass_fail(pass, &op->err);
	must(pass->observing > 0);
	if (--pass->observing == 0)
		pass_piece_done(pass);
}

static void pass_remote_observed(struct port_op *op, int code)
{
	pass_observed(container_of(op, struct sync_pass, observe.op), op, code);
}

static void pass_local_scanned(struct port_op *op, int code)
{
	pass_observed(container_of(op, struct sync_pass, scan.op), op, code);
}

static void enter_observe(struct sync_pass *pass)
{
	pass->observing = 2;
	pass->observe.op.done = pass_remote_observed;
	pass->observe.result = &pass->observation;
	pass->scan.op.done = pass_local_scanned;
	pass->scan.result = &pass->listing;
	pass->remote->ops->observe(pass->remote, &pass->observe);
	pass->local->ops->scan(pass->local, &pass->scan);
}

int pass_make_deltas(struct sync_pass *pass, int64_t now_s, struct error *err)
{
	struct sync_observer observer = {
		.store = pass->ports.store,
		.mailbox_id = pass->mailbox.id,
		.mask = pass->open.flags_mask,
		.setaside = &pass->setaside,
		.now_s = now_s,
	};

	pass->remote_delta.count = 0;
	pass->local_delta.count = 0;
	int code = sync_observe_remote(&observer, &pass->observation, &pass->remote_delta, err);
	if (code != 0)
		return code;
	observer.mask = pass->local->ops->flags_mask(pass->local);
	return sync_observe_local(&observer, &pass->listing, &pass->local_delta, err);
}

/* --- Planning ------------------------------------------------------------------------ */

/* What is set aside but no longer there, or refused no more, is forgotten. */
static bool pass_is_aside_current(const struct sync_pass *pass,
				  const struct setaside_record *record)
{
	const struct local_listing *listing = &pass->listing;

	if (record->uid != 0) {
		for (size_t i = 0; i < pass->observation.count; i++) {
			if (pass->observation.items[i].uid == record->uid)
				return true;
		}
		return !pass->observation.is_complete;
	}
	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->items[i].name, record->name) == 0)
			return true;
	}
	return !listing->is_stable;
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

static int pass_guard(struct sync_pass *pass, enum sync_action_kind kind, struct error *err)
{
	unsigned limit = pass->options.deletion_limit_percent;
	struct error held = { 0 };
	size_t total = 0;
	size_t count = 0;

	(void)sync_plan_of(&pass->plan, kind, &count);
	if (count == 0 || limit == 0)
		return 0;
	int code = pass->ports.store->ops->message_count(pass->ports.store, pass->mailbox.id,
							 &total, err);
	count = code == 0 ? sync_guard(&pass->plan, kind, total, limit) : 0;
	if (count == 0)
		return code;
	pass->result.held_deletions = count;
	pass->result.held_is_remote = kind == SYNC_EXPUNGE;
	error_set(&held, SYNCD_EHELD,
		  "%zu of %zu messages would be deleted %s: held back, as that is more than "
		  "deletion_limit (%u%%)",
		  count, total, kind == SYNC_EXPUNGE ? "on the server" : "in the maildir", limit);
	pass_refuse(pass, &held);
	return 0;
}

static void enter_plan(struct sync_pass *pass)
{
	struct error err = { 0 };

	int64_t now_s = pass->ports.env->ops->wall_s(pass->ports.env);
	if (pass_make_deltas(pass, now_s, &err) != 0) {
		pass_fail(pass, &err);
		pass_piece_done(pass);
		return;
	}
	struct sync_policy policy = {
		.direction = pass->options.direction,
		.local_mask = pass->local->ops->flags_mask(pass->local),
		.remote_mask = pass->open.is_read_only ? 0 : pass->open.flags_mask,
	};
	if (pass->open.is_read_only && policy.direction == SYNC_BOTH)
		policy.direction = SYNC_PULL;
	sync_plan_make(&pass->plan, &policy, &pass->local_delta, &pass->remote_delta);
	if (pass_guard(pass, SYNC_EXPUNGE, &err) != 0 || pass_guard(pass, SYNC_REMOVE, &err) != 0)
		pass_fail(pass, &err);
	delta_free(&pass->local_delta); /* 100,000 new messages are megabytes */
	delta_free(&pass->remote_delta);
	pass_trace_plan(pass);
	pass->result.is_local_moving = !pass->listing.is_stable;
	if (!pass->listing.is_stable)
		pass->result.wants_another = true;
	pass_review_aside(pass);
	if (pass->options.is_dry_run && pass->options.planned != NULL)
		pass->options.planned(pass, &pass->plan, &pass->mailbox.keywords);
	pass_piece_done(pass);
}

/* --- Finishing ------------------------------------------------------------------------- */

static void pass_finished(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, finish.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	pass_piece_done(pass);
}

/* The mailbox's own record comes last, when all it covers has been applied. */
static void enter_finish(struct sync_pass *pass)
{
	uint32_t uidnext = pass->observation.uidnext;

	if (pass->result.counts.appended > 0 && pass->upload.uidnext > uidnext)
		uidnext = pass->upload.uidnext;
	if (uidnext > pass->mailbox.uidnext) {
		pass->mailbox.uidnext = uidnext;
		pass->is_mailbox_recorded = false;
	}
	if (pass_is_recorded(pass)) {
		pass_piece_done(pass);
		return;
	}
	pass_commit(pass, &pass->finish, pass_finished);
}

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
	bool writes; /* left out of a dry run */
};

static const struct pass_state_row states[PASS_STATE_COUNT] = {
	[PASS_START] = { "start", NULL, false },
	[PASS_OPEN] = { "open", enter_open, false },
	[PASS_RECOVER] = { "recover", recover_start, true },
	[PASS_RESET] = { "reset", reset_start, true },
	[PASS_OBSERVE] = { "observe", enter_observe, false },
	[PASS_PAIR] = { "pair", pair_start, true },
	[PASS_PLAN] = { "plan", enter_plan, false },
	[PASS_DELIVER] = { "deliver", deliver_start, true },
	[PASS_UPLOAD] = { "upload", upload_start, true },
	[PASS_CHANGE] = { "change", change_start, true },
	[PASS_FINISH] = { "finish", enter_finish, true },
	[PASS_CLOSE] = { "close", enter_close, false },
};

static void pass_end(struct sync_pass *pass)
{
	pass->result.err = pass->err.code != 0 ? pass->err : pass->refusal;
	pass->result.counts.set_aside = pass->setaside.count;
	if (pass->result.err.code != 0)
		error_context(&pass->result.err, "mailbox %s", pass->name);
	pass->done(pass, &pass->result);
	keyword_table_free(&pass->mailbox.keywords);
	sync_setaside_free(&pass->setaside);
	remote_observation_free(&pass->observation);
	local_listing_free(&pass->listing);
	delta_free(&pass->local_delta);
	delta_free(&pass->remote_delta);
	sync_plan_free(&pass->plan);
	recover_free(&pass->recover);
	pair_free(&pass->pair);
	deliver_free(&pass->deliver);
	upload_free(&pass->upload);
	change_free(&pass->change);
	store_batch_free(&pass->finish.batch);
	free(pass);
}

static enum pass_state pass_next(const struct sync_pass *pass)
{
	enum pass_state next = pass->state + 1;

	if (pass_is_failing(pass))
		return PASS_CLOSE;
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
