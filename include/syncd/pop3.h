/* A POP3 session: from the connection to the open maildrop, what is asked there, and its end
 * (RFC 1939; CAPA and PIPELINING RFC 2449, STLS RFC 2595, AUTH RFC 5034, UTF8 and LANG RFC 6856).
 *
 * Nothing here decides what is fetched or deleted. Message numbers hold for one session only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_POP3_H
#define SYNCD_POP3_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/list.h"
#include "syncd/loop.h"
#include "syncd/net.h"
#include "syncd/secret.h"

struct pop3_session;
struct pop3_command;

/* --- The session -------------------------------------------------------------------- */

/* All borrowed for the session's life, except the password: until ready(). */
struct pop3_settings {
	struct loop *loop;
	struct net_context *net;
	const struct net_target *target; /* timeout_ms counts for the whole session */
	const char *account;             /* for the log */
	const char *user;                /* NULL: none */
	const struct secret *password;   /* NULL: none */
	const char *const *auth;         /* allowed mechanisms as for sasl_choose, or NULL */
	bool allow_plaintext;            /* a password may travel without TLS */
	const char *language; /* in which the server should speak (RFC 5646), such as "de"
			       * or "*"; NULL: as it likes */
	bool is_cautious; /* one command at a time, whatever is offered: for servers that announce
			   * PIPELINING and break it (zone-eu/wildduck#950) */
};

/* Who gets the session's own events; embedded in the user's struct. */
struct pop3_user;
struct pop3_user_ops {
	/* Authenticated, the maildrop is open and locked: commands may be started from now on. */
	void (*ready)(struct pop3_user *user);
	/* The session is over; all its commands have completed before. Once; only
	 * pop3_session_close may follow. The server has removed nothing, unless pop3_quit_start
	 * was called (RFC 1939 §6).
	 *
	 * SYNCD_EAUTH: user or password refused, or no mechanism for both. SYNCD_EBUSY: the
	 * maildrop is in use, [SYS/TEMP], or the server wants to be left alone for
	 * err->retry_after_s
	 * ([LOGIN-DELAY]). SYNCD_ESERVER: [SYS/PERM]. SYNCD_ETRUST: certificate, or the password
	 * would travel readably, or STLS is demanded and not to be had. SYNCD_ENET, SYNCD_ETIMEOUT,
	 * SYNCD_EPROTO, SYNCD_ELIMIT. */
	void (*broken)(struct pop3_user *user, const struct error *err);
	/* The session is freed; nothing more follows. */
	void (*closed)(struct pop3_user *user);
};
struct pop3_user {
	const struct pop3_user_ops *ops;
};

/* What servers offer and others than the session itself care about. */
enum pop3_capability {
	POP3_CAP_UIDL = 1 << 0,
	POP3_CAP_TOP = 1 << 1,
	POP3_CAP_PIPELINING = 1 << 2,
	POP3_CAP_STLS = 1 << 3,
	POP3_CAP_UTF8 = 1 << 4,
	POP3_CAP_LANG = 1 << 5,
};

#define POP3_EXPIRE_NEVER UINT32_MAX

/* What the server announced of how it wants to be used (RFC 2449 §6.5, §6.7). */
struct pop3_policy {
	uint32_t login_delay_s; /* between two logins at least; 0: nothing announced */
	/* Messages are kept that many days at least. 0: those that were fetched may be gone after
	 * QUIT. POP3_EXPIRE_NEVER: for ever, or nothing announced. */
	uint32_t expire_days;
};

/* Allocates a session that has done nothing yet. `settings` is copied, `user` borrowed
 * until closed(). */
struct pop3_session *pop3_session_new(const struct pop3_settings *settings, struct pop3_user *user);

/* Connects and logs in; ready() or broken() follows. */
void pop3_session_start(struct pop3_session *session);

/* Gives the session up now, without QUIT, so that nothing is removed: its commands complete with
 * SYNCD_ECANCELLED, then closed() follows. No other callback. In any state, once. */
