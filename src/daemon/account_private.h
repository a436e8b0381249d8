/* Inside an account.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ACCOUNT_PRIVATE_H
#define SYNCD_ACCOUNT_PRIVATE_H

#include "syncd/account.h"
#include "syncd/adapter_env.h"
#include "syncd/adapter_local.h"
#include "syncd/adapter_store.h"

struct account {
	struct loop *loop;
	const struct config_account *settings;
	struct store *store;
	struct adapter_store state;
	struct adapter_remote *remote;
	struct local_account *local;
	struct adapter_env env;
	struct sync_ports ports;
	struct account_run *run; /* at most one */
	char *trash;             /* the server's \Trash, as last listed; or NULL */
	struct port_op closing;
	struct port_op *closed;
	bool is_remote_closed;
};

/* account_place.c: SYNCD_ECONFIG when the state knows mailboxes that are elsewhere, or in another
 * layout, than the configuration says; else notes what it says. */
int account_place_check(struct account *account, const char *state_dir, bool is_read_only,
			struct error *err);

/* Frees a closing account once its connections and its run are over. */
void account_close_if_over(struct account *account);

#endif
