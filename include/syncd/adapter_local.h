/* The local port (ports.h) over maildirs on disk.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_LOCAL_H
#define SYNCD_ADAPTER_LOCAL_H

#include "syncd/loop.h"
#include "syncd/maildir.h"
#include "syncd/ports.h"

/* Strings are copied. */
struct adapter_local_options {
	const char *account;  /* for the log; may be NULL */
	const char *root;     /* the account's maildir */
	const char *identity; /* the account's, as in the state: printable, one line */
	const char *host;     /* for file names; NULL: this machine's name */
	enum maildir_layout layout;
	enum maildir_line_endings line_endings;
};

/* Touches no disk yet. Listing, scanning, flushing and examining run in the loop's pool. */
struct local_account *adapter_local_new(struct loop *loop,
					const struct adapter_local_options *options);

/* No mailbox may be open and no request under way. *account becomes NULL. */
void adapter_local_free(struct local_account **account);

#endif
