/* The keeper's life: what is due is run, what failed is tried again.
 * SPDX-License-Identifier: MIT */
#include "keeper_private.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/pattern.h"

/* --- Mailboxes and state ------------------------------------------------------------ */

static struct keeper_mailbox *keeper_find(struct keeper *keeper, const char *name)
{
	for (size_t i = 0; i < keeper->count; i++) {
		if (strcmp(keeper->mailboxes[i].name, name) == 0)
			return &keeper->mailboxes[i];
	}
	return NULL;
}

struct keeper_mailbox *keeper_mailbox(struct keeper *keeper, const char *name)
{
	struct keeper_mailbox *known = keeper_find(keeper, name);

	if (known != NULL)
		return known;
	keeper->mailboxes =
		xgrow(keeper->mailboxes, keeper->count, &keeper->cap, sizeof(*keeper->mailboxes));
	keeper->mailboxes[keeper->count] = (struct keeper_mailbox){ .name = xstrdup(name) };
	return &keeper->mailboxes[keeper->count++];
}

bool keeper_selects(struct keeper *keeper, const char *name)
{
	const struct keeper_mailbox *mailbox = keeper_find(keeper, name);

	return pattern_list_selects(keeper->settings->mailboxes, name) &&
	       (mailbox == NULL || !mailbox->is_left_alone);
}

void keeper_set_state(struct keeper *keeper, enum control_state state, const struct error *err)
{
	struct control_event event = {
		.kind = CONTROL_EVENT_STATE,
		.account = keeper->settings->name,
		.state = state,
		.err = err,
	};
	bool is_news = state != keeper->state || (err != NULL ? err->code : 0) != keeper->err.code;

	keeper->state = state;
	if (err != NULL)
		keeper->err = *err;
	else
		error_clear(&keeper->err);
	if (!is_news)
		return;
	keeper->user->event(keeper->user, &event);
	keeper->user->changed(keeper->user, keeper);
}

void keeper_note_remote(struct keeper *keeper, struct keeper_mailbox *mailbox)
{
	mailbox->has_remote_news = true;
	mailbox->news_ms = loop_now_ms(keeper->loop);
	mailbox->is_changed |= !mailbox->is_gone;
	schedule_note_news(&keeper->schedule, loop_now_ms(keeper->loop), mailbox->is_gone);
}

void keeper_note_local(struct keeper *keeper, const char *name, const struct local_hint *hint)
{
	if (!keeper_selects(keeper, name))
		return;
	struct keeper_mailbox *mailbox = keeper_mailbox(keeper, name);
	if (hint != NULL)
		hint_list_add(&mailbox->hints, hint);
	else
		hint_list_lose(&mailbox->hints);
	if (mailbox->is_gone) {
		schedule_want_full(&keeper->schedule, loop_now_ms(keeper->loop),
				   SCHEDULE_SETTLE_MAX_MS);
	} else {
		mailbox->is_changed = true;
		schedule_note_change(&keeper->schedule, loop_now_ms(keeper->loop));
	}
	keeper_poke(keeper);
}

/* --- Runs ----------------------------------------------------------------------------- */

/* Until a run has been over it, it is not one of ours. */
static void keeper_run_listed(struct account_run *run, const struct mailbox_info *info)
{
	struct keeper *keeper = account_run_context(run);
	struct keeper_mailbox *mailbox = keeper_find(keeper, info->name);

	bool is_left_alone = keeper->is_full_run && info->is_left_alone;
	if (mailbox == NULL && info->use == SPECIAL_USE_NONE && !is_left_alone)
		return;
	if (mailbox == NULL) {
		mailbox = keeper_mailbox(keeper, info->name);
		mailbox->is_gone = true;
	}
	mailbox->use = info->use;
	if (keeper->is_full_run)
		mailbox->is_left_alone = is_left_alone;
}

static void keeper_run_begun(struct account_run *run, const char *mailbox)
{
	struct keeper *keeper = account_run_context(run);
	struct control_event event = {
		.kind = CONTROL_EVENT_SYNC_BEGIN,
		.account = keeper->settings->name,
		.mailbox = mailbox,
	};

	keeper->user->event(keeper->user, &event);
}

