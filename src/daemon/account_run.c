/* A run over an account, whatever its protocol: its report, its beginning and its end.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "account_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

/* --- The report -------------------------------------------------------------------- */

void account_report_fail(struct account_report *report, const char *mailbox,
			 const struct error *err)
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
static void account_report_forget(struct account_report *report, const char *mailbox)
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

void account_report_line(void *context, const char *line)
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
	for (size_t i = 0; i < report->left_count; i++) {
		free(report->left[i].uid);
		free(report->left[i].reason);
	}
	free(report->left);
}

/* --- The end ------------------------------------------------------------------------ */

static void run_free(struct account_run *run)
{
	for (size_t i = 0; run->names != NULL && i < run->options.name_count; i++)
		free(run->names[i]);
	free(run->names);
	free(run->is_met);
	report_free(&run->report);
	free(run);
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

void account_run_ended(struct account_run *run, const char *name, const struct sync_result *result)
{
	struct account_report *report = &run->report;
	struct error aside = { 0 };

	account_report_forget(report, name);
	sync_counts_add(&report->counts, &result->counts);
	run_log_counts(run, name, &result->counts);
	report->wants_another |= result->is_local_moving;
	report->wants_run |= result->wants_run;
	if (result->run_in_s > report->run_in_s)
		report->run_in_s = result->run_in_s;
	if (result->err.code != 0) {
		account_report_fail(report, name, &result->err);
	} else if (result->counts.set_aside > 0) {
		error_set(&aside, SYNCD_EMESSAGE, "%llu messages set aside",
			  (unsigned long long)result->counts.set_aside);
		error_context(&aside, "mailbox %s", name);
		account_report_fail(report, name, &aside);
	}
	if (run->ops->ended != NULL)
		run->ops->ended(run, name, result);
}

bool account_run_meets(struct account_run *run, const char *name)
{
	for (size_t i = 0; i < run->options.name_count; i++) {
		if (strcmp(run->names[i], name) == 0) {
			run->is_met[i] = true;
			return true;
		}
	}
	return false;
}

enum sync_decision account_run_decides(const struct account_run *run, const char *name)
{
	for (size_t i = 0; i < run->options.decided_count; i++) {
		if (strcmp(run->options.decided[i], name) == 0)
			return run->options.decision;
	}
	return SYNC_HOLD;
}

void account_run_refuse_unmet(struct account_run *run)
{
	struct error unknown = { 0 };

	for (size_t i = 0; run->names != NULL && i < run->options.name_count; i++) {
		if (run->is_met[i])
			continue;
		error_set(&unknown, SYNCD_ENOTFOUND, "there is no such mailbox");
		error_context(&unknown, "mailbox %s", run->names[i]);
		account_report_fail(&run->report, run->names[i], &unknown);
	}
}

void account_run_finish(struct account_run *run, const struct error *err)
{
	struct account *account = run->account;
	struct error account_err = *err;

	if (account_err.code != 0) {
		error_context(&account_err, "account %s", account_name(account));
		account_report_fail(&run->report, NULL, &account_err);
	}
	account->run = NULL;
	run->ops->done(run, &run->report, &account_err);
	run_free(run);
	account_trim(account);
	account_close_if_over(account);
}

/* --- Starting -------------------------------------------------------------------------------- */

struct account_run *account_run_start(struct account *account,
				      const struct account_run_options *options,
				      const struct account_run_ops *ops)
{
	struct account_run *run = xcalloc(1, sizeof(*run));

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
	if (account->settings->protocol == CONFIG_POP3)
		account_pull_start(run);
	else
		account_tree_start(run);
	return run;
}

void account_run_cancel(struct account_run *run)
{
	if (run->tree != NULL)
		sync_tree_cancel(run->tree);
	else
		account_pull_cancel(run);
}

void *account_run_context(const struct account_run *run)
{
	return run->options.context;
}
