/* What the control socket's requests do to the daemon.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "daemon_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

static struct daemon *daemon_of(struct control_user *user)
{
	return container_of(user, struct daemon, control_user);
}

static int unknown_account(const char *account, struct error *err)
{
	return error_set(err, SYNCD_EUSAGE, "no account is named %s", account);
}

static int daemon_check_running(const struct daemon *daemon, struct error *err)
{
	if (daemon->phase == DAEMON_RUNNING)
		return 0;
	return error_set(err, SYNCD_EBUSY, "the daemon is ending or reloading");
}

/* --- status ---------------------------------------------------------------------- */

static int op_status(struct control_user *user, const char *account, struct control_status *status,
		     struct error *err)
{
	struct daemon *daemon = daemon_of(user);
	int code = daemon_check_running(daemon, err);

	if (code != 0)
		return code;
	if (account != NULL && daemon_find(daemon, account, strlen(account)) == NULL)
		return unknown_account(account, err);
	status->uptime_s = (loop_now_ms(daemon->loop) - daemon->started_ms) / 1000;
	for (size_t i = 0; i < daemon->count; i++) {
		struct keeper *keeper = daemon->keepers[i];
		if (account == NULL || strcmp(keeper_name(keeper), account) == 0)
			keeper_fill_status(keeper, status);
	}
	return 0;
}

/* --- sync, plan, accept and restore, fetch and forget --------------------------------------- */

struct request;

/* One account's part of a request. */
struct request_part {
	struct request *request;
	struct keeper_job job;
	struct keeper *keeper;
	char **names;
	size_t name_count;
	bool is_whole;
};

struct request {
	struct control_reply *reply;
	bool is_plan;
	char *wanted; /* a unique-id, or NULL */
	const char *wanted_list[1];
	struct request_part *parts;
	size_t part_count;
	size_t open;
	struct control_sync_result result;
	struct control_failure *failures; /* strings and errors owned */
	size_t failure_cap;
	char **lines;
	size_t line_count;
	size_t line_cap;
};

static void request_fail(struct request *request, const char *account, const char *mailbox,
			 const struct error *err)
{
	struct control_sync_result *result = &request->result;
	struct error *copy = xmalloc(sizeof(*copy));

	*copy = *err;
	request->failures = xgrow(request->failures, result->failure_count, &request->failure_cap,
				  sizeof(*request->failures));
	request->failures[result->failure_count++] = (struct control_failure){
		.account = xstrdup(account),
		.mailbox = mailbox != NULL ? xstrdup(mailbox) : NULL,
		.err = copy,
	};
	result->exit_status = error_exit_merge(result->exit_status, error_exit_status(err->code));
}

static void request_free(struct request *request)
{
	for (size_t i = 0; i < request->result.failure_count; i++) {
		free((char *)request->failures[i].account);
		free((char *)request->failures[i].mailbox);
		free((struct error *)request->failures[i].err);
	}
	for (size_t i = 0; i < request->part_count; i++) {
		for (size_t n = 0; n < request->parts[i].name_count; n++)
			free(request->parts[i].names[n]);
		free(request->parts[i].names);
	}
	for (size_t i = 0; i < request->line_count; i++)
		free(request->lines[i]);
	free(request->lines);
	free(request->wanted);
	free(request->failures);
	free(request->parts);
	free(request);
}

static void request_finish(struct request *request)
{
	request->result.failures = request->failures;
	if (request->is_plan)
		control_reply_plan(request->reply, (const char *const *)request->lines,
				   request->line_count, &request->result);
	else
		control_reply_sync(request->reply, &request->result);
	request_free(request);
}

/* A decision on one mailbox runs over all of them. */
static bool is_asked_for(const struct request_part *part, const char *mailbox)
{
	for (size_t i = 0; mailbox != NULL && i < part->name_count; i++) {
		if (strcmp(part->names[i], mailbox) == 0)
			return true;
	}
	return mailbox == NULL || part->is_whole || part->job.decision == SYNC_HOLD;
}

static void request_add_report(struct request_part *part, const char *account,
			       const struct account_report *report)
{
	struct request *request = part->request;

	sync_counts_add(&request->result.counts, &report->counts);
	for (size_t i = 0; i < report->failure_count; i++) {
		if (is_asked_for(part, report->failures[i].mailbox))
			request_fail(request, account, report->failures[i].mailbox,
				     &report->failures[i].err);
	}
	for (size_t i = 0; i < report->line_count; i++) {
		request->lines = xgrow(request->lines, request->line_count, &request->line_cap,
				       sizeof(char *));
		request->lines[request->line_count++] =
			xasprintf("%s: %s", account, report->lines[i]);
	}
}

static void request_part_done(struct keeper_job *job, struct keeper *keeper,
			      const struct account_report *report, const struct error *err)
{
	struct request_part *part = container_of(job, struct request_part, job);
	struct request *request = part->request;

	if (report != NULL)
		request_add_report(part, keeper_name(keeper), report);
	else
		request_fail(request, keeper_name(keeper), NULL, err);
	must(request->open > 0);
	if (--request->open == 0)
		request_finish(request);
}

/* --- Taking a request apart --------------------------------------------------------------- */

static struct request_part *request_part(struct request *request, struct keeper *keeper)
{
	for (size_t i = 0; i < request->part_count; i++) {
		if (request->parts[i].keeper == keeper)
			return &request->parts[i];
	}
	struct request_part *part = &request->parts[request->part_count++];
	part->keeper = keeper;
	part->request = request;
	return part;
}