static void keeper_run_progress(struct account_run *run, const char *mailbox,
				const struct sync_counts *done, uint64_t total)
{
	struct keeper *keeper = account_run_context(run);
	struct control_event event = {
		.kind = CONTROL_EVENT_PROGRESS,
		.account = keeper->settings->name,
		.mailbox = mailbox,
		.counts = *done,
		.done = done->fetched + done->appended,
		.total = total,
	};

	keeper->user->event(keeper->user, &event);
}

/* A mailbox is tracked from a look on that began when it was watched already. The names stay
 * until the run is done: the mailbox may be passed over once more. */
static void keeper_note_looked(struct keeper_mailbox *mailbox, bool is_good)
{
	mailbox->is_tracked = is_good && mailbox->was_watched;
}

/* A complete look has it among those that are synchronised, by whatever name others are listed. */
static void keeper_note_ours(struct keeper *keeper, struct keeper_mailbox *mailbox)
{
	mailbox->is_gone = false;
	if (keeper->is_full_run)
		mailbox->is_left_alone = false;
}

static void keeper_run_ended(struct account_run *run, const char *name,
			     const struct sync_result *result)
{
	struct keeper *keeper = account_run_context(run);
	struct keeper_mailbox *mailbox = keeper_mailbox(keeper, name);
	const struct sync_counts *counts = &result->counts;
	struct control_event event = {
		.kind = CONTROL_EVENT_SYNC_END,
		.account = keeper->settings->name,
		.mailbox = name,
		.counts = *counts,
		.err = &result->err,
	};

	keeper->user->event(keeper->user, &event);
	if (keeper->job != NULL && keeper->job->is_plan)
		return;
	keeper_note_ours(keeper, mailbox);
	keeper->has_found |= sync_counts_changed_maildir(counts) || counts->appended > 0 ||
			     counts->flags_remote > 0 || counts->expunged > 0;
	mailbox->err = result->err;
	mailbox->held_deletions = result->held_deletions;
	mailbox->held_is_remote = result->held_is_remote;
	mailbox->is_counted = false;
	if (sync_counts_changed_maildir(counts))
		mailbox->news_ms = loop_now_ms(keeper->loop);
	keeper_note_looked(mailbox,
			   result->err.code == 0 && !result->is_local_moving && !result->wants_run);
	if (result->err.code == 0)
		keeper_watch_mailbox(keeper, mailbox);
	hooks_note(keeper->hooks, name, counts->fetched, sync_counts_changed_maildir(counts));
}

static void keeper_run_unchanged(struct account_run *run, const char *name)
{
	struct keeper *keeper = account_run_context(run);
	struct keeper_mailbox *mailbox = keeper_mailbox(keeper, name);

	error_clear(&mailbox->err);
	keeper_note_ours(keeper, mailbox);
	mailbox->held_deletions = 0;
	keeper_note_looked(mailbox, true);
	keeper_watch_mailbox(keeper, mailbox);
}

/* It may come back: what points to it stays right. */
static void keeper_run_vanished(struct account_run *run, const char *name)
{
	struct keeper *keeper = account_run_context(run);
	struct keeper_mailbox *mailbox = keeper_mailbox(keeper, name);

	if (keeper->watch != NULL)
		watch_remove_mailbox(keeper->watch, name);
	error_clear(&mailbox->err);
	mailbox->held_deletions = 0;
	mailbox->is_watched = mailbox->is_tracked = mailbox->is_changed = false;
	mailbox->is_gone = true;
}

/* What decides about the next try: the account's failure, or the worst that a mailbox
 * met: one that passes by itself is tried again sooner. */
static int keeper_outcome(const struct account_report *report, const struct error *err)
{
	int code = err->code;

	for (size_t i = 0; code == 0 && i < report->failure_count; i++) {
		if (error_class_of(report->failures[i].err.code) == ERROR_CLASS_RETRY)
			code = report->failures[i].err.code;
	}
	return code;
}

static void keeper_log_failures(const struct keeper *keeper, const struct account_report *report)
{
	char text[ERROR_FORMAT_MAX];

	for (size_t i = 0; i < report->failure_count; i++)
		log_error(keeper->settings->name, "%s",
			  error_format(&report->failures[i].err, text, sizeof(text)));
}

