/* Failures: a negative code that programs act on and a struct error that a
 * person reads. Outcomes that are expected (not found, need more) are named
 * returns of the functions concerned, never these.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ERROR_H
#define SYNCD_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What went wrong. Functions return 0 or one of these. */
enum syncd_error_code {
	SYNCD_OK = 0,
	SYNCD_ECANCELLED = -1, /* the caller asked for it to stop */
	SYNCD_ENET = -2,       /* no route, refused, reset, name not resolved, cut */
	SYNCD_ETIMEOUT = -3,   /* no progress in the time allowed */
	SYNCD_EBUSY = -4,      /* the other side asks for another try later; a lock is held */
	SYNCD_EPROTO = -5,     /* the server broke the protocol; the connection is given up */
	SYNCD_EAUTH = -6,      /* authentication refused */
	SYNCD_ETRUST = -7,     /* certificate not trusted, or plaintext password forbidden */
	SYNCD_EHELD = -8,      /* a guard stopped it until the user decides */
	SYNCD_EMESSAGE = -9,   /* one message is refused; the others go on */
	SYNCD_ESERVER = -10,   /* the server said NO or BAD for good; see struct error */
	SYNCD_EIO = -11,       /* a file, folder or database could not be read or written */
	SYNCD_ENOSPC = -12,    /* disk or quota full */
	SYNCD_ENOTFOUND = -13, /* the thing named is gone (file, mailbox, UID) */
	SYNCD_EROOT = -14,     /* the maildir root vanished or lost its mark */
	SYNCD_ECONFIG = -15,   /* configuration fault */
	SYNCD_EUSAGE = -16,    /* bad command line or request */
	SYNCD_EBUG = -17,      /* internal fault */
	SYNCD_ELIMIT = -18,    /* a named limit on a stranger's data was passed */
	SYNCD_EVALIDITY = -19, /* UIDVALIDITY is not the one the state knows */
};

/* What is to be done about it. */
enum error_class {
	ERROR_CLASS_NONE,      /* 0 */
	ERROR_CLASS_RETRY,     /* try again later with backoff */
	ERROR_CLASS_AUTH,      /* stop until the user acts */
	ERROR_CLASS_HELD,      /* waits for the user's decision */
	ERROR_CLASS_MESSAGE,   /* this message only */
	ERROR_CLASS_PERMANENT, /* this mailbox or account fails until something changes */
	ERROR_CLASS_BUG,
};

enum error_class error_class_of(int code);

/* A short stable name for JSON and logs: "net", "auth", "io"... */
const char *error_code_name(int code);

/* The exit status of CONTRACT 1.1 for a code. */
int error_exit_status(int code);

/* Joins the exit statuses of several pieces of work: a permanent one wins over
 * 75, 0 loses to all, otherwise the first stays. */
int error_exit_merge(int first, int second);

#define ERROR_TEXT_MAX 320
#define ERROR_CONTEXT_MAX 320
#define ERROR_SERVER_CODE_MAX 48

/* What a person should read. Filled where the failure is known and passed up
 * unchanged; plain data, copied by assignment. */
struct error {
	int code;               /* as above; 0 means none */
	uint32_t retry_after_s; /* the server wants that long a pause; 0: says nothing */
	char server_code[ERROR_SERVER_CODE_MAX]; /* RFC 5530, RFC 2449 response code, or "" */
	char text[ERROR_TEXT_MAX];               /* the sentence, or the server's words */
	char context[ERROR_CONTEXT_MAX]; /* what was being done to what: path, mailbox, command */
};

void error_clear(struct error *err);

/* Fills `err` (NULL allowed) and returns `code`, so that `return error_set(...)`
 * reads well. Control characters in the text become '?'. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets the context unless one is already there: the innermost place wins. */
void error_context(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts the mailbox's name before the context that is there, unless that says it: who reads of a
 * refused SELECT wants to know of what. */
void error_mailbox(struct error *err, const char *mailbox);

/* Fills `err` from an errno value: ENOSPC and EDQUOT give SYNCD_ENOSPC, ENOENT
 * gives SYNCD_ENOTFOUND, the rest SYNCD_EIO. The text names what and path. */
int error_set_errno(struct error *err, int errno_value, const char *what, const char *path);

#define ERROR_FORMAT_MAX (ERROR_TEXT_MAX + ERROR_CONTEXT_MAX + ERROR_SERVER_CODE_MAX + 8)

/* "context: text [CODE]" into `out`, always NUL-terminated. Returns `out`. */
const char *error_format(const struct error *err, char *out, size_t size);

#endif
