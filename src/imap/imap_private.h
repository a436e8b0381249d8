/* What the files of an IMAP session share. Seen by src/imap only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_PRIVATE_H
#define SYNCD_IMAP_PRIVATE_H

#include "syncd/imap_command.h"
#include "syncd/imap_parser.h"
#include "syncd/imap_session.h"
#include "syncd/log.h"
#include "syncd/net_link.h"
#include "syncd/sasl.h"
#include "syncd/uidset.h"

struct imap_news;
struct imap_uid_run;

#define IMAP_LOGOUT_TIMEOUT_MS 3000
#define IMAP_INTRODUCTIONS 4    /* ID, NAMESPACE, ENABLE, COMPRESS */
#define IMAP_EXISTS_MAX 4000000 /* messages of one mailbox */
/* Bytes of the answer to one command, without what is streamed to it; so many more for each message
 * of the mailbox, and each response counts as so many more than it has. */
#define IMAP_ANSWER_MAX (64 * 1024 * 1024)
#define IMAP_ANSWER_EXISTS 256
#define IMAP_ANSWER_RESPONSE 64

enum imap_phase {
	IMAP_PHASE_LOGIN,
	IMAP_PHASE_READY,
	IMAP_PHASE_LOGOUT,  /* LOGOUT is sent; close follows */
	IMAP_PHASE_BROKEN,  /* err says why; broken() is owed or was called */
	IMAP_PHASE_CLOSING, /* closed() is owed */
};

/* Where a login stands; imap_login.c has the table. */
enum imap_login {
	IMAP_LOGIN_DIAL,
	IMAP_LOGIN_GREETING,
	IMAP_LOGIN_CAPABILITY,
	IMAP_LOGIN_STARTTLS,
	IMAP_LOGIN_SECURE,
	IMAP_LOGIN_AUTHENTICATE,
	IMAP_LOGIN_CAPABILITY_AGAIN,
	IMAP_LOGIN_INTRODUCE,
	IMAP_LOGIN_COMPRESS,
	IMAP_LOGIN_SEPARATOR,
	IMAP_LOGIN_READY,
	IMAP_LOGIN_WAIT, /* no state: stay, an event will come */
};

/* What login waits for and gets. */
struct imap_login_event {
	int code;                             /* 0, or failed with session->login_command.err */
	const struct imap_response *greeting; /* in the greeting state only */
};

struct imap_told;

struct imap_session {
	struct imap_settings settings;
	struct imap_user *user;
	enum imap_phase phase;
	struct error err; /* why it is over */
	bool is_told;     /* broken() was called */
	struct loop_defer over;

	struct net_link link;
	bool is_link_closed;
	bool is_upgraded;
	bool is_upgrade_due;  /* the server said OK; TLS begins when the parser has returned */
	bool is_compress_due; /* the same, with DEFLATE */

	struct imap_parser *parser;
	struct imap_command *literal; /* gets the literal being read, or NULL: dropped */
	struct imap_command *taker;   /* of the last literal; sees the response before others */
	bool is_idling;               /* silence is fine */
	uint64_t heard_ms;            /* when the server last said anything */
	uint64_t answer_bytes;        /* since a command was answered; IMAP_ANSWER_MAX */

	struct list queue;
	struct list flight;
	struct imap_command *sending; /* STOPPED or BODY: nothing else may be sent */
	uint32_t last_tag;

	uint32_t capabilities;
	struct imap_limits limits;
	bool has_capabilities;
	struct sasl_offer offer;

	enum imap_login login;
	struct imap_command login_command;
	struct imap_command introductions[IMAP_INTRODUCTIONS];
	unsigned introductions_left; /* not answered yet */
	bool has_qresync;            /* ENABLED */
	struct sasl_exchange exchange;
	char prefix[IMAP_PREFIX_MAX];
	struct imap_namespace *namespaces; /* but for the first personal one, */
	size_t namespace_count;
	size_t namespace_cap;
	char separator; /* which has this one */