static void keeper_settle_state(struct keeper *keeper, const struct error *err)
{
	if (keeper->schedule.is_paused)
		keeper_set_state(keeper, CONTROL_PAUSED, NULL);
	else if (err->code == 0)
		keeper_set_state(keeper, keeper_is_held(keeper) ? CONTROL_HELD : CONTROL_IDLE,
				 NULL);
	else if (error_class_of(err->code) == ERROR_CLASS_AUTH)
		keeper_set_state(keeper, CONTROL_AUTH_FAILED, err);
	else
		keeper_set_state(keeper, CONTROL_OFFLINE, err);
}

static void keeper_free_targets(struct keeper *keeper)
{
	free(keeper->targets);
	keeper->targets = NULL;
	for (size_t i = 0; i < keeper->count; i++)
		hint_list_clear(&keeper->mailboxes[i].looked_at);
}

/* How long the server wants to be left alone. */
static uint32_t keeper_rest_s(const struct account_report *report, const struct error *err)
{
	return err->retry_after_s > report->login_delay_s ? err->retry_after_s
							  : report->login_delay_s;
}

/* A run has ended well: what comes next is to be noticed. Of a maildrop nothing tells. */
static void keeper_follow(struct keeper *keeper, const struct account_report *report,
			  const struct keeper_job *job)
{
	if (!keeper_is_pop3(keeper)) {
		keeper_watch_start(keeper);
		keeper_push_start(keeper);
	} else if (job == NULL || !job->is_plan) {
		keeper_pull_note(keeper, report);
	}
}

static void keeper_run_done(struct account_run *run, const struct account_report *report,
			    const struct error *err)
{
	struct keeper *keeper = account_run_context(run);
	struct keeper_job *job = keeper->job;
	uint64_t now_ms = loop_now_ms(keeper->loop);

	keeper->run = NULL;
	keeper->job = NULL;
	keeper_free_targets(keeper);
	bool is_again = keeper_has_yet_to_decide(keeper, job, err);
	free(keeper->decided);
	keeper->decided = NULL;
	if (keeper->closed == NULL)
		keeper_log_failures(keeper, report);
	schedule_ended(&keeper->schedule, now_ms, keeper_outcome(report, err),
		       loop_random(keeper->loop));
	schedule_rest(&keeper->schedule, now_ms, keeper_rest_s(report, err));
	schedule_found(&keeper->schedule, now_ms, keeper->has_found);
	keeper->has_found = false;
	if (report->wants_another)
		schedule_want_full(&keeper->schedule, now_ms, SCHEDULE_SETTLE_MAX_MS);
	if (report->wants_run)
		schedule_want_full(&keeper->schedule, now_ms, (uint64_t)report->run_in_s * 1000);
	keeper_settle_state(keeper, err);
	if (err->code == 0 && keeper->closed == NULL) {
		if (keeper->is_full_run)
			keeper->last_sync_s = loop_wall_s(keeper->loop);
		keeper_follow(keeper, report, job);
	}
	if (is_again)
		list_prepend(&keeper->jobs, &job->link);
	else if (job != NULL)
		job->done(job, keeper, report, err);
	if (keeper->closed != NULL)
		return;
	keeper_push_judge(keeper);
	keeper_poke(keeper);
}

static const struct account_run_ops run_ops = {
	.listed = keeper_run_listed,
	.begun = keeper_run_begun,
	.unchanged = keeper_run_unchanged,
	.vanished = keeper_run_vanished,
	.progress = keeper_run_progress,
	.ended = keeper_run_ended,
	.done = keeper_run_done,
};

/* A full run looks at the directories themselves. */
static void keeper_mailbox_begun(struct keeper_mailbox *mailbox, bool is_full)
{
	mailbox->was_watched = mailbox->is_watched;
	if (!is_full)
		return;
	mailbox->is_push_resting = false;
	mailbox->is_changed = false;
	mailbox->has_remote_news = false;
	mailbox->is_tracked = false; /* until the look has ended well */
	hint_list_clear(&mailbox->hints);
}

void keeper_start_run(struct keeper *keeper, const struct account_run_options *options)
{
	keeper_set_state(keeper, keeper->last_sync_s == 0 ? CONTROL_CONNECTING : CONTROL_SYNCING,
			 NULL);
	keeper->is_full_run =
		options->names == NULL && options->targets == NULL && !options->is_dry_run;
	if (!options->is_dry_run)
		schedule_begun(&keeper->schedule, loop_now_ms(keeper->loop), keeper->is_full_run);
	for (size_t i = 0; i < keeper->count; i++)
		keeper_mailbox_begun(&keeper->mailboxes[i], keeper->is_full_run);
	keeper->run = account_run_start(keeper->account, options, &run_ops);
}

