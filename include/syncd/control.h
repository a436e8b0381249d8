/* The control socket (CONTRACT 1.3): newline-delimited JSON-RPC 2.0 over a UNIX
 * stream socket. This module knows the wire; what is behind it is the daemon's,
 * plugged in as control_ops.
 *
 * Methods: status {account?}, sync {targets?}, plan {targets?}, accept {target},
 * restore {target}, fetch {message}, forget {account}, pause {accounts?}, resume {accounts?},
 * reload, stop, subscribe. Targets are "ACCOUNT" or "ACCOUNT/MAILBOX" strings. After subscribe,
 * events arrive as notifications
 * {"jsonrpc":"2.0","method":"event","params":{"type":"...", ...}}.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CONTROL_H
#define SYNCD_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/record.h"
#include "syncd/special_use.h"
#include "syncd/sync_pass.h"

#define CONTROL_REQUEST_MAX 65536        /* bytes of one request line */
#define CONTROL_OUTPUT_MAX (1024 * 1024) /* bytes waiting for a client before it is dropped */
#define CONTROL_CLIENTS_MAX 64

struct control;
struct control_user;

/* An answer owed to a client. Exactly one of the control_reply_ functions ends it and
 * frees it, inside the op or later; a client that left meanwhile does no harm. All must
 * be answered before control_stop. */
struct control_reply;

/* ---- Status: filled by the daemon, rendered and freed by control -------------- */

enum control_state {
	CONTROL_IDLE,
	CONTROL_CONNECTING,
	CONTROL_SYNCING,
	CONTROL_OFFLINE,
	CONTROL_AUTH_FAILED,
	CONTROL_HELD,
	CONTROL_PAUSED,
};

enum control_push {
	CONTROL_PUSH_POLL,
	CONTROL_PUSH_IDLE,
	CONTROL_PUSH_NOTIFY,
};

struct control_names {
	char **items;
	size_t count;
	size_t cap;
};

/* A message that stays in the maildrop. */
struct control_left {
	char *uid; /* "": it has none */
	uint64_t size_bytes;
	char *reason; /* why it was refused; NULL: it is larger than max_size */
};

struct control_mailbox_status {
	char *name; /* owned by the status */
	enum special_use use;
	uint64_t messages;
	uint64_t unseen;
	uint64_t pending;              /* messages known to wait for a transfer */
	struct setaside_record *aside; /* messages one side refuses; owned by the status */
	size_t aside_count;
	size_t aside_cap;
	uint64_t too_large;        /* messages left on the server (max_size) */
	struct control_left *left; /* of a maildrop: what stays there; owned by the status */
	size_t left_count;
	size_t left_cap;
	/* Keywords that one side alone has: for want of a letter, or because the server drops
	 * them. Names, owned by the status. */
	struct control_names server_keywords;
	struct control_names local_keywords;
	uint64_t held_deletions; /* 0: not held */
	bool held_is_remote;     /* the deletions would be on the server */
	struct error err;        /* code 0: none */
};

struct control_account_status {
	char *name; /* owned by the status */
	bool is_pop3;
	enum control_state state;
	enum control_push push;
	int64_t last_sync_s;  /* wall clock; 0: never, rendered as null */
	int64_t next_retry_s; /* 0: none, rendered as null */
	struct error err;
	struct control_mailbox_status *mailboxes;
	size_t count;
	size_t cap;
};

struct control_status {
	uint64_t uptime_s;
	struct control_account_status *accounts;
	size_t count;
	size_t cap;
};

/* Add one with its name (copied); the rest is zero and the caller's to fill. The pointer
 * is valid until the next one is added to the same array. */
struct control_account_status *control_status_add_account(struct control_status *status,
							  const char *name);
struct control_mailbox_status *control_status_add_mailbox(struct control_account_status *account,
							  const char *name);
void control_names_add(struct control_names *names, const char *name);
void control_status_add_aside(struct control_mailbox_status *mailbox,
			      const struct setaside_record *record);

/* Strings are copied. */
void control_status_add_left(struct control_mailbox_status *mailbox, const char *uid,
			     uint64_t size_bytes, const char *reason);

/* ---- Sync, plan and decisions: answered later ---------------------------------------------- */

struct control_target {
	const char *account;
	const char *mailbox; /* canonical name, or NULL: all of the account's */
};

