/* A run over an account: the tree's news gathered into a report.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "account_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/pattern.h"

struct account_run {
	struct account *account;
	const struct account_run_ops *ops;
	struct account_run_options options;
	char **names; /* our copies */
	bool *is_met; /* by name: the tree knew it */
	struct sync_tree *tree;
	struct account_report report;
};

/* --- The report -------------------------------------------------------------------- */

static void report_fail(struct account_report *report, const char *mailbox, const struct error *err)
{
	report->failures = xgrow(report->failures, report->failure_count, &report->failure_cap,
				 sizeof(*report->failures));
	report->failures[report->failure_count++] = (struct account_failure){
		.mailbox = mailbox != NULL ? xstrdup(mailbox) : NULL,
		.err = *err,
	};
	report->exit_status = error_exit_merge(report->exit_status, error_exit_status(err->code));
}

/* A mailbox that is passed over again is judged by its last pass. */
static void report_forget(struct account_report *report, const char *mailbox)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->failure_count; i++) {
		struct account_failure *failure = &report->failures[i];
		if (failure->mailbox != NULL && strcmp(failure->mailbox, mailbox) == 0)
			free(failure->mailbox);
		else
			report->failures[kept++] = *failure;
	}
	report->failure_count = kept;
	report->exit_status = 0;
	for (size_t i = 0; i < kept; i++)
		report->exit_status = error_exit_merge(
			report->exit_status, error_exit_status(report->failures[i].err.code));
}

static void report_line(void *context, const char *line)
{
	struct account_report *report = context;

	report->lines = xgrow(report->lines, report->line_count, &report->line_cap, sizeof(char *));
	report->lines[report->line_count++] = xstrdup(line);
}

static void report_free(struct account_report *report)
{
	for (size_t i = 0; i < report->failure_count; i++)
		free(report->failures[i].mailbox);
	free(report->failures);
	for (size_t i = 0; i < report->line_count; i++)
		free(report->lines[i]);
	free(report->lines);
}

/* --- What the tree tells ---------------------------------------------------------------- */

static bool run_selects(struct sync_tree *tree, const char *name)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->names == NULL)
		return pattern_list_selects(run->account->settings->mailboxes, name);
	for (size_t i = 0; i < run->options.name_count; i++) {
		if (strcmp(run->names[i], name) == 0) {
			run->is_met[i] = true;
			return true;
		}
	}
	return false;
}

static enum sync_decision run_decides(struct sync_tree *tree, const char *name)
{
	const struct account_run *run = sync_tree_context(tree);

	for (size_t i = 0; i < run->options.decided_count; i++) {
		if (strcmp(run->options.decided[i], name) == 0)
			return run->options.decision;
	}
	return SYNC_HOLD;
}

/* Asked for by name, it is not passed over in silence. */
static void run_refuse_left_alone(struct account_run *run, const char *name)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ENOTFOUND,
		  "it is in a namespace of others, which no pattern of `mailboxes` names");
	error_context(&err, "mailbox %s", name);
	report_fail(&run->report, name, &err);
}

static void run_listed(struct sync_tree *tree, const struct mailbox_info *info)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->names != NULL && info->is_left_alone && run_selects(tree, info->name))
		run_refuse_left_alone(run, info->name);
	if (run->ops->listed != NULL)
		run->ops->listed(run, info);
}

static void run_begun(struct sync_tree *tree, const char *name)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->ops->begun != NULL)
		run->ops->begun(run, name);
}

static void run_unchanged(struct sync_tree *tree, const char *name)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->ops->unchanged != NULL)
		run->ops->unchanged(run, name);
}

static void run_vanished(struct sync_tree *tree, const char *name)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->ops->vanished != NULL)
		run->ops->vanished(run, name);
}

static void run_progress(struct sync_tree *tree, const char *name, const struct sync_counts *done,
			 uint64_t total)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->ops->progress != NULL)
		run->ops->progress(run, name, done, total);
}