void pop3_session_close(struct pop3_session *session);

/* Ends the session as if it had broken: its commands complete with SYNCD_ECANCELLED, then broken()
 * is called. */
void pop3_session_cancel(struct pop3_session *session);

/* Stops and goes on reading from the server; calls nest. Nothing is asked meanwhile, and time does
 * not count against the server. What is decoded already still arrives, up to 64 KB. */
void pop3_session_pause(struct pop3_session *session);
void pop3_session_resume(struct pop3_session *session);

/* Ready, neither quitting nor over: commands may be started. */
bool pop3_session_is_live(const struct pop3_session *session);

/* Valid once ready. Of a server without CAPA all that RFC 1939 has is assumed to be there (RFC 2449
 * §5): UIDL may turn out to be refused. */
bool pop3_session_can(const struct pop3_session *session, enum pop3_capability capability);
const struct pop3_policy *pop3_session_policy(const struct pop3_session *session);

/* --- Commands ------------------------------------------------------------------------
 *
 * Each is embedded in the caller's struct, which must stay in place until `done`: called once,
 * never inside the start, code 0 or negative with command->err filled (and retry_after_s, where the
 * server told). When the session ends, all its commands complete with the reason. The caller fills
 * the members named as inputs and the callbacks, and zeroes the rest.
 *
 * They are sent in the order they were started, as many as fit the pipe where the server offers
 * PIPELINING, else one by one; several fetches and deletions share it in turns. */

typedef void (*pop3_command_done)(struct pop3_command *command, int code);

/* Only `err` is for the caller to read. */
struct pop3_command {
	const struct pop3_command_type *type;
	pop3_command_done done;
	struct error err;
	struct pop3_session *session;
	struct list link;
	unsigned in_flight; /* questions not answered */
	bool is_asking;     /* there may be more to ask */
};

#define POP3_PIPE_COMMANDS 256              /* most in the pipe */
#define POP3_PIPE_BYTES (1024 * 1024)       /* of messages: no more while so many are awaited, */
#define POP3_PIPE_MESSAGES_LEAST 2          /* but for so many of them */
#define POP3_SIZE_GUESS (64 * 1024)         /* of one whose size nobody told */
#define POP3_LISTING_MAX (64 * 1024 * 1024) /* bytes of one LIST or UIDL, and 32 a line */
#define POP3_MESSAGE_MAX UINT32_MAX         /* bytes; a larger one never ends */

/* STAT: how many messages, and their size together. SYNCD_EPROTO: not to be understood. */
struct pop3_stat {
	struct pop3_command command;
	uint32_t count; /* results */
	uint64_t size_bytes;
};
void pop3_stat_start(struct pop3_session *session, struct pop3_stat *stat, pop3_command_done done);

/* LIST or UIDL of all messages that are not marked deleted. As the server tells it: in any order,
 * with gaps, a number perhaps twice, or other numbers in one than in the other. Two messages may
 * have the same unique-id, if they are equal (RFC 1939 §7). */
struct pop3_listing {
	struct pop3_command command;
	/* The one of the command that is started. The size may lie. A unique-id has 1 to
	 * POP3_UID_MAX bytes (pop3_line.h) and is valid during the call. */
	void (*sized)(struct pop3_listing *listing, uint32_t number, uint64_t size_bytes);
	void (*named)(struct pop3_listing *listing, uint32_t number, struct slice uid);
	bool is_damaged; /* result: some lines could not be read, so it is not complete */
	uint64_t bytes;  /* the module's */
};
void pop3_list_start(struct pop3_session *session, struct pop3_listing *listing,
		     pop3_command_done done);
/* SYNCD_ESERVER: refused for good; where that is so of every session, there is no UIDL. */
void pop3_uidl_start(struct pop3_session *session, struct pop3_listing *listing,
		     pop3_command_done done);