static void keeper_run_full(struct keeper *keeper)
{
	struct account_run_options options = { .context = keeper };

	keeper_start_run(keeper, &options);
}

/* What there is to look at in a mailbox that changed. */
static struct sync_target keeper_target(struct keeper_mailbox *mailbox)
{
	static const struct local_hint no_hints[1];
	struct sync_target target = {
		.name = mailbox->name,
		.is_remote_quiet = !mailbox->has_remote_news,
	};

	hint_list_move(&mailbox->looked_at, &mailbox->hints);
	if (mailbox->is_tracked && !mailbox->looked_at.is_lost) {
		target.hint_count = mailbox->looked_at.count;
		target.hints = target.hint_count > 0 ? mailbox->looked_at.items : no_hints;
	}
	mailbox->is_changed = false;
	mailbox->has_remote_news = false;
	mailbox->is_tracked = false; /* until the look has ended well */
	return target;
}

static void keeper_run_changes(struct keeper *keeper)
{
	struct account_run_options options = { .context = keeper };

	keeper->targets = xcalloc(keeper->count, sizeof(*keeper->targets));
	for (size_t i = 0; i < keeper->count; i++) {
		if (keeper->mailboxes[i].is_changed)
			keeper->targets[options.target_count++] =
				keeper_target(&keeper->mailboxes[i]);
	}
	options.targets = keeper->targets;
	keeper_start_run(keeper, &options);
}

static void keeper_run_job(struct keeper *keeper)
{
	struct list *node = list_first(&keeper->jobs);
	struct keeper_job *job = container_of(node, struct keeper_job, link);
	struct account_run_options options = {
		.is_dry_run = job->is_plan,
		.names = job->names,
		.name_count = job->name_count,
		.wanted = job->wanted,
		.wanted_count = job->wanted_count,
		.is_forgetting = job->is_forgetting,
		.context = keeper,
	};

	list_remove(node);
	keeper->job = job;
	keeper->has_found = true; /* what a person asked for is no news in vain */
	if (job->decision != SYNC_HOLD)
		keeper_run_decision(keeper, job);
	else
		keeper_start_run(keeper, &options);
}

/* --- What is due ------------------------------------------------------------------------- */

/* A pass by hand or cron may hold the account's lock for a while. */
static void keeper_open(struct keeper *keeper)
{
	struct error err = { 0 };
	uint64_t now_ms = loop_now_ms(keeper->loop);
	char text[ERROR_FORMAT_MAX];

	if (account_open(keeper->loop, keeper->config, keeper->settings, "syncd", false,
			 &keeper->account, &err) == 0)
		return;
	log_error(keeper->settings->name, "%s", error_format(&err, text, sizeof(text)));
	schedule_begun(&keeper->schedule, now_ms, true);
	schedule_ended(&keeper->schedule, now_ms, err.code, loop_random(keeper->loop));
	keeper_settle_state(keeper, &err);
	while (!list_is_empty(&keeper->jobs)) {
		struct list *node = list_first(&keeper->jobs);
		struct keeper_job *job = container_of(node, struct keeper_job, link);
		list_remove(node);
		job->done(job, keeper, NULL, &err);
	}
}

static void keeper_due(struct loop_timer *timer)
{
	keeper_poke(container_of(timer, struct keeper, timer));
}

void keeper_poke(struct keeper *keeper)
{
	uint64_t now_ms = loop_now_ms(keeper->loop);
	uint64_t at_ms = 0;
	enum schedule_due due = schedule_next(&keeper->schedule, now_ms, &at_ms);
	bool has_job = !list_is_empty(&keeper->jobs);

	loop_timer_stop(&keeper->timer);
	if (keeper->run != NULL || keeper->closed != NULL)
		return;
	if ((has_job || due != SCHEDULE_WAIT) && keeper->account == NULL) {
		keeper_open(keeper);
		if (keeper->account == NULL) {
			loop_timer_start(&keeper->timer, SCHEDULE_RETRY_FIRST_MS);
			return;
		}
	}
	if (has_job)
		keeper_run_job(keeper);
	else if (due == SCHEDULE_FULL)
		keeper_run_full(keeper);
	else if (due == SCHEDULE_CHANGES)
		keeper_run_changes(keeper);
	else if (at_ms != SCHEDULE_NEVER)
		loop_timer_start(&keeper->timer, at_ms - now_ms);
}

