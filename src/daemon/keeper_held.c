/* What is held, and what a person decides on it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "keeper_private.h"
#include "syncd/alloc.h"

bool keeper_is_held(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->count; i++) {
		if (keeper->mailboxes[i].held_deletions > 0)
			return true;
	}
	return false;
}

static bool is_named(const struct keeper_job *job, const char *name)
{
	for (size_t i = 0; i < job->name_count; i++) {
		if (strcmp(job->names[i], name) == 0)
			return true;
	}
	return job->names == NULL;
}

static void refuse(struct keeper *keeper, struct keeper_job *job)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ENOTFOUND, "nothing is held");
	if (job->names != NULL)
		error_context(&err, "mailbox %s", job->names[0]);
	free(keeper->decided);
	keeper->decided = NULL;
	keeper->job = NULL;
	job->done(job, keeper, NULL, &err);
	keeper_poke(keeper);
}

/* The rest of the account is looked at, too: what was moved does not count. Before the first such
 * look nothing is known to be held. */
void keeper_run_decision(struct keeper *keeper, struct keeper_job *job)
{
	struct account_run_options options = { .decision = job->decision, .context = keeper };

	if (keeper->last_sync_s == 0) {
		keeper_start_run(keeper, &options);
		return;
	}
	keeper->decided = xcalloc(keeper->count, sizeof(*keeper->decided));
	for (size_t i = 0; i < keeper->count; i++) {
		const struct keeper_mailbox *mailbox = &keeper->mailboxes[i];
		if (mailbox->held_deletions > 0 && is_named(job, mailbox->name))
			keeper->decided[options.decided_count++] = mailbox->name;
	}
	options.decided = keeper->decided;
	if (options.decided_count > 0)
		keeper_start_run(keeper, &options);
	else
		refuse(keeper, job);
}

bool keeper_has_yet_to_decide(const struct keeper *keeper, const struct keeper_job *job,
			      const struct error *err)
{
	return job != NULL && job->decision != SYNC_HOLD && keeper->decided == NULL &&
	       err->code == 0 && keeper->closed == NULL;
}