	struct imap_mailbox mailbox;
	struct buf selected;        /* its name, also when it is forgotten */
	struct imap_notify *notify; /* what STATUS and LIST are for when nobody asked; or NULL */
	struct imap_command logout;
};

/* --- imap_session.c --- */

/* The session is over: remembers the first reason; everything completes in the loop's next turn. */
void imap_session_fail(struct imap_session *session, const struct error *err);

bool imap_session_is_over(const struct imap_session *session);

/* --- imap_command.c --- */

/* Sends what may be sent now. */
void imap_command_pump(struct imap_session *session);

/* "+ text". */
void imap_command_continue(struct imap_session *session, struct slice text);

/* The tagged answer of some command. */
void imap_command_answer(struct imap_session *session, const struct imap_response *response);

/* The stream takes more: goes on with a body. */
void imap_command_drained(struct imap_session *session);

/* Takes the command out and calls done, as the last thing. */
void imap_command_finish(struct imap_command *command, int code);

/* Sends a line of an exchange (AUTHENTICATE, IDLE), not logged when secret. */
void imap_command_line(struct imap_command *command, struct slice line);

/* --- imap_capability.c --- */
void imap_capability_take(struct imap_session *session, const struct imap_arg *names);
void imap_capability_forget(struct imap_session *session);

/* --- imap_login.c --- */
void imap_login_begin(struct imap_session *session);
void imap_login_event(struct imap_session *session, const struct imap_login_event *event);
/* Takes the stream that STARTTLS is to be put over, `unread` as for net_starttls_start. */
void imap_login_upgrade(struct imap_session *session, size_t unread);
/* Puts DEFLATE over the stream, `unread` as for net_compress. The caller's last statement. */
void imap_login_compress(struct imap_session *session, struct slice unread);

/* --- imap_auth.c --- */

/* Chooses and starts AUTHENTICATE or LOGIN as session->login_command. Returns 0, or an error. */
int imap_auth_start(struct imap_session *session, imap_command_done done, struct error *err);

/* --- imap_introduce.c --- */

/* Starts what follows a login; `done` of each, as many as session->introductions_left. */
void imap_introduce_start(struct imap_session *session, imap_command_done done);

/* --- imap_namespace.c --- */
void imap_namespace_forget(struct imap_session *session);
void imap_namespace_start(struct imap_session *session, struct imap_command *command,
			  imap_command_done done);
void imap_separator_start(struct imap_session *session, struct imap_command *command,
			  imap_command_done done);

/* --- imap_reply.c --- */

/* The code for a NO, BAD or BYE to a command of that type: by its response code, words of
 * throttling, else type->refused; fills `err` with the server's words and the type's name as
 * context. */
int imap_reply_refused(const struct imap_response *response, const struct imap_command_type *type,
		       struct error *err);

/* [MESSAGELIMIT most lowest]: a command was carried out for some of its messages only, from the
 * highest UID down to `lowest_uid` (RFC 9738 §3.1). */
struct imap_cut {
	uint64_t most;       /* messages that one such command may have; 0: not said */
	uint32_t lowest_uid; /* 0: for none of them, as far as is said */
};
bool imap_reply_is_cut(const struct imap_response *response, struct imap_cut *cut);

/* Of a look at all UIDs up to `highest`: lowers that to where the next command has to go on, 0 when
 * there is nothing left. False when the server does not say how far it came. */
bool imap_reply_goes_on(const struct imap_response *response, uint32_t *highest);

/* --- imap_uid_run.c --- */

/* Starts a run with run->uids and run->done; the type's `tagged` calls the other. */
void imap_uid_run_start(struct imap_session *session, struct imap_uid_run *run,
			const struct imap_command_type *type);

/* Whether the tagged answer says that only a part was done (RFC 9738 §3.1); with `may_repeat` the
 * same messages are then asked for again, fewer at a time. */
