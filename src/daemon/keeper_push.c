/* What makes a keeper look at the server sooner than its interval: NOTIFY of all mailboxes, or
 * IDLE on INBOX and on as many others as there are connections for.
 *
 * Our own changes come back as news. So what the server tells is compared with what the state
 * has, and not before a run that is under way has written that down.
 * SPDX-License-Identifier: MIT */
#include "keeper_private.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/pattern.h"
#include "syncd/sync_baseline.h"

#define PUSH_MISFIRES_MAX 3
#define PUSH_MISFIRE_MS 60000 /* a connection that is lost sooner is none */

/* --- Is it news? ------------------------------------------------------------------------ */

static void push_want_full(struct keeper *keeper)
{
	schedule_note_news(&keeper->schedule, loop_now_ms(keeper->loop), true);
}

/* What the state has of the mailbox; false: it knows none. */
static bool push_recall(struct keeper *keeper, const char *name, struct mailbox_record *record)
{
	struct store_port *store = account_store(keeper->account);
	struct error err = { 0 };
	bool is_known = false;

	if (store->ops->mailbox_get(store, name, &is_known, record, &err) != 0 || !is_known)
		return false;
	keyword_table_free(&record->keywords);
	return true;
}

/* What is told later holds; a change without a modseq takes away the one told before, and how
 * things stand does not undo that something changed. */
static void push_told_add(struct adapter_remote_told *sum, const struct adapter_remote_told *more)
{
	if (more->status.uidvalidity != 0)
		sum->status.uidvalidity = more->status.uidvalidity;
	if (more->status.uidnext != 0)
		sum->status.uidnext = more->status.uidnext;
	if (more->has_messages)
		sum->status.messages = more->status.messages;
	sum->has_messages |= more->has_messages;
	sum->status.highestmodseq = more->status.highestmodseq;
	sum->is_snapshot &= more->is_snapshot;
}

/* What was not told is as the state has it (RFC 5465 §5.1 has UIDVALIDITY told when it changes). */
static bool push_is_known(const struct mailbox_record *record,
			  const struct adapter_remote_told *told)
{
	struct mailbox_status status = told->status;

	if (status.uidvalidity == 0)
		status.uidvalidity = record->uidvalidity;
	if (status.uidnext == 0)
		status.uidnext = record->uidnext;
	if (!told->has_messages)
		status.messages = record->exists;
	return sync_remote_is_unchanged(record, &status);
}

/* How things stood the last time too, when a look at them was all that could be done. */
static bool push_is_repeated(const struct adapter_remote_told *last,
			     const struct adapter_remote_told *told)
{
	return told->is_snapshot && last->has_messages == told->has_messages &&
	       last->status.uidvalidity == told->status.uidvalidity &&
	       last->status.uidnext == told->status.uidnext &&
	       last->status.messages == told->status.messages &&
	       last->status.highestmodseq == told->status.highestmodseq;
}

/* A mailbox that the state does not know may have to be made here, or nothing of the kind: a
 * complete look decides. */
static void push_judge_told(struct keeper *keeper, const char *name,
			    const struct adapter_remote_told *told)
{
	struct mailbox_record record;

	if (!push_recall(keeper, name, &record)) {
		push_want_full(keeper);
		return;
	}
	struct keeper_mailbox *mailbox = keeper_mailbox(keeper, name);
	bool is_news = !push_is_known(&record, told) && !push_is_repeated(&mailbox->told, told);
	push_told_add(&mailbox->told, told);
	if (is_news)
		keeper_note_remote(keeper, mailbox);
}

static void push_judge_listed(struct keeper *keeper, const char *name, bool is_there)
{
	struct mailbox_record record;

	if (push_recall(keeper, name, &record) != is_there)
		push_want_full(keeper);
}

/* --- While a run is under way ---------------------------------------------------------------- */

static struct keeper_news *push_put_off(struct keeper *keeper, const char *name)
{
	for (size_t i = 0; i < keeper->news_count; i++) {
		if (strcmp(keeper->news[i].name, name) == 0)
			return &keeper->news[i];
	}
	keeper->news =
		xgrow(keeper->news, keeper->news_count, &keeper->news_cap, sizeof(*keeper->news));
	keeper->news[keeper->news_count] = (struct keeper_news){ .name = xstrdup(name) };
	return &keeper->news[keeper->news_count++];
}

static void push_forget_news(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->news_count; i++)
		free(keeper->news[i].name);
	free(keeper->news);
	keeper->news = NULL;
	keeper->news_count = 0;
	keeper->news_cap = 0;
}

