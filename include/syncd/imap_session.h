/* An IMAP session from the connection to the authenticated state (RFC 3501 §3,
 * RFC 9051 §3), and its end. What is asked on it: imap.h.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_SESSION_H
#define SYNCD_IMAP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/imap_mailbox.h"
#include "syncd/loop.h"
#include "syncd/net.h"
#include "syncd/secret.h"

struct imap_session;

/* All borrowed for the session's life, except the password: until ready(). */
struct imap_settings {
	struct loop *loop;
	struct net_context *net;
	const struct net_target *target; /* timeout_ms counts for the whole session */
	const char *account;             /* for the log */
	const char *user;                /* NULL: none */
	const struct secret *password;   /* NULL: none */
	const char *const *auth;         /* allowed mechanisms as for sasl_choose, or NULL */
	bool allow_plaintext;            /* a password may travel without TLS */
	bool compress; /* COMPRESS=DEFLATE where offered, unless the peer is loopback */
};

/* Who gets the session's own events; embedded in the user's struct. */
struct imap_user;
struct imap_user_ops {
	/* Authenticated: commands may be started from now on. */
	void (*ready)(struct imap_user *user);
	/* Something in the selected mailbox changed that no command asked for. */
	void (*news)(struct imap_user *user);
	/* The session is over; all its commands have completed before. Once; only
	 * imap_session_close may follow. SYNCD_EAUTH, SYNCD_ETRUST, SYNCD_ENET, SYNCD_EBUSY (the
	 * server wants no more connections now), SYNCD_ETIMEOUT, SYNCD_EPROTO... */
	void (*broken)(struct imap_user *user, const struct error *err);
	/* The session is freed; nothing more follows. */
	void (*closed)(struct imap_user *user);
};
struct imap_user {
	const struct imap_user_ops *ops;
};

/* What servers offer and we make use of. */
enum imap_capability {
	IMAP_CAP_STARTTLS = 1 << 0,
	IMAP_CAP_LOGINDISABLED = 1 << 1,
	IMAP_CAP_SASL_IR = 1 << 2,
	IMAP_CAP_ID = 1 << 3,
	IMAP_CAP_NAMESPACE = 1 << 4,
	IMAP_CAP_LITERAL_PLUS = 1 << 5,
	IMAP_CAP_LITERAL_MINUS = 1 << 6,
	IMAP_CAP_UIDPLUS = 1 << 7,
	IMAP_CAP_BINARY = 1 << 8,
	IMAP_CAP_IDLE = 1 << 9,
	IMAP_CAP_MOVE = 1 << 10,
	IMAP_CAP_ENABLE = 1 << 11,
	IMAP_CAP_CONDSTORE = 1 << 12,
	IMAP_CAP_QRESYNC = 1 << 13,
	IMAP_CAP_ESEARCH = 1 << 14,
	IMAP_CAP_LIST_EXTENDED = 1 << 15,
	IMAP_CAP_LIST_STATUS = 1 << 16,
	IMAP_CAP_UNSELECT = 1 << 17,
	IMAP_CAP_MULTIAPPEND = 1 << 18,
	IMAP_CAP_NOTIFY = 1 << 19,
	IMAP_CAP_COMPRESS_DEFLATE = 1 << 20,
	IMAP_CAP_OBJECTID = 1 << 21,
	IMAP_CAP_SPECIAL_USE = 1 << 22,
	IMAP_CAP_EMAILID = 1 << 23, /* with OBJECTID */
	IMAP_CAP_GMAIL = 1 << 24,   /* X-GM-EXT-1 */
};

/* What the server announced that it takes at most; UINT64_MAX where it did not. */
struct imap_limits {
	uint64_t append_bytes;   /* of one message (APPENDLIMIT=n, RFC 7889) */
	uint64_t messages;       /* that one command may name (MESSAGELIMIT=n, RFC 9738) */
	uint64_t saved_messages; /* that one APPEND or COPY may bring (SAVELIMIT=n too) */
};

#define IMAP_PREFIX_MAX 256 /* bytes of a namespace's prefix */

/* Allocates a session that has done nothing yet. `settings` is copied, `user` borrowed
 * until closed(). */
struct imap_session *imap_session_new(const struct imap_settings *settings, struct imap_user *user);

/* Connects and logs in; ready() or broken() follows. */
void imap_session_start(struct imap_session *session);

/* Gives the session up now: its commands complete with SYNCD_ECANCELLED, then closed() follows.
 * No other callback. In any state, once. */
void imap_session_close(struct imap_session *session);

/* Ends the session as if it had broken: its commands complete with SYNCD_ECANCELLED, then broken()
 * is called. */
void imap_session_cancel(struct imap_session *session);

/* Says LOGOUT first when the session is ready and nothing is in flight (RFC 3501 §6.1.3),
 * waiting a moment for the answer; else as imap_session_close. */
void imap_session_logout(struct imap_session *session);

/* Stops and goes on reading from the server; calls nest. Time does not count
 * against the server meanwhile. */
void imap_session_pause(struct imap_session *session);
void imap_session_resume(struct imap_session *session);

bool imap_session_is_live(
	const struct imap_session *session); /* ready, neither broken nor closed */
bool imap_session_can(const struct imap_session *session, enum imap_capability capability);

const struct imap_limits *imap_session_limits(const struct imap_session *session);

/* QRESYNC is in use: offered, asked for and confirmed (RFC 7162 §3.2.3). Valid once ready. */
bool imap_session_has_qresync(const struct imap_session *session);

/* The first personal namespace (RFC 2342): prefix "" or such as "INBOX.", as on the wire; the
 * hierarchy separator, '\0' when names are flat. Valid once ready. */
const char *imap_session_prefix(const struct imap_session *session);
char imap_session_separator(const struct imap_session *session);

#define IMAP_NAMESPACES_MAX 64

/* Another one. */
struct imap_namespace {
	char *prefix;
	char separator;   /* '\0': names in it are flat */
	bool is_personal; /* else it is of other users, or shared */
};
const struct imap_namespace *imap_session_namespaces(const struct imap_session *session,
						     size_t *count);

/* The selected mailbox; is_selected says whether there is one. */
const struct imap_mailbox *imap_session_mailbox(const struct imap_session *session);

/* The name of the mailbox that the server has selected, forgotten or not; empty: none. Valid until
 * the next SELECT. */
struct slice imap_session_selected(const struct imap_session *session);

/* Its keyword table and user are about to go: whatever the server says of it is ignored until
 * the next SELECT. No command of that mailbox may be in flight. */
void imap_session_forget_mailbox(struct imap_session *session);

#endif