void imap_uid_run_take_cut(struct imap_uid_run *run, const struct imap_response *response,
			   bool may_repeat);

/* --- imap_uid_list.c --- */

/* UIDs in the order they were told, each range upwards. */
struct imap_uid_list {
	struct uid_range *ranges;
	size_t count;
	size_t cap;
	uint64_t uids;     /* how many there are */
	bool is_ascending; /* none twice, each higher than those before */
	size_t at;         /* where the walk stands */
	uint32_t last;
};

/* "304,319:320" into a list that the caller frees; false, and nothing to free, when it is none. */
bool imap_uid_list_parse(struct imap_uid_list *list, struct slice text);
void imap_uid_list_free(struct imap_uid_list *list);

/* Walks once: true and the next UID, or false behind the last. */
bool imap_uid_list_next(struct imap_uid_list *list, uint32_t *uid);

/* --- imap_mailbox.c --- */

/* Counts and codes about the selected mailbox, also a tagged answer's. True when it is news. */
bool imap_mailbox_take(struct imap_session *session, const struct imap_response *response);
void imap_mailbox_take_code(struct imap_session *session, const struct imap_response *response);

/* A range of VANISHED as it is read. */
void imap_mailbox_vanished(struct imap_session *session, uint32_t low, uint32_t high,
			   bool is_earlier);

/* Tells its user what a FETCH or VANISHED response says, when the commands have seen it.
 * `was_asked`: one that only looks has taken it. */
void imap_mailbox_tell(struct imap_session *session, const struct imap_response *response,
		       bool was_asked);

/* The argument after the named one in a FETCH response's list, or NULL. */
const struct imap_arg *imap_fetch_item(const struct imap_response *response, const char *name);
/* The UID it tells, or 0. */
uint32_t imap_fetch_uid(const struct imap_response *response);
/* The flags it tells; false when it has none. */
bool imap_fetch_flags(const struct imap_session *session, const struct imap_response *response,
		      uint64_t *flags);

/* --- imap_list.c, imap_status.c --- */

/* The name as bytes: an atom, a string, or a mailbox that is called NIL. */
bool imap_list_name(const struct imap_arg *arg, struct slice *name);

/* Whether a LIST response's attributes have this one. */
bool imap_list_has(const struct imap_arg *attributes, const char *name);

/* Reads a STATUS response; false when it is none, or tells neither all that is needed nor the
 * MAILBOXID. */
bool imap_status_read(const struct imap_response *response, struct slice *name,
		      struct imap_told *told);

/* The same of one that nobody asked for, which need not tell all; `news` is zeroed. */
bool imap_status_read_news(const struct imap_response *response, struct imap_news *news);

/* Writes "(MESSAGES UIDNEXT ...)", as the wishes are; HIGHESTMODSEQ with IMAP_CAP_CONDSTORE. */
void imap_status_write(struct imap_session *session, unsigned wishes, struct imap_write *write);

/* --- imap_notify.c: only while session->notify is set --- */

/* Untagged data that no command claims. */
void imap_notify_take(struct imap_session *session, const struct imap_response *response);
/* An untagged status. */
void imap_notify_take_code(struct imap_session *session, const struct imap_response *response);
/* The session is over, its commands have completed. With or without one. */
void imap_notify_over(struct imap_session *session);

/* --- imap_trace.c --- */
void imap_trace_sent(const struct imap_command *command);
void imap_trace_received(const struct imap_session *session, const struct imap_response *response);

/* Capabilities that a server of this name (ID, RFC 2971) offers, but not so that one can use them.
 */
uint32_t imap_quirk_lacks(struct slice server_name);

/* --- imap_quirks.c --- */
bool imap_quirk_is_about_message(const struct error *err);
uint32_t imap_quirk_uidvalidity(uint32_t uidvalidity);

#endif