void keeper_push_judge(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->news_count; i++) {
		struct keeper_news *news = &keeper->news[i];
		if (news->is_listed)
			push_judge_listed(keeper, news->name, news->is_there);
		if (news->is_told)
			push_judge_told(keeper, news->name, &news->told);
	}
	push_forget_news(keeper);
}

/* --- What the server tells ------------------------------------------------------------------- */

static struct keeper_push *push_of(struct adapter_remote_push *base)
{
	return container_of(base, struct keeper_push, base);
}

/* What comes with it in one go is to be looked at in the same run. */
static void push_poke_soon(struct keeper *keeper)
{
	if (keeper->run == NULL && keeper->closed == NULL)
		loop_timer_start(&keeper->timer, 0);
}

static void push_news(struct adapter_remote_push *base, const char *name,
		      const struct adapter_remote_told *told)
{
	struct keeper *keeper = push_of(base)->keeper;

	if (!keeper_selects(keeper, name))
		return;
	if (keeper->run == NULL) {
		push_judge_told(keeper, name, told);
		push_poke_soon(keeper);
		return;
	}
	struct keeper_news *news = push_put_off(keeper, name);
	if (news->is_told)
		push_told_add(&news->told, told);
	else
		news->told = *told;
	news->is_told = true;
}

static void push_listed(struct adapter_remote_push *base, const char *name, bool is_there)
{
	struct keeper *keeper = push_of(base)->keeper;

	if (!keeper_selects(keeper, name))
		return;
	if (keeper->run == NULL) {
		push_judge_listed(keeper, name, is_there);
		push_poke_soon(keeper);
		return;
	}
	struct keeper_news *news = push_put_off(keeper, name);
	news->is_listed = true;
	news->is_there = is_there;
}

static void push_everything(struct adapter_remote_push *base)
{
	struct keeper *keeper = push_of(base)->keeper;

	log_info(keeper->settings->name, "changes on the server went untold: looking at all");
	push_want_full(keeper);
	push_poke_soon(keeper);
}

/* --- Where it is waited ---------------------------------------------------------------------- */

static struct keeper_push *push_main(struct keeper *keeper)
{
	return &keeper->pushes[0];
}

static void push_begin_more(struct keeper *keeper);

static void push_ready(struct adapter_remote_push *base)
{
	struct keeper_push *push = push_of(base);

	push->is_live = true;
	push->live_ms = loop_now_ms(push->keeper->loop);
	push_begin_more(push->keeper);
}

/* The link is gone: a run finds out, which starts the push again. */
static void push_main_lost(struct keeper *keeper, const struct error *err)
{
	uint64_t now_ms = loop_now_ms(keeper->loop);

	if (err->code == SYNCD_ESERVER) {
		keeper->has_no_push = true;
		return;
	}
	if (error_class_of(err->code) == ERROR_CLASS_RETRY && keeper->run == NULL) {
		schedule_ended(&keeper->schedule, now_ms, err->code, loop_random(keeper->loop));
		keeper_set_state(keeper, CONTROL_OFFLINE, err);
	}
	keeper_poke(keeper);
}

static void push_failed(struct keeper_push *push, const char *mailbox, const struct error *err)
{
	struct keeper *keeper = push->keeper;
	uint64_t age_ms = loop_now_ms(keeper->loop) - push->live_ms;
	char text[ERROR_FORMAT_MAX];

	log_info(keeper->settings->name, "waiting on %s ended: %s", mailbox,
		 error_format(err, text, sizeof(text)));
	if (push != push_main(keeper)) {
		keeper_mailbox(keeper, mailbox)->is_push_resting = true;
		return;
	}
	keeper->push_misfires = age_ms < PUSH_MISFIRE_MS ? keeper->push_misfires + 1 : 0;
	push_main_lost(keeper, err);
}

static void push_over(struct adapter_remote_push *base, const struct error *err)
{
	struct keeper_push *push = push_of(base);
	struct keeper *keeper = push->keeper;
	char *mailbox = push->mailbox;

	push->is_on = false;
	push->is_live = false;
	push->mailbox = NULL;
	if (keeper->closed == NULL && err->code == SYNCD_ECANCELLED)
		push_begin_more(keeper);
	else if (keeper->closed == NULL)
		push_failed(push, mailbox, err);
	free(mailbox);
}

