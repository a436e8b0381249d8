/* A pull as a story: its states from the check of the maildir's root to the session's end.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

void pull_fail(struct sync_pull *pull, const struct error *err)
{
	must(err->code != 0);
	if (pull->err.code == 0)
		pull->err = *err;
}

void pull_refuse(struct sync_pull *pull, const struct error *err)
{
	if (pull->refusal.code == 0)
		pull->refusal = *err;
}

bool pull_is_failing(const struct sync_pull *pull)
{
	return pull->err.code != 0;
}

/* --- The end ------------------------------------------------------------------------- */

static void pull_closed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, close);

	(void)code; /* there is no session any more, whatever it says */
	pull_piece_done(pull);
}

static void pull_close_start(struct sync_pull *pull)
{
	if (pull->local != NULL)
		pull->local->ops->close(pull->local);
	pull->local = NULL;
	if (!pull->is_opened) {
		pull_piece_done(pull);
		return;
	}
	pull->is_opened = false;
	pull->close.done = pull_closed;
	pull->ports.maildrop->ops->close(pull->ports.maildrop, &pull->close);
}

static void pull_end(struct sync_pull *pull)
{
	/* A full disk is what a person has to know of, however the session ended then. */
	bool is_refusal = pull->err.code == 0 || pull->refusal.code == SYNCD_ENOSPC;

	pull->result.err = is_refusal ? pull->refusal : pull->err;
	pull->done(pull, &pull->result);
	keyword_table_free(&pull->mailbox.keywords);
	sync_setaside_free(&pull->setaside);
	free(pull->is_aside_used);
	free(pull->records.items);
	buf_free(&pull->records.names);
	free(pull->listing.items);
	buf_free(&pull->listing.uids);
	free(pull->chains.unclaimed);
	free(pull->chains.twins);
	pull_fetch_free(pull);
	pull_look_free(pull);
	pull_adopt_free(pull);
	store_batch_free(&pull->commit.batch);
	store_batch_free(&pull->batch);
	free(pull);
}

/* --- The story ----------------------------------------------------------------------- */

struct pull_state_row {
	const char *name;
	void (*enter)(struct sync_pull *pull); /* ends with pull_piece_done, now or later */
	bool writes;                           /* left out of a dry run */
};

static const struct pull_state_row states[PULL_STATE_COUNT] = {
	[PULL_START] = { "start", NULL, false },
	[PULL_CHECK] = { "check", pull_check_start, false },
	[PULL_LOAD] = { "load", pull_load_start, false },
	[PULL_RECOVER] = { "recover", pull_recover_start, true },
	[PULL_ADOPT] = { "adopt", pull_adopt_start, true },
	[PULL_OPEN] = { "open", pull_open_start, false },
	[PULL_LIST] = { "list", pull_list_start, false },
	[PULL_MATCH] = { "match", pull_match_start, false },
	[PULL_LOOK] = { "look", pull_look_start, false },
	[PULL_PLAN] = { "plan", pull_plan_start, false },
	[PULL_HEADERS] = { "headers", pull_headers_start, true },
	[PULL_FETCH] = { "fetch", pull_fetch_start, true },
	[PULL_SAVE] = { "save", pull_save_start, true },
	[PULL_DELETE] = { "delete", pull_delete_start, true },
	[PULL_QUIT] = { "quit", pull_quit_start, true },
	[PULL_SETTLE] = { "settle", pull_settle_start, true },
	[PULL_DOUBT] = { "doubt", pull_doubt_start, true },
	[PULL_CLOSE] = { "close", pull_close_start, false },
};

/* What was recognised before a session was lost need not be recognised again. */
static enum pull_state pull_next(const struct sync_pull *pull)
{
	enum pull_state next = pull->state + 1;

	if (pull_is_failing(pull) && pull->state < PULL_DOUBT)
		next = pull->state > PULL_MATCH && pull->state < PULL_SAVE ? PULL_SAVE : PULL_DOUBT;
	while (pull->options.is_dry_run && states[next].writes)
		next++;
	return next;
}

static void pull_advance(struct sync_pull *pull)
{
	do {
		if (pull->state == PULL_CLOSE) {
			pull_end(pull);
			return;
		}
		pull->state = pull_next(pull);
		log_debug(pull->options.account, "pull: %s", states[pull->state].name);
		pull->is_stepping = true;
		pull->is_piece_over = false;
		states[pull->state].enter(pull);
		pull->is_stepping = false;
	} while (pull->is_piece_over);
}

void pull_piece_done(struct sync_pull *pull)
{
	if (pull->is_stepping)
		pull->is_piece_over = true;
	else
		pull_advance(pull);
}

static void pull_begin(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, turn);

	if (code != 0)
		pull_fail(pull, &op->err);
	pull_advance(pull);
}

struct sync_pull *sync_pull_start(const struct sync_pull_ports *ports,
				  const struct sync_pull_options *options, sync_pull_done done)
{
	struct sync_pull *pull = xcalloc(1, sizeof(*pull));

	pull->ports = *ports;
	pull->options = *options;
	pull->done = done;
	pull->state = PULL_START;
	pull->now_s = ports->env->ops->wall_s(ports->env);
	buf_init(&pull->records.names, UINT32_MAX);
	buf_init(&pull->listing.uids, UINT32_MAX);
	local_listing_init(&pull->look.listing);
	local_listing_init(&pull->adopt.listing);
	store_batch_init(&pull->batch);
	store_batch_init(&pull->commit.batch);
	store_batch_init(&pull->fetch.commit.batch);
	pull->turn.done = pull_begin;
	ports->env->ops->defer(ports->env, &pull->turn);
	return pull;
}

void sync_pull_cancel(struct sync_pull *pull)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ECANCELLED, "cancelled");
	pull_fail(pull, &err);
	if (pull->is_opened)
		pull->ports.maildrop->ops->cancel(pull->ports.maildrop);
	if (pull->local != NULL)
		pull->local->ops->cancel(pull->local);
	if (pull->look.mailbox != NULL)
		pull->look.mailbox->ops->cancel(pull->look.mailbox);
}

void *sync_pull_context(const struct sync_pull *pull)
{
	return pull->options.context;
}
