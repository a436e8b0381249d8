/* One configured account with its state open and its ports ready, and the runs
 * over it: what --once and the daemon have in common.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ACCOUNT_H
#define SYNCD_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/adapter_remote.h"
#include "syncd/config.h"
#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/ports.h"
#include "syncd/sync_pull.h"
#include "syncd/sync_tree.h"

struct account;

/* Takes the account's lock and opens its state; nothing else happens yet. `program`
 * is whom the lock names to others. Read-only: for dry runs. The config must outlive
 * the account. Fails as store_open, adapter_remote_new and adapter_maildrop_new do. */
int account_open(struct loop *loop, const struct config *config,
		 const struct config_account *settings, const char *program, bool is_read_only,
		 struct account **account, struct error *err);

/* Cancels the run under way, ends every connection, closes the state and frees the account;
 * op->done follows, never inside. */
void account_close(struct account *account, struct port_op *op);

/* Gives back memory that work on the account has left behind. */
void account_trim(struct account *account);

/* The network is another, or the machine slept: connections that nobody uses may be dead. */
void account_drop_idle(struct account *account);

const char *account_name(const struct account *account);
struct adapter_remote *account_remote(struct account *account); /* NULL: of pop3 */
struct store_port *account_store(struct account *account);
struct local_account *account_local(struct account *account);

/* --- Runs ------------------------------------------------------------------------ */

struct account_failure {
	char *mailbox; /* NULL: the account as a whole */
	struct error err;
};

/* A message that stays in the maildrop. */
struct account_left {
	char *uid; /* "": it has none */
	uint64_t size_bytes;
	char *reason; /* the server's words; NULL: it is larger than max_size */
};

#define ACCOUNT_LEFT_MAX 1000 /* more are counted, not listed */

/* What came of a run. Owned by the run. */
struct account_report {
	struct sync_counts counts;
	struct account_failure *failures;
	size_t failure_count;
	size_t failure_cap;
	int exit_status; /* CONTRACT 1.1 */
	char **lines;    /* dry run: one an action */
	size_t line_count;
	size_t line_cap;
	bool wants_another; /* the maildir kept moving: look again soon */
	bool wants_run; /* what a lost connection left open may be judged in that many seconds */
	int64_t run_in_s;
	/* pop3 only. In the maildrop, and of these those that stay there. */
	uint32_t messages;
	struct account_left *left;
	size_t left_count;
	size_t left_cap;
	uint32_t login_delay_s; /* the server wants to be left alone for that long; 0: no matter */
};

struct account_run;

/* What happens during a run; members may be NULL but `done`. */
struct account_run_ops {
	/* The server has it, whether or not it is synchronised. */
	void (*listed)(struct account_run *run, const struct mailbox_info *info);
	void (*begun)(struct account_run *run, const char *mailbox);
	/* It was as it had been, on both sides. */
	void (*unchanged)(struct account_run *run, const char *mailbox);
	void (*progress)(struct account_run *run, const char *mailbox,
			 const struct sync_counts *done, uint64_t total);
	void (*ended)(struct account_run *run, const char *mailbox,
		      const struct sync_result *result);
	/* It is no longer synchronised: deleted, renamed or excluded. */
	void (*vanished)(struct account_run *run, const char *mailbox);
	/* The run is freed behind this; `report` is valid during the call. `err` is about the
	 * account as a whole and stands in the report too. */
	void (*done)(struct account_run *run, const struct account_report *report,
		     const struct error *err);
};

struct account_run_options {
	bool is_dry_run;
	/* Only these mailboxes (canonical names, copied): NULL for all that are configured. A name
	 * that exists nowhere is a failure in the report. */
	const char *const *names;
	size_t name_count;
	/* Or passes over just these, which are known to exist on both sides: nothing is listed.
	 * Borrowed until done. */
	const struct sync_target *targets;
	size_t target_count;
	/* What a person has decided on what is held in these mailboxes (borrowed until done). */
	enum sync_decision decision;
	const char *const *decided;
	size_t decided_count;
	/* pop3 only: fetched whatever their size and whatever was refused before (unique-ids,
	 * borrowed until done); all is forgotten before, and so fetched again. */
	const char *const *wanted;
	size_t wanted_count;
	bool is_forgetting;
	void *context;
};

/* One run at a time an account. */
struct account_run *account_run_start(struct account *account,
				      const struct account_run_options *options,
				      const struct account_run_ops *ops);
void account_run_cancel(struct account_run *run); /* done follows, with SYNCD_ECANCELLED */
void *account_run_context(const struct account_run *run);

/* The lines of a dry run: "fetch INBOX uid 12 (\Seen)", ... `add` is called for each. */
void plan_text(const char *mailbox, const struct sync_plan *plan,
	       const struct keyword_table *keywords, void (*add)(void *context, const char *line),
	       void *context);

#endif
