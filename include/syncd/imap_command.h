/* One IMAP command: an object with a tag, a type that knows its protocol, and
 * one done callback. Many may be in flight on a session.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_COMMAND_H
#define SYNCD_IMAP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/imap_parser.h"
#include "syncd/imap_write.h"
#include "syncd/list.h"

struct imap_session;
struct imap_command;

/* Called once, when the command is answered or its session is over. `code` is 0 or negative with
 * command->err filled. The command may be used again or freed from here on. */
typedef void (*imap_command_done)(struct imap_command *command, int code);

/* What a kind of command does with what arrives. Members may be NULL. */
struct imap_command_type {
	const char *name;
	int refused;       /* the code of a plain NO or BAD */
	bool is_upload;    /* brings messages into a mailbox */
	bool is_exclusive; /* alone in flight: its answers could be mistaken for others' */
	bool is_secret;    /* the log shows its name only */

	/* Untagged data while in flight; true: it was for this command alone. */
	bool (*untagged)(struct imap_command *command, const struct imap_response *response);
	/* Whether what the server tells is the command's own doing: of a message's flags (NULL:
	 * only that they changed), or that messages are gone. */
	bool (*is_own_change)(const struct imap_command *command, uint32_t uid,
			      const uint64_t *flags);
	bool (*is_own_removal)(const struct imap_command *command, uint32_t low, uint32_t high);
	/* As in imap_parser.h; 1: streamed to this command, 0: not its own. */
	int (*literal_begin)(struct imap_command *command, uint32_t sequence, uint32_t uid,
			     struct slice section, uint64_t size_bytes);
	void (*literal_data)(struct imap_command *command, struct slice data);
	/* A range of SEARCH or ESEARCH. */
	void (*range)(struct imap_command *command, uint32_t low, uint32_t high);
	/* A "+" that no literal waits for. */
	void (*continuation)(struct imap_command *command, struct slice text);
	/* Another command waits for this exclusive one: it ends itself if it can (IDLE). */
	void (*yield)(struct imap_command *command);
	/* Sends the body announced with imap_write_body: 1 when all is sent, 0 to be called again
	 * when the stream has drained, or negative with command->err filled: the session breaks. */
	int (*body)(struct imap_command *command);
	/* An untagged status while in flight, for its response code; true: it was for this command
	 * alone. */
	bool (*status)(struct imap_command *command, const struct imap_response *response);
	/* The tagged answer, for its response code; done follows. */
	void (*tagged)(struct imap_command *command, const struct imap_response *response);
};

enum imap_command_state {
	IMAP_COMMAND_IDLE,    /* not started, or done */
	IMAP_COMMAND_QUEUED,  /* nothing sent */
	IMAP_COMMAND_STOPPED, /* sent up to a literal; waits for "+" */
	IMAP_COMMAND_BODY,    /* its body is being sent */
	IMAP_COMMAND_SENT,    /* waits for its tagged answer */
};

/* Embedded in the caller's struct. Only `err` and `type` are for the caller to read. */
struct imap_command {
	const struct imap_command_type *type;
	imap_command_done done;
	struct error err;
	struct imap_session *session;
	struct list link;
	enum imap_command_state state;
	char tag[16];
	struct imap_write write;
	size_t piece;     /* the next to be sent */
	bool is_answered; /* the tagged answer came before the body was out */
	int code;
};

/* Makes the command ready to be given its text through `write`; tag and a blank are in place. */
void imap_command_init(struct imap_session *session, struct imap_command *command,
		       const struct imap_command_type *type, imap_command_done done);

/* Ends the text and queues the command. What was written must fit IMAP_COMMAND_MAX and
 * be well-formed: callers check what comes from outside before. On a session that is
 * over, done follows with the session's error. */
void imap_command_start(struct imap_command *command);

#endif
