/* What the files of a POP3 session share. Seen by src/pop3 only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_POP3_PRIVATE_H
#define SYNCD_POP3_PRIVATE_H

#include "syncd/log.h"
#include "syncd/net_link.h"
#include "syncd/pop3.h"
#include "syncd/pop3_parser.h"
#include "syncd/sasl.h"

#define POP3_COMMAND_MAX 253      /* bytes of a line of ours, without CRLF (RFC 2449 §4) */
#define POP3_CAPABILITIES_MAX 128 /* lines of CAPA's answer */
#define POP3_DELAY_MAX_S (7 * 24 * 60 * 60) /* a longer LOGIN-DELAY is cut to this */
#define POP3_LANGUAGE_COMMANDS 2            /* UTF8, LANG */

/* What is asked by one line of a command, and not yet answered. */
struct pop3_asked {
	struct pop3_command *command;
	uint32_t number;       /* of the message, 0: of none */
	uint64_t size_bytes;   /* of the message, as far as is known */
	uint64_t awaits_bytes; /* what it takes of the pipe's room for messages */
};

/* What a kind of command does. Members may be NULL. */
struct pop3_command_type {
	const char *name;
	int refused;               /* the code of a plain -ERR */
	enum pop3_follows follows; /* behind +OK */
	bool is_run;               /* asks again and again, until `write` has nothing more */
	bool is_last;              /* goes when nothing else is to be asked */
	bool is_secret;            /* the log shows its name only */

	/* Adds the line to be sent, without its end; false: there is nothing more. NULL: the name.
	 */
	bool (*write)(struct pop3_command *command, struct pop3_asked *asked, struct buf *line);
	/* +OK */
	void (*accepted)(struct pop3_command *command, const struct pop3_asked *asked,
			 const struct pop3_status *status);
	/* -ERR. NULL: the command fails with it. */
	void (*rejected)(struct pop3_command *command, const struct pop3_asked *asked,
			 const struct error *err);
	/* "+ ", of an exchange. */
	void (*challenge)(struct pop3_command *command, struct slice text);
	/* What follows, by `follows`, and its end. */
	void (*line)(struct pop3_command *command, struct slice line);
	void (*data)(struct pop3_command *command, struct slice data);
	void (*end)(struct pop3_command *command, const struct pop3_asked *asked);
};

enum pop3_phase {
	POP3_PHASE_LOGIN,
	POP3_PHASE_READY,
	POP3_PHASE_QUIT,    /* QUIT is under way */
	POP3_PHASE_DONE,    /* it was answered; the server may do what it likes */
	POP3_PHASE_BROKEN,  /* err says why; broken() is owed or was called */
	POP3_PHASE_CLOSING, /* closed() is owed */
};

/* Where a login stands; pop3_login.c has the table. */
enum pop3_login {
	POP3_LOGIN_DIAL,
	POP3_LOGIN_GREETING,
	POP3_LOGIN_CAPA,
	POP3_LOGIN_STLS,
	POP3_LOGIN_SECURE,
	POP3_LOGIN_LANGUAGE,
	POP3_LOGIN_CHOOSE,
	POP3_LOGIN_USER,
	POP3_LOGIN_PASS,
	POP3_LOGIN_APOP,
	POP3_LOGIN_AUTH,
	POP3_LOGIN_CAPA_AGAIN,
	POP3_LOGIN_READY,
	POP3_LOGIN_WAIT, /* no state: stay, an event will come */
};

/* What login waits for and gets. */
struct pop3_login_event {
	int code;                           /* 0, or failed with session->login_command.err */
	const struct pop3_status *greeting; /* in the greeting state only */
};

struct pop3_session {
	struct pop3_settings settings;
	struct pop3_user *user;
	enum pop3_phase phase;
	struct error err; /* why it is over */
	bool is_told;     /* broken() was called */
	struct loop_defer over;

	struct net_link link;
	bool is_link_closed;
	bool is_upgraded;
	bool is_upgrade_due; /* the server said +OK; TLS begins when the parser has returned */
	struct pop3_parser *parser;
	uint64_t message_bytes; /* of the one being read */