static void push_begin(struct keeper *keeper, struct keeper_push *push, const char *mailbox)
{
	*push = (struct keeper_push){
		.base = { .wants_all = push == push_main(keeper),
			  .ready = push_ready,
			  .news = push_news,
			  .listed = push_listed,
			  .everything = push_everything,
			  .over = push_over },
		.keeper = keeper,
		.mailbox = xstrdup(mailbox),
		.is_on = true,
		.live_ms = loop_now_ms(keeper->loop),
	};
	adapter_remote_push_start(account_remote(keeper->account), &push->base, mailbox);
}

static void push_let_go(struct keeper_push *push)
{
	if (!push->is_on)
		return;
	push->is_live = false;
	push->is_unwanted = true;
	adapter_remote_push_stop(&push->base);
}

/* --- On which mailboxes -------------------------------------------------------------- */

/* Those whose news came last, the latest first; INBOX has its own. Returns how many. */
static size_t push_choose(struct keeper *keeper, const struct keeper_mailbox **chosen, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < keeper->count; i++) {
		const struct keeper_mailbox *mailbox = &keeper->mailboxes[i];
		size_t at = count;
		if (mailbox->is_push_resting || mailbox->is_gone ||
		    strcmp(mailbox->name, "INBOX") == 0)
			continue;
		if (count < room)
			count++;
		/* Insertion; the earliest falls off the end. */
		for (; at > 0 && chosen[at - 1]->news_ms < mailbox->news_ms; at--) {
			if (at < count)
				chosen[at] = chosen[at - 1];
		}
		if (at < count)
			chosen[at] = mailbox;
	}
	return count;
}

static struct keeper_push *push_find(struct keeper *keeper, const char *mailbox)
{
	for (size_t i = 1; i < KEEPER_PUSHES_MAX; i++) {
		struct keeper_push *push = &keeper->pushes[i];
		if (push->is_on && !push->is_unwanted && strcmp(push->mailbox, mailbox) == 0)
			return push;
	}
	return NULL;
}

static void push_begin_if_room(struct keeper *keeper, const char *mailbox, size_t room)
{
	for (size_t i = 1; i <= room; i++) {
		if (!keeper->pushes[i].is_on) {
			push_begin(keeper, &keeper->pushes[i], mailbox);
			return;
		}
	}
}

/* One connection is left to passes, one is the first's. */
static size_t push_room(struct keeper *keeper)
{
	size_t connections = keeper->settings->connections;

	if (!push_main(keeper)->is_live || push_main(keeper)->base.is_all || connections <= 2)
		return 0;
	return connections - 2 < KEEPER_PUSHES_MAX ? connections - 2 : KEEPER_PUSHES_MAX - 1;
}

/* A slot becomes free when the one that is let go is over, and this is called again. */
static void push_begin_more(struct keeper *keeper)
{
	const struct keeper_mailbox *chosen[KEEPER_PUSHES_MAX];
	bool is_chosen[KEEPER_PUSHES_MAX] = { false };
	size_t room = push_room(keeper);
	size_t count = push_choose(keeper, chosen, room);

	for (size_t i = 0; i < count; i++) {
		struct keeper_push *push = push_find(keeper, chosen[i]->name);
		if (push != NULL)
			is_chosen[push - keeper->pushes] = true;
	}
	for (size_t i = 1; i < KEEPER_PUSHES_MAX; i++) {
		if (!is_chosen[i])
			push_let_go(&keeper->pushes[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (push_find(keeper, chosen[i]->name) == NULL)
			push_begin_if_room(keeper, chosen[i]->name, room);
	}
}

/* With a single connection allowed, passes need it. A server that keeps on ending what waits is
 * left in peace for a run. */
void keeper_push_start(struct keeper *keeper)
{
	struct keeper_push *first = push_main(keeper);

	if (keeper->has_no_push || !keeper->settings->push || keeper->settings->connections < 2 ||
	    keeper->schedule.is_paused)
		return;
	if (first->is_on) {
		push_begin_more(keeper);
		return;
	}
	if (keeper->push_misfires >= PUSH_MISFIRES_MAX)
		keeper->push_misfires = PUSH_MISFIRES_MAX - 1;
	else
		push_begin(keeper, first, "INBOX");
}

void keeper_push_stop(struct keeper *keeper)
{
	for (size_t i = 0; i < KEEPER_PUSHES_MAX; i++)
		push_let_go(&keeper->pushes[i]);
}

enum control_push keeper_push_kind(const struct keeper *keeper)
{
	const struct keeper_push *first = &keeper->pushes[0];

	if (!first->is_live)
		return CONTROL_PUSH_POLL;
	return first->base.is_all ? CONTROL_PUSH_NOTIFY : CONTROL_PUSH_IDLE;
}

void keeper_push_free(struct keeper *keeper)
{
	push_forget_news(keeper);
}
