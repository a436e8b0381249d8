/* A keeper: one account kept in sync by the daemon.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_KEEPER_H
#define SYNCD_KEEPER_H

#include "syncd/account.h"
#include "syncd/control.h"
#include "syncd/hooks.h"
#include "syncd/schedule.h"
#include "syncd/watch.h"

struct keeper;

/* What a keeper tells the daemon. */
struct keeper_user {
	/* Its state or last error changed. */
	void (*changed)(struct keeper_user *user, struct keeper *keeper);
	/* An event for subscribers. */
	void (*event)(struct keeper_user *user, const struct control_event *event);
};

/* Something a person asked for: a sync, a plan, or a decision on what is held, of one account.
 * Owned by whoever asks, until `done`, which comes exactly once, also when the keeper closes (`err`
 * then SYNCD_ECANCELLED). `report` is NULL when no run took place. */
struct keeper_job {
	struct list link;
	bool is_plan;
	enum sync_decision decision;
	/* Of POP3 accounts: as in account_run_options; `wanted` is borrowed until done. */
	const char *const *wanted;
	size_t wanted_count;
	bool is_forgetting;
	const char *const *names; /* mailboxes; NULL: all. Borrowed until done. */
	size_t name_count;
	void (*done)(struct keeper_job *job, struct keeper *keeper,
		     const struct account_report *report, const struct error *err);
};

/* Starts keeping an account: opens its state (a lock that another holds is waited for) and
 * synchronises at once. */
struct keeper *keeper_new(struct loop *loop, const struct config *config,
			  const struct config_account *settings, struct keeper_user *user);

/* Ends it in order; `closed` follows, never inside, and the keeper is freed. */
void keeper_close(struct keeper *keeper, void (*closed)(void *context), void *context);

const char *keeper_name(const struct keeper *keeper);
bool keeper_is_pop3(const struct keeper *keeper);
enum control_state keeper_state(const struct keeper *keeper);
const struct error *keeper_error(const struct keeper *keeper);

/* Queues a job; it runs before whatever else is due. */
void keeper_add_job(struct keeper *keeper, struct keeper_job *job);

void keeper_pause(struct keeper *keeper);
void keeper_resume(struct keeper *keeper);

/* The network or the machine came back: connections may be dead, try again now. */
void keeper_wake(struct keeper *keeper);

/* Adds the account's status. */
void keeper_fill_status(struct keeper *keeper, struct control_status *status);

#endif
