/* The maildrop port over POP3 (maildrop.h): one session at a time to one server.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_MAILDROP_H
#define SYNCD_ADAPTER_MAILDROP_H

#include <stdbool.h>

#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/maildrop.h"
#include "syncd/net.h"

/* Plain data from the configuration; the strings are borrowed and must outlive the adapter. */
struct adapter_maildrop_settings {
	const char *account; /* for the log */
	struct net_target target;
	const char *user;           /* or NULL */
	const char *password;       /* or NULL */
	char *const *password_argv; /* NULL-terminated command when there is no password, or NULL */
	const char *const *auth;    /* as for sasl_choose, or NULL */
	bool allow_plaintext;
};

struct adapter_maildrop;

/* Connects only when opened. Returns NULL with `err` (SYNCD_ECONFIG) when a CA or certificate file
 * cannot be used. */
struct adapter_maildrop *adapter_maildrop_new(struct loop *loop,
					      const struct adapter_maildrop_settings *settings,
					      struct error *err);

/* The port. A password command runs at the first login; what it gave is kept, and asked for anew
 * once when the server refuses what worked before. A listing must be taken before sizes are of use
 * to a fetch. */
struct maildrop *adapter_maildrop_port(struct adapter_maildrop *adapter);

/* It must be closed, no request under way. *adapter becomes NULL. */
void adapter_maildrop_free(struct adapter_maildrop **adapter);

#endif
