/* A run over a POP3 account: one pull from its maildrop, gathered into a report.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "account_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

/* A unique-id for people: what is not printable in it could drive a terminal. */
static char *uid_text(struct slice uid)
{
	char *text = xstrndup(uid.data, uid.len);

	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return text;
}

/* --- What the pull tells ---------------------------------------------------------- */

static void pull_left(struct sync_pull *pull, const struct pull_message *message)
{
	struct account_run *run = sync_pull_context(pull);
	struct account_report *report = &run->report;

	if (report->left_count == ACCOUNT_LEFT_MAX)
		return;
	report->left =
		xgrow(report->left, report->left_count, &report->left_cap, sizeof(*report->left));
	report->left[report->left_count++] = (struct account_left){
		.uid = uid_text(message->uid),
		.size_bytes = message->size_bytes,
		.reason = message->reason != NULL ? xstrdup(message->reason) : NULL,
	};
}

static void pull_planned(struct sync_pull *pull, const struct pull_message *message,
			 bool is_deletion)
{
	struct account_run *run = sync_pull_context(pull);
	char *uid = message->uid.len > 0 ? uid_text(message->uid) : xstrdup("unknown");
	char *line = is_deletion ? xasprintf("delete " PULL_MAILBOX " uidl %s on the server", uid)
				 : xasprintf("fetch " PULL_MAILBOX " uidl %s (%" PRIu64 " bytes)",
					     uid, message->size_bytes);

	account_report_line(&run->report, line);
	free(line);
	free(uid);
}

static void pull_progress(struct sync_pull *pull, const struct sync_counts *done,
			  uint64_t planned_fetches)
{
	struct account_run *run = sync_pull_context(pull);

	if (!run->is_begun && run->ops->begun != NULL)
		run->ops->begun(run, PULL_MAILBOX);
	run->is_begun = true;
	if (run->ops->progress != NULL)
		run->ops->progress(run, PULL_MAILBOX, done, planned_fetches);
}

static bool has_done_anything(const struct sync_counts *counts)
{
	return counts->fetched + counts->expunged + counts->set_aside + counts->too_large > 0;
}

/* One message at a time is asked for. */
static void refuse_unknown(struct account_run *run, size_t found)
{
	struct error err = { 0 };

	if (run->options.wanted_count == 0 || found > 0)
		return;
	error_set(&err, SYNCD_ENOTFOUND,
		  "no message of that unique-id is in the maildrop, or it was fetched before");
	error_context(&err, "uidl %s", run->options.wanted[0]);
	account_report_fail(&run->report, PULL_MAILBOX, &err);
}

/* What is held is the mailbox's trouble, as with IMAP; all else is the account's. */
static void pull_done(struct sync_pull *pull, const struct sync_pull_result *result)
{
	struct account_run *run = sync_pull_context(pull);
	struct error account_err = result->err;
	struct sync_result seen = {
		.counts = result->counts,
		.held_deletions = result->held_deletions,
		.held_is_remote = true,
	};

	run->pull = NULL;
	run->report.messages = result->messages;
	run->report.login_delay_s = result->login_delay_s;
	if (error_class_of(account_err.code) == ERROR_CLASS_HELD) {
		seen.err = account_err;
		error_context(&seen.err, "mailbox " PULL_MAILBOX);
		error_clear(&account_err);
	}
	if (account_err.code == 0 || has_done_anything(&result->counts))
		account_run_ended(run, PULL_MAILBOX, &seen);
	if (account_err.code == 0) {
		refuse_unknown(run, result->wanted);
		account_run_refuse_unmet(run);
	}
	account_run_finish(run, &account_err);
}

/* --- Starting ------------------------------------------------------------------------ */

static void pull_refused(struct port_op *op, int code)
{
	struct account_run *run = container_of(op, struct account_run, refusal);

	(void)code;
	account_run_refuse_unmet(run);
	account_run_finish(run, &(struct error){ .code = 0 });
}

static enum pull_keep keep_of(const struct config_account *settings)
{
	static const enum pull_keep keeps[] = {
		[CONFIG_KEEP_ALL] = PULL_KEEP_ALL,
		[CONFIG_KEEP_NONE] = PULL_KEEP_NONE,
		[CONFIG_KEEP_TIME] = PULL_KEEP_FOR,
		[CONFIG_KEEP_UNTIL_DELETED] = PULL_KEEP_UNTIL_DELETED,
	};

	return keeps[settings->keep];
}

void account_pull_start(struct account_run *run)
{
	struct account *account = run->account;
	const struct config_account *settings = account->settings;
	struct sync_pull_options options = {
		.keep = keep_of(settings),
		.keep_s = (int64_t)settings->keep_s,
		.deletes_moved = settings->deletes_moved,
		.max_size_bytes = account_max_size(account),
		.deletion_limit = { .percent = settings->deletion_limit,
				    .messages = SYNC_LIMIT_MESSAGES },
		.decision = account_run_decides(run, PULL_MAILBOX),
		.wanted = run->options.wanted,
		.wanted_count = run->options.wanted_count,
		.is_forgetting = run->options.is_forgetting,
		.is_dry_run = run->options.is_dry_run,
		.account = settings->name,
		.left = pull_left,
		.planned = pull_planned,
		.progress = pull_progress,
		.context = run,
	};

	if (run->names == NULL || account_run_meets(run, PULL_MAILBOX)) {
		run->pull = sync_pull_start(&account->pull_ports, &options, pull_done);
		return;
	}
	run->refusal.done = pull_refused;
	account->env.port.ops->defer(&account->env.port, &run->refusal);
}

void account_pull_cancel(struct account_run *run)
{
	if (run->pull != NULL)
		sync_pull_cancel(run->pull);
}