/* RETR of many messages, or TOP: their bodies streamed one after another, with the next ones asked
 * for already. Of each, either begin, data..., end, or refused. A body that was begun and has no
 * end when `done` comes was cut by the session's end, or given up.
 *
 * Negative codes of the callbacks give the fetch up: nothing more is asked for and told, what is in
 * the pipe is read past (who does not want to wait for that closes the session), `done` brings the
 * code. One beyond POP3_MESSAGE_MAX ends the
 * session; whether one that is larger than LIST said is worth it, the callbacks decide. */
struct pop3_fetch {
	struct pop3_command command;
	/* Inputs: TOP with so many lines of each body in place of RETR; with POP3_CAP_TOP only. */
	bool is_top;
	uint32_t top_lines;
	/* The next message to ask for, as often as there is room in the pipe, and what LIST said of
	 * its size (0: unknown). False: no more. */
	bool (*next)(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes);
	int (*begin)(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes);
	/* CRLF form, byte-stuffing undone. */
	int (*data)(struct pop3_fetch *fetch, struct slice data);
	/* Complete; it ends with a line's end, or is empty. */
	int (*end)(struct pop3_fetch *fetch, uint32_t number);
	/* -ERR: SYNCD_EMESSAGE, or SYNCD_EBUSY ([SYS/TEMP], throttled). */
	int (*refused)(struct pop3_fetch *fetch, uint32_t number, const struct error *err);
	void (*done)(struct pop3_fetch *fetch, int code);
	bool is_begun; /* the module's: a body is being told */
	bool is_paused;
};
void pop3_fetch_start(struct pop3_session *session, struct pop3_fetch *fetch);
/* Pauses the whole session, as pop3_session_pause does, until resumed or done. */
void pop3_fetch_pause(struct pop3_fetch *fetch);
void pop3_fetch_resume(struct pop3_fetch *fetch);
/* Gives it up with SYNCD_ECANCELLED, as a callback can. */
void pop3_fetch_cancel(struct pop3_fetch *fetch);

/* DELE of many messages: the server marks them, and removes them at QUIT (RFC 1939 §5). Several
 * may be started at once, and beside fetches. */
struct pop3_dele {
	struct pop3_command command;
	/* The next message, as often as there is room in the pipe. False: no more. */
	bool (*next)(struct pop3_dele *dele, uint32_t *number);
	/* It is marked (NULL), or not: as `refused` of a fetch. Those that have no answer when
	 * `done` comes are of a session that has ended, so they stay. */
	void (*answered)(struct pop3_dele *dele, uint32_t number, const struct error *refusal);
};
void pop3_dele_start(struct pop3_session *session, struct pop3_dele *dele, pop3_command_done done);

/* RSET takes all marks back; NOOP keeps the session from being logged out (after 10 minutes at the
 * earliest, RFC 1939 §3). */
void pop3_rset_start(struct pop3_session *session, struct pop3_command *command,
		     pop3_command_done done);
void pop3_noop_start(struct pop3_session *session, struct pop3_command *command,
		     pop3_command_done done);

/* What became of the messages that were marked deleted. */
enum pop3_quit_outcome {
	POP3_QUIT_UNSENT,  /* they are there: the server never heard of QUIT */
	POP3_QUIT_UNKNOWN, /* the session ended before the answer came: all may be gone, or none */
	POP3_QUIT_REFUSED, /* -ERR: some of them, or none, are gone (RFC 1939 §6) */
	POP3_QUIT_DONE,    /* +OK: they are gone */
};

/* QUIT, sent when all that was started before has been asked for (with PIPELINING not yet
 * answered). The session is not live from here on. When it is done with POP3_QUIT_DONE (code 0) or
 * POP3_QUIT_REFUSED, broken() does not follow, and only pop3_session_close may be called. */
struct pop3_quit {
	struct pop3_command command;
	enum pop3_quit_outcome outcome; /* result */
};
void pop3_quit_start(struct pop3_session *session, struct pop3_quit *quit, pop3_command_done done);

#endif