void keeper_add_job(struct keeper *keeper, struct keeper_job *job)
{
	list_append(&keeper->jobs, &job->link);
	if (!job->is_plan)
		keeper->schedule.is_stopped = false; /* the user acts */
	keeper_poke(keeper);
}

void keeper_pause(struct keeper *keeper)
{
	keeper->schedule.is_paused = true;
	keeper_push_stop(keeper);
	if (keeper->run != NULL)
		account_run_cancel(keeper->run);
	else
		keeper_set_state(keeper, CONTROL_PAUSED, NULL);
}

void keeper_resume(struct keeper *keeper)
{
	keeper->schedule.is_paused = false;
	keeper_wake(keeper);
}

void keeper_wake(struct keeper *keeper)
{
	bool is_stopped = keeper->schedule.is_stopped;

	if (keeper->schedule.is_paused)
		return;
	keeper_push_stop(keeper);
	if (keeper->account != NULL)
		account_drop_idle(keeper->account);
	schedule_wake(&keeper->schedule, loop_now_ms(keeper->loop));
	/* A refused password stays refused whatever the network does. */
	keeper->schedule.is_stopped = is_stopped;
	keeper_poke(keeper);
}

/* --- Beginning and end ------------------------------------------------------------------------ */

struct keeper *keeper_new(struct loop *loop, const struct config *config,
			  const struct config_account *settings, struct keeper_user *user)
{
	struct keeper *keeper = xcalloc(1, sizeof(*keeper));

	keeper->loop = loop;
	keeper->config = config;
	keeper->settings = settings;
	keeper->user = user;
	keeper->state = CONTROL_CONNECTING;
	list_init(&keeper->jobs);
	loop_timer_init(loop, &keeper->timer, keeper_due);
	schedule_init(&keeper->schedule, settings->poll_interval_s * 1000, loop_now_ms(loop));
	keeper->hooks = hooks_new(loop, settings->name, settings->on_new, settings->on_change);
	loop_timer_start(&keeper->timer, 0);
	return keeper;
}

static void keeper_hooks_closed(struct hooks_close *close)
{
	struct keeper *keeper = container_of(close, struct keeper, hooks_closing);
	void (*closed)(void *closed_context) = keeper->closed;
	void *closed_context = keeper->closed_context;

	for (size_t i = 0; i < keeper->count; i++) {
		hint_list_clear(&keeper->mailboxes[i].hints);
		hint_list_clear(&keeper->mailboxes[i].looked_at);
		free(keeper->mailboxes[i].name);
	}
	free(keeper->mailboxes);
	keeper_push_free(keeper);
	keeper_pull_free(keeper);
	free(keeper);
	closed(closed_context);
}

static void keeper_account_closed(struct port_op *op, int code)
{
	struct keeper *keeper = container_of(op, struct keeper, closing);

	(void)code;
	hooks_close(&keeper->hooks, &keeper->hooks_closing, keeper_hooks_closed);
}

void keeper_close(struct keeper *keeper, void (*closed)(void *context), void *context)
{
	struct error err = { 0 };

	keeper->closed = closed;
	keeper->closed_context = context;
	loop_timer_stop(&keeper->timer);
	error_set(&err, SYNCD_ECANCELLED, "the daemon is ending or reloading");
	while (!list_is_empty(&keeper->jobs)) {
		struct list *node = list_first(&keeper->jobs);
		struct keeper_job *job = container_of(node, struct keeper_job, link);
		list_remove(node);
		job->done(job, keeper, NULL, &err);
	}
	if (keeper->watch != NULL)
		watch_free(&keeper->watch);
	keeper->closing.done = keeper_account_closed;
	if (keeper->account != NULL)
		account_close(keeper->account, &keeper->closing);
	else
		hooks_close(&keeper->hooks, &keeper->hooks_closing, keeper_hooks_closed);
}

const char *keeper_name(const struct keeper *keeper)
{
	return keeper->settings->name;
}

enum control_state keeper_state(const struct keeper *keeper)
{
	return keeper->state;
}

const struct error *keeper_error(const struct keeper *keeper)
{
	return &keeper->err;
}