static int request_add_target(struct daemon *daemon, struct request *request,
			      const struct control_target *target, struct error *err)
{
	struct keeper *keeper = daemon_find(daemon, target->account, strlen(target->account));

	if (keeper == NULL)
		return unknown_account(target->account, err);
	if (keeper_state(keeper) == CONTROL_PAUSED)
		return error_set(err, SYNCD_EBUSY, "account %s is paused", target->account);
	struct request_part *part = request_part(request, keeper);
	if (target->mailbox == NULL) {
		part->is_whole = true;
		return 0;
	}
	part->names = xreallocarray(part->names, part->name_count + 1, sizeof(char *));
	part->names[part->name_count++] = xstrdup(target->mailbox);
	return 0;
}

static int request_fill(struct daemon *daemon, struct request *request,
			const struct control_target *targets, size_t count, struct error *err)
{
	int code = daemon_check_running(daemon, err);

	request->parts = xcalloc(daemon->count > 0 ? daemon->count : 1, sizeof(*request->parts));
	for (size_t i = 0; code == 0 && i < count; i++)
		code = request_add_target(daemon, request, &targets[i], err);
	for (size_t i = 0; code == 0 && count == 0 && i < daemon->count; i++) {
		if (keeper_state(daemon->keepers[i]) != CONTROL_PAUSED)
			request_part(request, daemon->keepers[i])->is_whole = true;
	}
	return code;
}

static void op_run(struct control_user *user, const struct control_target *targets, size_t count,
		   struct control_reply *reply, const struct keeper_job *like)
{
	struct daemon *daemon = daemon_of(user);
	struct request *request = xcalloc(1, sizeof(*request));
	struct error err = { 0 };

	request->reply = reply;
	request->is_plan = like->is_plan;
	if (like->wanted_count > 0) {
		request->wanted = xstrdup(like->wanted[0]);
		request->wanted_list[0] = request->wanted;
	}
	if (request_fill(daemon, request, targets, count, &err) != 0) {
		control_reply_error(reply, &err);
		request_free(request);
		return;
	}
	request->open = request->part_count;
	if (request->open == 0) {
		request_finish(request);
		return;
	}
	/* The request may end, and be freed, with its last part. */
	size_t part_count = request->part_count;
	for (size_t i = 0; i < part_count; i++) {
		struct request_part *part = &request->parts[i];
		part->job = *like;
		part->job.wanted = request->wanted_list;
		part->job.names = part->is_whole ? NULL : (const char *const *)part->names;
		part->job.name_count = part->name_count;
		part->job.done = request_part_done;
		keeper_add_job(part->keeper, &part->job);
	}
}

static void op_sync(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	op_run(user, targets, count, reply, &(struct keeper_job){ .is_plan = false });
}

static void op_plan(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	op_run(user, targets, count, reply, &(struct keeper_job){ .is_plan = true });
}

static void op_decide(struct control_user *user, const struct control_target *target,
		      enum sync_decision decision, struct control_reply *reply)
{
	op_run(user, target, 1, reply, &(struct keeper_job){ .decision = decision });
}

/* Of one POP3 account. */
static void op_pull(struct control_user *user, const char *account, struct control_reply *reply,
		    const struct keeper_job *like)
{
	struct keeper *keeper = daemon_find(daemon_of(user), account, strlen(account));
	struct control_target target = { .account = account };
	struct error err = { 0 };

	if (keeper != NULL && !keeper_is_pop3(keeper)) {
		error_set(&err, SYNCD_EUSAGE, "account %s is not one of POP3", account);
		control_reply_error(reply, &err);
		return;
	}
	op_run(user, &target, 1, reply, like);
}

static void op_fetch(struct control_user *user, const char *account, const char *uid,
		     struct control_reply *reply)
{
	op_pull(user, account, reply, &(struct keeper_job){ .wanted = &uid, .wanted_count = 1 });
}

static void op_forget(struct control_user *user, const char *account, struct control_reply *reply)
{
	op_pull(user, account, reply, &(struct keeper_job){ .is_forgetting = true });
}

/* --- pause, resume, reload, stop ------------------------------------------------------------- */

static int daemon_each(struct daemon *daemon, const char *const *accounts, size_t count,
		       void (*act)(struct keeper *keeper), struct error *err)
{
	int code = daemon_check_running(daemon, err);

	for (size_t i = 0; code == 0 && i < count; i++) {
		if (daemon_find(daemon, accounts[i], strlen(accounts[i])) == NULL)
			code = unknown_account(accounts[i], err);
	}
	for (size_t i = 0; code == 0 && i < count; i++)
		act(daemon_find(daemon, accounts[i], strlen(accounts[i])));
	for (size_t i = 0; code == 0 && count == 0 && i < daemon->count; i++)
		act(daemon->keepers[i]);
	return code;
}

static int op_pause(struct control_user *user, const char *const *accounts, size_t count,
		    struct error *err)
{
	return daemon_each(daemon_of(user), accounts, count, keeper_pause, err);
}

static int op_resume(struct control_user *user, const char *const *accounts, size_t count,
		     struct error *err)
{
	return daemon_each(daemon_of(user), accounts, count, keeper_resume, err);
}

static void op_reload(struct control_user *user, struct control_reply *reply)
{
	struct error err = { 0 };

	if (daemon_reload(daemon_of(user), &err) == 0)
		control_reply_ok(reply);
	else
		control_reply_error(reply, &err);
}

static void op_stop(struct control_user *user)
{
	daemon_stop(daemon_of(user));
}

const struct control_ops daemon_control_ops = {
	.status = op_status,
	.sync = op_sync,
	.plan = op_plan,
	.decide = op_decide,
	.fetch = op_fetch,
	.forget = op_forget,
	.pause = op_pause,
	.resume = op_resume,
	.reload = op_reload,
	.stop = op_stop,
};
