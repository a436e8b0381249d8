/* Inside an account.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ACCOUNT_PRIVATE_H
#define SYNCD_ACCOUNT_PRIVATE_H

#include "syncd/account.h"
#include "syncd/adapter_env.h"
#include "syncd/adapter_local.h"
#include "syncd/adapter_maildrop.h"
#include "syncd/adapter_store.h"

struct account {
	struct loop *loop;
	const struct config_account *settings;
	struct store *store;
	struct adapter_store state;
	struct adapter_remote *remote;     /* imap; or */
	struct adapter_maildrop *maildrop; /* pop3 */
	struct local_account *local;
	struct adapter_env env;
	struct sync_ports ports;
	struct sync_pull_ports pull_ports;
	struct account_run *run; /* at most one */
	char *trash;             /* the server's \Trash, as last listed; or NULL */
	struct port_op closing;
	struct port_op *closed;
	bool is_remote_closed;
};

struct account_run {
	struct account *account;
	const struct account_run_ops *ops;
	struct account_run_options options;
	char **names;           /* our copies */
	bool *is_met;           /* by name: there is such a mailbox */
	struct sync_tree *tree; /* imap; or */
	struct sync_pull *pull; /* pop3 */
	bool is_begun;          /* of the pull: it was told */
	struct port_op refusal; /* of a run that has nothing to pull */
	struct account_report report;
};

/* account_run.c: what a run over either protocol is made of. */
void account_report_fail(struct account_report *report, const char *mailbox,
			 const struct error *err);
void account_report_line(void *context, const char *line); /* `context`: the report */
/* What came of a mailbox, into the report and to who follows the run. */
void account_run_ended(struct account_run *run, const char *name, const struct sync_result *result);
/* Whether the mailbox was asked for by name, which is noted; then those that were not met fail. */
bool account_run_meets(struct account_run *run, const char *name);
void account_run_refuse_unmet(struct account_run *run);
enum sync_decision account_run_decides(const struct account_run *run, const char *name);
/* Tells, and frees the run. `err`: of the account as a whole. */
void account_run_finish(struct account_run *run, const struct error *err);

/* account_tree.c, account_pull.c: start what the run consists of. */
void account_tree_start(struct account_run *run);
void account_pull_start(struct account_run *run);
void account_pull_cancel(struct account_run *run);

/* Larger messages stay on the server; 0: none. */
uint64_t account_max_size(const struct account *account);

/* account_place.c: SYNCD_ECONFIG when the state knows mailboxes that are elsewhere, or in another
 * layout, than the configuration says; else notes what it says. */
int account_place_check(struct account *account, const char *state_dir, bool is_read_only,
			struct error *err);

/* Frees a closing account once its connections and its run are over. */
void account_close_if_over(struct account *account);

#endif