/* What went wrong with one account (mailbox NULL) or mailbox. Borrowed. */
struct control_failure {
	const char *account;
	const char *mailbox;
	const struct error *err;
};

/* {"exit": n, "counts": {...}, "failures": [{account, mailbox, error}]} */
struct control_sync_result {
	int exit_status; /* CONTRACT 1.1 */
	struct sync_counts counts;
	const struct control_failure *failures;
	size_t failure_count;
};

/* Done without anything to say: {"ok": true}. */
void control_reply_ok(struct control_reply *reply);

/* A JSON-RPC error whose data names the code and carries the exit status. */
void control_reply_error(struct control_reply *reply, const struct error *err);

void control_reply_sync(struct control_reply *reply, const struct control_sync_result *result);

/* One line an action, as --dry-run prints them: {"exit": n, "actions": [...], "failures": [...]} */
void control_reply_plan(struct control_reply *reply, const char *const *lines, size_t line_count,
			const struct control_sync_result *result);

/* ---- Events ----------------------------------------------------------------------- */

enum control_event_kind {
	CONTROL_EVENT_STATE,      /* an account's state changed: state, err */
	CONTROL_EVENT_SYNC_BEGIN, /* a pass over a mailbox begins */
	CONTROL_EVENT_PROGRESS,   /* done and total of messages and bytes in what runs now */
	CONTROL_EVENT_SYNC_END,   /* it ended: counts, err */
	CONTROL_EVENT_RELOADED,
};

/* Strings are borrowed during the call. */
struct control_event {
	enum control_event_kind kind;
	const char *account; /* NULL where it does not apply, as the next */
	const char *mailbox;
	enum control_state state;
	struct sync_counts counts;
	uint64_t done;           /* messages transferred */
	uint64_t total;          /* messages to transfer as far as known */
	const struct error *err; /* NULL or code 0: none */
};

/* ---- The server --------------------------------------------------------------------- */

/* What the daemon gives. Called in the loop; strings and arrays are borrowed during the
 * call. An empty list of targets or accounts means all. Names are not checked by control:
 * answer an unknown one with control_reply_error (SYNCD_EUSAGE). */
struct control_ops {
	/* `account` NULL: all. Fills `status` (zeroed) and returns 0, or fails. */
	int (*status)(struct control_user *user, const char *account, struct control_status *status,
		      struct error *err);
	void (*sync)(struct control_user *user, const struct control_target *targets, size_t count,
		     struct control_reply *reply);
	void (*plan)(struct control_user *user, const struct control_target *targets, size_t count,
		     struct control_reply *reply);
	/* What is held there is carried out or undone; answered as sync. */
	void (*decide)(struct control_user *user, const struct control_target *target,
		       enum sync_decision decision, struct control_reply *reply);
	/* Of POP3 accounts, answered as sync: one message is fetched whatever its size and whatever
	 * was refused before; all that is known is forgotten, and fetched again. */
	void (*fetch)(struct control_user *user, const char *account, const char *uid,
		      struct control_reply *reply);
	void (*forget)(struct control_user *user, const char *account, struct control_reply *reply);
	int (*pause)(struct control_user *user, const char *const *accounts, size_t count,
		     struct error *err);
	int (*resume)(struct control_user *user, const char *const *accounts, size_t count,
		      struct error *err);
	void (*reload)(struct control_user *user, struct control_reply *reply);
	/* Answered with ok before the call: the daemon only arranges to end, later. */
	void (*stop)(struct control_user *user);
};
struct control_user {
	const struct control_ops *ops;
};

/* Binds and listens (mode 0600), on a real loop; the directory is made when missing. A socket file
 * that nobody answers on is replaced. NULL with `err`: SYNCD_EBUSY when a daemon answers there,
 * SYNCD_EIO otherwise. */
struct control *control_start(struct loop *loop, const char *path, struct control_user *user,
			      struct error *err);

/* Whether anyone is subscribed: nothing needs to be gathered otherwise. */
bool control_has_subscribers(const struct control *control);

/* Tells every subscriber. */
void control_emit(struct control *control, const struct control_event *event);

/* Removes the socket file, sends what is left as far as clients take it at once, closes all;
 * `stopped` follows later, and control is freed. Every reply must have been answered. */
void control_stop(struct control *control, void (*stopped)(struct control_user *user));

#endif
