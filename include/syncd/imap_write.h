/* IMAP commands as bytes (RFC 3501 §9): text, strings and announced literals,
 * cut into pieces where the client must wait for the server's "+".
 *
 *     struct imap_write write;
 *     imap_write_init(&write, IMAP_LITERAL_SYNC, false);
 *     imap_write_text(&write, "A7 APPEND ");
 *     imap_write_mailbox(&write, "Entwürfe");
 *     imap_write_text(&write, " ");
 *     imap_write_body(&write, size_bytes, IMAP_BODY_PLAIN);
 *     rc = imap_write_end(&write);
 *     for (i = 0; i < imap_write_piece_count(&write); i++) {
 *             piece = imap_write_piece(&write, i);
 *             if (piece.needs_continuation) ... wait for "+", then go on
 *             if (piece.is_body) ... stream piece.size bytes; otherwise send piece.bytes
 *     }
 *
 * A session with commands in flight sends the pieces of the next one up to the
 * first that needs a continuation, and no other command before its last piece.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IMAP_WRITE_H
#define SYNCD_IMAP_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/flags.h"
#include "syncd/uidset.h"

#define IMAP_COMMAND_LINE_MAX 8000     /* RFC 2683 §3.2.1.5: what every server must take */
#define IMAP_COMMAND_MAX (1024 * 1024) /* bytes of one command without bodies */
#define IMAP_QUOTED_MAX 1024           /* longer strings become literals */
#define IMAP_LITERAL_MINUS_MAX 4096    /* RFC 7888 §5 */

enum imap_literal_mode {
	IMAP_LITERAL_SYNC,  /* {n}: always wait */
	IMAP_LITERAL_PLUS,  /* {n+}: never wait (LITERAL+) */
	IMAP_LITERAL_MINUS, /* {n+} up to 4096 bytes, {n} above (LITERAL-, IMAP4rev2) */
};

struct imap_write_piece;

/* A command being built. Only the functions below touch its members. The first
 * failure stays: what follows is ignored and imap_write_end tells it. */
struct imap_write {
	struct buf bytes;
	struct imap_write_piece *pieces;
	size_t piece_count;
	size_t piece_cap;
	size_t line_at; /* where in `bytes` the current line began */
	enum imap_literal_mode mode;
	bool is_utf8;
	int rc;
};

/* `is_utf8`: UTF8=ACCEPT was enabled (RFC 6855 §3) or the session is IMAP4rev2, so that
 * mailbox names and quoted strings go out as UTF-8. */
void imap_write_init(struct imap_write *write, enum imap_literal_mode mode, bool is_utf8);
void imap_write_free(struct imap_write *write);

/* Ready for another command, memory kept. */
void imap_write_reset(struct imap_write *write);

/* Text of ours, as it is: tag, command name, spaces, parentheses, atoms. No CR, LF or
 * NUL may be in it (a must): what a stranger said goes through imap_write_string. The
 * printf form is for short text, below IMAP_QUOTED_MAX (a must). */
void imap_write_text(struct imap_write *write, const char *text);
void imap_write_printf(struct imap_write *write, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A string: quoted when it is short and holds neither CR, LF, NUL nor (without is_utf8)
 * 8-bit bytes, a literal otherwise. literal8 (RFC 3516 §4.4) when it holds a NUL. */
void imap_write_string(struct imap_write *write, struct slice text);

/* As imap_write_string, in a piece of its own that is marked secret. */
void imap_write_secret(struct imap_write *write, struct slice text);

/* A mailbox name given in UTF-8, as quoted modified UTF-7, or as UTF-8 with is_utf8. SYNCD_EPROTO
 * when it is not well-formed. Names that have no UTF-8 form (imap_utf7_decode
 * refused them) go through imap_write_string instead, bytes as they came. */
void imap_write_mailbox(struct imap_write *write, const char *name);

/* A flag list such as "(\Seen work)". */
void imap_write_flags(struct imap_write *write, const struct keyword_table *table, uint64_t flags);

/* A quoted INTERNALDATE in UTC. */
void imap_write_date(struct imap_write *write, int64_t seconds);

/* The next piece of a UID set, as many ranges as the line has room for when `reserve`
 * more bytes follow on it (8000 bytes in all; at least one range fits always unless the
 * line is nearly full: a must), and at most `most` UIDs. Returns the number of UIDs written. The
 * caller writes commands until uidset_format_left() is false. */
uint64_t imap_write_uids(struct imap_write *write, const struct uidset *set,
			 struct uidset_place *place, size_t reserve, uint64_t most);

/* All UIDs up to `highest`: "1:*" for UINT32_MAX. */
void imap_write_uids_up_to(struct imap_write *write, uint32_t highest);

/* How a message body is announced; may be joined by |. */
enum imap_body_form {
	IMAP_BODY_PLAIN = 0,
	IMAP_BODY_BINARY = 1, /* as literal8, for a message with NULs on a server with BINARY */
	IMAP_BODY_ASKED = 2,  /* waits for the server's word whatever the mode */
};

/* Announces a message body of `size_bytes` that the session streams itself. */
void imap_write_body(struct imap_write *write, uint64_t size_bytes, unsigned form);

/* Ends the command's line. Returns 0, SYNCD_ELIMIT (longer than IMAP_COMMAND_MAX) or
 * SYNCD_EPROTO (a name that is not UTF-8). Pieces may be asked for after 0 only. */
int imap_write_end(struct imap_write *write);

/* What to send, in order. */
struct imap_piece {
	bool needs_continuation; /* wait for the server's "+" before sending it */
	bool is_body;            /* stream `size` bytes (may be 0) of the body announced here */
	bool is_secret;          /* not for the log */
	struct slice bytes;      /* borrowed from the command; empty for a body */
	uint64_t size;           /* of the body, or of `bytes` */
};

size_t imap_write_piece_count(const struct imap_write *write);
struct imap_piece imap_write_piece(const struct imap_write *write, size_t index);

/* Appends the command as the log may show it: secrets as "***", bodies as
 * "<n bytes>", without the last line end. Cut when `out` is full. */
void imap_write_trace(const struct imap_write *write, struct buf *out);

#endif
