/* One pass over everything asked for, account beside account.
 * SPDX-License-Identifier: MIT */
#include "syncd/once.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/account.h"
#include "syncd/alloc.h"
#include "syncd/hooks.h"
#include "syncd/log.h"
#include "syncd/must.h"

struct once;

#define ONCE_RUNS_MAX                                                                              \
	4 /* over one account: what waited may be lost once more, but not for ever                 \
	   */

/* One account's part. */
struct once_item {
	struct once *once;
	const struct config_account *settings;
	struct account *account;
	struct account_run *run;
	unsigned runs;
	struct loop_timer again;
	struct hooks *hooks;
	struct hooks_close hooks_closing;
	const char **names; /* mailboxes asked for, borrowed; empty: all */
	size_t name_count;
	bool is_wanted;
	bool is_whole; /* the account itself was named */
	struct port_op closing;
};

struct once {
	struct loop *loop;
	struct once_item *items;
	size_t count;
	size_t open; /* accounts not yet closed */
	bool is_dry_run;
	int exit_status;
	struct loop_signal signals[2];
};

static void once_fail(struct once *once, const struct error *err)
{
	char text[ERROR_FORMAT_MAX];

	(void)fprintf(stderr, "syncd: %s\n", error_format(err, text, sizeof(text)));
	once->exit_status = error_exit_merge(once->exit_status, error_exit_status(err->code));
}

static void once_item_over(struct once_item *item)
{
	must(item->once->open > 0);
	if (--item->once->open > 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(item->once->signals); i++)
		loop_signal_stop(&item->once->signals[i]);
}

static void once_closed(struct port_op *op, int code)
{
	(void)code;
	once_item_over(container_of(op, struct once_item, closing));
}

static void once_ended(struct account_run *run, const char *mailbox,
		       const struct sync_result *result)
{
	struct once_item *item = account_run_context(run);

	if (!item->once->is_dry_run)
		hooks_note(item->hooks, mailbox, result->counts.fetched,
			   sync_counts_changed_maildir(&result->counts));
}

static void once_hooks_closed(struct hooks_close *close)
{
	struct once_item *item = container_of(close, struct once_item, hooks_closing);

	item->closing.done = once_closed;
	account_close(item->account, &item->closing);
}

static void once_report(struct once_item *item, const struct account_report *report)
{
	struct once *once = item->once;

	for (size_t i = 0; i < report->line_count; i++)
		(void)printf("%s: %s\n", item->settings->name, report->lines[i]);
	for (size_t i = 0; i < report->failure_count; i++) {
		struct error failure = report->failures[i].err;
		char context[ERROR_CONTEXT_MAX];
		(void)snprintf(context, sizeof(context), "%s: %.*s", item->settings->name,
			       ERROR_CONTEXT_MAX / 2, failure.context);
		memcpy(failure.context, context, sizeof(context));
		once_fail(once, &failure);
	}
}

static void once_end(struct once_item *item)
{
	hooks_flush(item->hooks);
	hooks_close(&item->hooks, &item->hooks_closing, once_hooks_closed);
}

/* A pass is complete when nothing waits for the server any more (sync_waiting.h). */
static bool once_goes_on(struct once_item *item, const struct account_report *report,
			 const struct error *err)
{
	if (!report->wants_run || err->code != 0 || item->runs == ONCE_RUNS_MAX)
		return false;
	if (report->run_in_s > 0)
		log_warn(item->settings->name,
			 "a connection was lost before the server had answered: it may still be "
			 "at work, and is looked at again in %lld seconds",
			 (long long)report->run_in_s);
	loop_timer_start(&item->again, (uint64_t)report->run_in_s * 1000);
	return true;
}

static void once_done(struct account_run *run, const struct account_report *report,
		      const struct error *err)
{
	struct once_item *item = account_run_context(run);

	item->run = NULL;
	if (once_goes_on(item, report, err))
		return;
	once_report(item, report);
	once_end(item);
}