static void run_log_counts(const struct account_run *run, const char *name,
			   const struct sync_counts *counts)
{
	const char *account = account_name(run->account);

	if (!sync_counts_changed_maildir(counts) &&
	    counts->appended + counts->flags_remote + counts->expunged == 0)
		return;
	log_info(account,
		 "%s: %llu fetched, %llu linked, %llu sent, flags of %llu changed here and %llu on "
		 "the server, %llu removed here and %llu on the server",
		 name, (unsigned long long)counts->fetched, (unsigned long long)counts->linked,
		 (unsigned long long)counts->appended, (unsigned long long)counts->flags_local,
		 (unsigned long long)counts->flags_remote, (unsigned long long)counts->removed,
		 (unsigned long long)counts->expunged);
}

static void run_ended(struct sync_tree *tree, const char *name, const struct sync_result *result)
{
	struct account_run *run = sync_tree_context(tree);
	struct account_report *report = &run->report;
	struct error aside = { 0 };

	report_forget(report, name);
	sync_counts_add(&report->counts, &result->counts);
	run_log_counts(run, name, &result->counts);
	report->wants_another |= result->is_local_moving;
	report->wants_run |= result->wants_run;
	if (result->run_in_s > report->run_in_s)
		report->run_in_s = result->run_in_s;
	if (result->err.code != 0) {
		report_fail(report, name, &result->err);
	} else if (result->counts.set_aside > 0) {
		error_set(&aside, SYNCD_EMESSAGE, "%llu messages set aside",
			  (unsigned long long)result->counts.set_aside);
		error_context(&aside, "mailbox %s", name);
		report_fail(report, name, &aside);
	}
	if (run->ops->ended != NULL)
		run->ops->ended(run, name, result);
}

static void run_would(struct sync_tree *tree, const char *name, enum sync_box_action action,
		      const char *from)
{
	static const struct {
		const char *verb;
		const char *where;
	} texts[] = {
		[BOX_CREATE_LOCAL] = { "create", " in the maildir" },
		[BOX_CREATE_REMOTE] = { "create", " on the server" },
		[BOX_DELETE_LOCAL] = { "delete", " in the maildir" },
		[BOX_DELETE_REMOTE] = { "delete", " on the server" },
		[BOX_HOLD_LOCAL] = { "hold back: delete", " in the maildir" },
		[BOX_HOLD_REMOTE] = { "hold back: delete", " on the server" },
		[BOX_RESTORE_LOCAL] = { "restore", " in the maildir" },
		[BOX_RESTORE_REMOTE] = { "restore", " on the server" },
		[BOX_FORGET] = { "forget", "" },
		[BOX_RENAME_LOCAL] = { "rename", " in the maildir" },
		[BOX_RENAME_REMOTE] = { "rename", " on the server" },
		[BOX_RENAME_STATE] = { "rename", " in the state" },
	};
	struct account_run *run = sync_tree_context(tree);
	char *line = from != NULL
			     ? xasprintf("%s %s to %s%s", texts[action].verb, from, name,
					 texts[action].where)
			     : xasprintf("%s %s%s", texts[action].verb, name, texts[action].where);

	report_line(&run->report, line);
	free(line);
}

static void run_planned(struct sync_tree *tree, const char *name, const struct sync_plan *plan,
			const struct keyword_table *keywords)
{
	struct account_run *run = sync_tree_context(tree);

	plan_text(name, plan, keywords, report_line, &run->report);
}

static void run_free(struct account_run *run)
{
	for (size_t i = 0; run->names != NULL && i < run->options.name_count; i++)
		free(run->names[i]);
	free(run->names);
	free(run->is_met);
	report_free(&run->report);
	free(run);
}

/* For runs that list nothing. */
static void run_note_trash(struct account_run *run, const char *trash)
{
	free(run->account->trash);
	run->account->trash = trash != NULL ? xstrdup(trash) : NULL;
}

