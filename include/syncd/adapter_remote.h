/* The remote port over IMAP (ports.h): a pool of sessions to one server.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_REMOTE_H
#define SYNCD_ADAPTER_REMOTE_H

#include <stdbool.h>

#include "syncd/error.h"
#include "syncd/flags.h"
#include "syncd/list.h"
#include "syncd/loop.h"
#include "syncd/net.h"
#include "syncd/ports.h"

/* Plain data from the configuration; the strings are borrowed and must outlive
 * the adapter. */
struct adapter_remote_settings {
	const char *account; /* for the log */
	struct net_target target;
	const char *user;           /* or NULL */
	const char *password;       /* or NULL */
	char *const *password_argv; /* NULL-terminated command when there is no password, or NULL */
	const char *const *auth;    /* as for sasl_choose, or NULL */
	bool allow_plaintext;
	char *const *mailboxes; /* patterns: of others' namespaces only those are ours that one of
				 * these begins with; or NULL */
	bool compress;          /* COMPRESS=DEFLATE when offered and the link is not loopback */
	unsigned connections;   /* at most at once, at least 1 */
};

struct adapter_remote;

/* Connects only when asked for something. Returns NULL with `err` (SYNCD_ECONFIG) when a CA or
 * certificate file cannot be used. */
struct adapter_remote *adapter_remote_new(struct loop *loop,
					  const struct adapter_remote_settings *settings,
					  struct error *err);

/* The port. `open` waits for a free session when all are in use; idle ones log
 * out after half a minute. A password command runs at the first login; what it gave is
 * kept, and asked for anew once when the server refuses what worked before. */
struct remote_account *adapter_remote_port(struct adapter_remote *adapter);

/* The machine slept or the network is another: sessions that nobody uses are given up without a
 * word, so that the next request does not wait on a dead one. */
void adapter_remote_drop_idle(struct adapter_remote *adapter);

/* Ends every session: what is under way completes with SYNCD_ECANCELLED, open mailboxes must
 * then be closed by their holders, pushes end; when all that is done the
 * adapter is freed and op->done called. Nothing may be started any more. */
void adapter_remote_close(struct adapter_remote *adapter, struct port_op *op);

/* What the server told of a mailbox; what it did not tell is as it was before. */
struct adapter_remote_told {
	struct mailbox_status status; /* 0: not told */
	bool has_messages;            /* status.messages was */
	/* How things stand, told when waiting began (again); otherwise: that something changed. */
	bool is_snapshot;
};

/* One connection (of those allowed) that waits for news with NOTIFY (RFC 5465) or IDLE. When it
 * is needed for other work it is lent for that; what was missed meanwhile is told
 * afterwards. Embedded in the caller's struct. No callback is made inside a start or stop, but
 * they may be inside other callbacks of the adapter; names are valid during the call. */
struct adapter_remote_push {
	/* Input: all mailboxes, where the server has NOTIFY, and before others that wait. */
	bool wants_all;
	/* From now on changes are told, of all mailboxes (is_all) or of this one: whatever changed
	 * since SELECT or NOTIFY is told too. Again when the server gave up telling of all. */
	void (*ready)(struct adapter_remote_push *push);
	bool is_all;
	/* A mailbox changed, perhaps, or as the state has it already: our own changes come back. */
	void (*news)(struct adapter_remote_push *push, const char *mailbox,
		     const struct adapter_remote_told *told);
	/* A mailbox came (can be selected now) or went, perhaps. */
	void (*listed)(struct adapter_remote_push *push, const char *mailbox, bool is_there);
	/* Changes were lost: any mailbox may be another. */
	void (*everything)(struct adapter_remote_push *push);
	/* It is over, once: SYNCD_ECANCELLED after stop, SYNCD_ESERVER when the server has neither,
	 * otherwise as any session's end: start it again after a while. */
	void (*over)(struct adapter_remote_push *push, const struct error *err);
	void *impl;
};
/* `mailbox` is canonical and copied. */
void adapter_remote_push_start(struct adapter_remote *adapter, struct adapter_remote_push *push,
			       const char *mailbox);
/* Gives the connection up at once; over() follows. */
void adapter_remote_push_stop(struct adapter_remote_push *push);

#endif
