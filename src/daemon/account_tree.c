/* A run over an IMAP account: the tree's news gathered into a report.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "account_private.h"
#include "syncd/alloc.h"
#include "syncd/pattern.h"

static bool run_selects(struct sync_tree *tree, const char *name)
{
	struct account_run *run = sync_tree_context(tree);

	if (run->names == NULL)
		return pattern_list_selects(run->account->settings->mailboxes, name);
	return account_run_meets(run, name);
}

static enum sync_decision run_decides(struct sync_tree *tree, const char *name)
{
	const struct account_run *run = sync_tree_context(tree);

	return account_run_decides(run, name);
}

/* Asked for by name, it is not passed over in silence. */
static void run_refuse_left_alone(struct account_run *run, const char *name)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ENOTFOUND,
		  "it is in a namespace of others, which no pattern of `mailboxes` names");
	error_context(&err, "mailbox %s", name);
	account_report_fail(&run->report, name, &err);
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

static void run_ended(struct sync_tree *tree, const char *name, const struct sync_result *result)
{
	struct account_run *run = sync_tree_context(tree);

	account_run_ended(run, name, result);
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

	account_report_line(&run->report, line);
	free(line);
}

static void run_planned(struct sync_tree *tree, const char *name, const struct sync_plan *plan,
			const struct keyword_table *keywords)
{
	struct account_run *run = sync_tree_context(tree);

	plan_text(name, plan, keywords, account_report_line, &run->report);
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

	if (err->code == 0)
		account_run_refuse_unmet(run);
	if (err->code == 0 && run->options.targets == NULL)
		run_note_trash(run, sync_tree_found_trash(tree));
	account_run_finish(run, err);
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

void account_tree_start(struct account_run *run)
{
	const struct config_account *settings = run->account->settings;
	struct sync_tree_options tree_options = {
		.account = settings->name,
		.direction = settings->direction,
		.deletion_limit = { .percent = settings->deletion_limit,
				    .messages = SYNC_LIMIT_MESSAGES },
		.expunges_deleted = settings->expunge_deleted,
		.max_size_bytes = account_max_size(run->account),
		.trash = settings->finds_trash ? run->account->trash : settings->trash,
		.finds_trash = settings->finds_trash,
		.may_create_local = settings->create == CONFIG_FOLLOW_BOTH ||
				    settings->create == CONFIG_FOLLOW_LOCAL,
		.may_create_remote = settings->create == CONFIG_FOLLOW_BOTH ||
				     settings->create == CONFIG_FOLLOW_REMOTE,
		.may_remove_local = settings->remove == CONFIG_FOLLOW_BOTH ||
				    settings->remove == CONFIG_FOLLOW_LOCAL,
		.may_remove_remote = settings->remove == CONFIG_FOLLOW_BOTH ||
				     settings->remove == CONFIG_FOLLOW_REMOTE,
		.selects_for_good = run->options.names == NULL,
		.wants_subscribed = settings->subscribed && run->options.names == NULL,
		.is_dry_run = run->options.is_dry_run,
		.passes_at_once = settings->connections,
		.verify_interval_s = (int64_t)settings->verify_interval_s,
		.unanswered_wait_s = (int64_t)settings->unanswered_wait_s,
		.targets = run->options.targets,
		.target_count = run->options.target_count,
		.context = run,
	};

	run->tree = sync_tree_start(&run->account->ports, &tree_options, &tree_ops);
}