static void once_run_item(struct once_item *item)
{
	static const struct account_run_ops ops = { .ended = once_ended, .done = once_done };
	struct once *once = item->once;
	struct account_run_options options = {
		.is_dry_run = once->is_dry_run,
		.names = item->is_whole ? NULL : item->names,
		.name_count = item->name_count,
		.context = item,
	};

	item->runs++;
	item->run = account_run_start(item->account, &options, &ops);
}

static void once_again(struct loop_timer *timer)
{
	once_run_item(container_of(timer, struct once_item, again));
}

static void once_start_item(struct once_item *item)
{
	item->hooks = hooks_new(item->once->loop, item->settings->name, item->settings->on_new,
				item->settings->on_change);
	loop_timer_init(item->once->loop, &item->again, once_again);
	once_run_item(item);
}

/* --- Targets ------------------------------------------------------------------------- */

static struct once_item *once_find(struct once *once, const char *target, size_t len)
{
	for (size_t i = 0; i < once->count; i++) {
		const char *name = once->items[i].settings->name;
		if (strlen(name) == len && memcmp(name, target, len) == 0)
			return &once->items[i];
	}
	return NULL;
}

static void once_want(struct once *once, const char *target)
{
	const char *slash = strchr(target, '/');
	size_t len = slash != NULL ? (size_t)(slash - target) : strlen(target);
	struct once_item *item = once_find(once, target, len);
	struct error err = { 0 };

	if (item == NULL) {
		error_set(&err, SYNCD_EUSAGE, "no account is named %.*s", (int)len, target);
		once_fail(once, &err);
		return;
	}
	item->is_wanted = true;
	if (slash == NULL || slash[1] == '\0')
		item->is_whole = true;
	else
		item->names[item->name_count++] = slash + 1;
}

static void once_make_items(struct once *once, const struct config *config, char *const *targets,
			    size_t target_count)
{
	once->count = config->count;
	once->items = xcalloc(config->count, sizeof(*once->items));
	for (size_t i = 0; i < config->count; i++) {
		once->items[i].once = once;
		once->items[i].settings = &config->accounts[i];
		once->items[i].names = xcalloc(target_count, sizeof(char *));
		once->items[i].is_wanted = target_count == 0;
		once->items[i].is_whole = target_count == 0;
	}
	for (size_t i = 0; i < target_count; i++)
		once_want(once, targets[i]);
}

/* --- The run ---------------------------------------------------------------------------- */

static void once_interrupted(struct loop_signal *sig, int signum)
{
	struct once *once = signum == SIGINT ? container_of(sig, struct once, signals[0])
					     : container_of(sig, struct once, signals[1]);

	for (size_t i = 0; i < once->count; i++) {
		struct once_item *item = &once->items[i];
		if (item->run != NULL) {
			account_run_cancel(item->run);
		} else if (item->runs > 0 && loop_timer_is_armed(&item->again)) {
			loop_timer_stop(&item->again);
			once_end(item);
		}
	}
}

static void once_start(struct once *once, const struct config *config)
{
	struct error err = { 0 };

	for (size_t i = 0; i < once->count; i++) {
		struct once_item *item = &once->items[i];
		if (!item->is_wanted)
			continue;
		if (account_open(once->loop, config, item->settings, "syncd --once",
				 once->is_dry_run, &item->account, &err) != 0)
			once_fail(once, &err);
		else
			once->open++;
	}
	if (once->open == 0)
		return;
	(void)loop_signal_start(once->loop, &once->signals[0], SIGINT, once_interrupted, &err);
	(void)loop_signal_start(once->loop, &once->signals[1], SIGTERM, once_interrupted, &err);
	for (size_t i = 0; i < once->count; i++) {
		if (once->items[i].account != NULL)
			once_start_item(&once->items[i]);
	}
	loop_run(once->loop);
	must(once->open == 0);
}

int once_run(struct loop *loop, const struct config *config, char *const *targets,
	     size_t target_count, bool is_dry_run)
{
	struct once once = { .loop = loop, .is_dry_run = is_dry_run };

	once_make_items(&once, config, targets, target_count);
	if (once.exit_status == 0)
		once_start(&once, config);
	for (size_t i = 0; i < once.count; i++)
		free(once.items[i].names);
	free(once.items);
	return once.exit_status;
}