static void run_done(struct sync_tree *tree, const struct error *err)
{
	struct account_run *run = sync_tree_context(tree);
	struct error account_err = *err;
	struct error unknown = { 0 };

	for (size_t i = 0; err->code == 0 && run->names != NULL && i < run->options.name_count;
	     i++) {
		if (run->is_met[i])
			continue;
		error_set(&unknown, SYNCD_ENOTFOUND, "there is no such mailbox");
		error_context(&unknown, "mailbox %s", run->names[i]);
		report_fail(&run->report, run->names[i], &unknown);
	}
	if (account_err.code != 0) {
		error_context(&account_err, "account %s", account_name(run->account));
		report_fail(&run->report, NULL, &account_err);
	}
	if (err->code == 0 && run->options.targets == NULL)
		run_note_trash(run, sync_tree_found_trash(tree));
	struct account *account = run->account;
	account->run = NULL;
	run->ops->done(run, &run->report, &account_err);
	run_free(run);
	account_trim(account);
	account_close_if_over(account);
}

static const struct sync_tree_ops tree_ops = {
	.selects = run_selects,
	.decides = run_decides,
	.listed = run_listed,
	.begun = run_begun,
	.unchanged = run_unchanged,
	.vanished = run_vanished,
	.progress = run_progress,
	.ended = run_ended,
	.would = run_would,
	.planned = run_planned,
	.done = run_done,
};

/* --- Starting -------------------------------------------------------------------------------- */

struct account_run *account_run_start(struct account *account,
				      const struct account_run_options *options,
				      const struct account_run_ops *ops)
{
	const struct config_account *settings = account->settings;
	struct account_run *run = xcalloc(1, sizeof(*run));
	struct sync_tree_options tree_options = {
		.account = settings->name,
		.direction = settings->direction,
		.deletion_limit = { .percent = settings->deletion_limit,
				    .messages = SYNC_LIMIT_MESSAGES },
		.expunges_deleted = settings->expunge_deleted,
		.max_size_bytes =
			settings->max_size_bytes == CONFIG_NO_LIMIT ? 0 : settings->max_size_bytes,
		.trash = settings->finds_trash ? account->trash : settings->trash,
		.finds_trash = settings->finds_trash,
		.may_create_local = settings->create == CONFIG_FOLLOW_BOTH ||
				    settings->create == CONFIG_FOLLOW_LOCAL,
		.may_create_remote = settings->create == CONFIG_FOLLOW_BOTH ||
				     settings->create == CONFIG_FOLLOW_REMOTE,
		.may_remove_local = settings->remove == CONFIG_FOLLOW_BOTH ||
				    settings->remove == CONFIG_FOLLOW_LOCAL,
		.may_remove_remote = settings->remove == CONFIG_FOLLOW_BOTH ||
				     settings->remove == CONFIG_FOLLOW_REMOTE,
		.selects_for_good = options->names == NULL,
		.wants_subscribed = settings->subscribed && options->names == NULL,
		.is_dry_run = options->is_dry_run,
		.passes_at_once = settings->connections,
		.verify_interval_s = (int64_t)settings->verify_interval_s,
		.unanswered_wait_s = (int64_t)settings->unanswered_wait_s,
		.targets = options->targets,
		.target_count = options->target_count,
		.context = run,
	};

	must(account->run == NULL);
	account->run = run;
	run->account = account;
	run->ops = ops;
	run->options = *options;
	if (options->names != NULL) {
		run->names = xcalloc(options->name_count, sizeof(char *));
		run->is_met = xcalloc(options->name_count, sizeof(bool));
		for (size_t i = 0; i < options->name_count; i++)
			run->names[i] = xstrdup(options->names[i]);
	}
	run->tree = sync_tree_start(&account->ports, &tree_options, &tree_ops);
	return run;
}

void account_run_cancel(struct account_run *run)
{
	sync_tree_cancel(run->tree);
}

void *account_run_context(const struct account_run *run)
{
	return run->options.context;
}