	struct list queue;                            /* commands that have more to ask */
	struct list sent;                             /* those that only wait for answers */
	struct pop3_asked flight[POP3_PIPE_COMMANDS]; /* a ring */
	size_t flight_first;
	size_t flight_count;
	size_t messages_awaited; /* of the flight */
	uint64_t bytes_awaited;
	struct buf out; /* lines to be sent together; wiped */
	struct loop_defer pump;

	uint32_t capabilities;
	bool has_capabilities;  /* CAPA was answered */
	bool is_user_dependent; /* some of it is told better behind the login (RFC 2449 §6.5) */
	unsigned capability_lines;
	struct sasl_offer offer; /* by SASL; */
	bool has_user;           /* USER and PASS */
	struct pop3_policy policy;

	enum pop3_login login;
	struct pop3_command login_command;
	struct pop3_command languages[POP3_LANGUAGE_COMMANDS];
	unsigned languages_left; /* not answered yet */
	struct sasl_exchange exchange;
	bool is_initial_owed; /* the first response found no room in AUTH's line */
	char timestamp[POP3_TIMESTAMP_MAX + 1]; /* of the greeting; "": no APOP */
	const char *mechanism;                  /* that was chosen */
	char digest[SASL_APOP_SIZE];            /* of APOP */
};

/* --- pop3_session.c --- */

/* The session is over: remembers the first reason; everything completes in the loop's next turn. */
void pop3_session_fail(struct pop3_session *session, const struct error *err);

bool pop3_session_is_over(const struct pop3_session *session);

/* --- pop3_command.c --- */

/* Makes the command ready, and queues it. On a session that has broken, done follows with its
 * error. */
void pop3_command_start(struct pop3_session *session, struct pop3_command *command,
			const struct pop3_command_type *type, pop3_command_done done);

/* Asks what may be asked now. */
void pop3_command_pump(struct pop3_session *session);
void pop3_command_pump_later(struct pop3_session *session);

/* The answer to the first of the flight; gives what follows. */
enum pop3_follows pop3_command_status(struct pop3_session *session,
				      const struct pop3_status *status);
void pop3_command_line(struct pop3_session *session, struct slice line);
void pop3_command_data(struct pop3_session *session, struct slice data);
void pop3_command_end(struct pop3_session *session);

/* Completes one command of a session that is over; false: there is none. */
bool pop3_command_finish_one(struct pop3_session *session);

/* --- pop3_capability.c --- */

/* One line of CAPA's answer; SYNCD_ELIMIT when there are too many. */
int pop3_capability_take(struct pop3_session *session, struct slice line, struct error *err);
/* Nothing is known, as before the first CAPA. */
void pop3_capability_forget(struct pop3_session *session);
/* CAPA is answered, its lines follow. */
void pop3_capability_begin(struct pop3_session *session);

/* --- pop3_login.c --- */
void pop3_login_begin(struct pop3_session *session);
void pop3_login_event(struct pop3_session *session, const struct pop3_login_event *event);
/* TLS is put over the stream, `unread` as for net_starttls_start. */
void pop3_login_upgrade(struct pop3_session *session, size_t unread);

/* --- pop3_auth.c --- */

/* The state that proves who we are by what both sides can do, or an error. */
int pop3_auth_choose(struct pop3_session *session, enum pop3_login *next, struct error *err);
extern const struct pop3_command_type pop3_user_type;
extern const struct pop3_command_type pop3_pass_type;
extern const struct pop3_command_type pop3_apop_type;
extern const struct pop3_command_type pop3_auth_type;

/* --- pop3_reply.c --- */

/* The code for an -ERR to a command of that type: by its response code, by words that mean the
 * same, else type->refused; fills `err` with the server's words, the time it asks for, and the
 * type's name as context. */
int pop3_reply_refused(const struct pop3_session *session, const struct pop3_status *status,
		       const struct pop3_command_type *type, struct error *err);

/* --- pop3_trace.c --- */
void pop3_trace_sent(const struct pop3_session *session, const struct pop3_command_type *type,
		     struct slice line);
void pop3_trace_status(const struct pop3_session *session, const struct pop3_status *status);
void pop3_trace_line(const struct pop3_session *session, struct slice line);

#endif
