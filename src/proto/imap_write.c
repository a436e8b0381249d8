/* Builds IMAP commands and cuts them where the client has to wait.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_write.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/error.h"
#include "syncd/imap_date.h"
#include "syncd/imap_utf7.h"
#include "syncd/must.h"
#include "syncd/secret.h"

/* Bytes from `at` up to the next piece's, or a body. */
struct imap_write_piece {
	size_t at;
	uint64_t body_size;
	bool needs_continuation;
	bool is_body;
	bool is_secret;
};

void imap_write_init(struct imap_write *write, enum imap_literal_mode mode, bool is_utf8)
{
	*write = (struct imap_write){ .mode = mode, .is_utf8 = is_utf8 };
	buf_init(&write->bytes, IMAP_COMMAND_MAX);
}

/* Passwords may be in there. */
static void wipe(struct imap_write *write)
{
	if (write->bytes.data != NULL)
		secret_wipe(write->bytes.data, write->bytes.cap);
}

void imap_write_free(struct imap_write *write)
{
	wipe(write);
	buf_free(&write->bytes);
	free(write->pieces);
	imap_write_init(write, write->mode, write->is_utf8);
}

void imap_write_reset(struct imap_write *write)
{
	wipe(write);
	buf_reset(&write->bytes);
	write->piece_count = 0;
	write->line_at = 0;
	write->rc = 0;
}

/* --- Pieces --------------------------------------------------------------- */

static void begin_piece(struct imap_write *write, struct imap_write_piece piece)
{
	write->pieces =
		xgrow(write->pieces, write->piece_count, &write->piece_cap, sizeof(*write->pieces));
	piece.at = write->bytes.len;
	write->pieces[write->piece_count++] = piece;
}

/* Growing the buffer must not leave a copy of a secret behind in freed memory. */
static char *make_room(struct imap_write *write, size_t len)
{
	struct buf *bytes = &write->bytes;

	if (len > bytes->max - bytes->len)
		return NULL;
	if (bytes->len + len + 1 > bytes->cap) {
		struct buf larger;
		buf_init(&larger, bytes->max);
		(void)buf_reserve(&larger, bytes->len + len);
		(void)buf_add(&larger, buf_str(bytes), bytes->len);
		wipe(write);
		buf_free(bytes);
		*bytes = larger;
	}
	return buf_reserve(bytes, len);
}

static void add(struct imap_write *write, const char *data, size_t len)
{
	if (write->rc != 0)
		return;
	if (make_room(write, len) == NULL) {
		write->rc = SYNCD_ELIMIT;
		return;
	}
	if (write->piece_count == 0 || write->pieces[write->piece_count - 1].is_body)
		begin_piece(write, (struct imap_write_piece){ 0 });
	(void)buf_add(&write->bytes, data, len);
}

void imap_write_text(struct imap_write *write, const char *text)
{
	must(strpbrk(text, "\r\n") == NULL);
	add(write, text, strlen(text));
}

void imap_write_printf(struct imap_write *write, const char *format, ...)
{
	char text[IMAP_QUOTED_MAX];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	must(len >= 0 && (size_t)len < sizeof(text));
	imap_write_text(write, text);
}

/* --- Strings -------------------------------------------------------------- */

static bool is_quotable(const struct imap_write *write, struct slice text)
{
	if (text.len > IMAP_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c == '\r' || c == '\n' || c == '\0' || (c >= 0x80 && !write->is_utf8))
			return false;
	}
	return true;
}

static void add_quoted(struct imap_write *write, struct slice text)
{
	add(write, "\"", 1);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			add(write, "\\", 1);
		add(write, text.data + i, 1);
	}
	add(write, "\"", 1);
}

/* Ends the line with "{n}" or "{n+}" (RFC 7888 §3; literal8: §6). Returns whether a
 * continuation must be waited for. */
static bool announce(struct imap_write *write, uint64_t size, unsigned form)
{
	char text[32];
	bool can_plus = write->mode == IMAP_LITERAL_PLUS ||
			(write->mode == IMAP_LITERAL_MINUS && size <= IMAP_LITERAL_MINUS_MAX);
	bool is_plus = can_plus && (form & IMAP_BODY_ASKED) == 0;

	int len = snprintf(text, sizeof(text), "%s{%" PRIu64 "%s}\r\n",
			   (form & IMAP_BODY_BINARY) != 0 ? "~" : "", size, is_plus ? "+" : "");
	add(write, text, (size_t)len);
	write->line_at = write->bytes.len;
	return !is_plus;
}

static void add_literal(struct imap_write *write, struct slice text, bool is_secret)
{
	bool has_nul = text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
	bool must_wait = announce(write, text.len, has_nul ? IMAP_BODY_BINARY : IMAP_BODY_PLAIN);

	if (write->rc != 0)
		return;
	if (must_wait || is_secret)
		begin_piece(write, (struct imap_write_piece){ .needs_continuation = must_wait,
							      .is_secret = is_secret });
	add(write, text.data, text.len);
	write->line_at = write->bytes.len;
}

void imap_write_string(struct imap_write *write, struct slice text)
{
	if (is_quotable(write, text))
		add_quoted(write, text);
	else
		add_literal(write, text, false);
}

void imap_write_secret(struct imap_write *write, struct slice text)
{
	if (write->rc != 0)
		return;
	if (is_quotable(write, text)) {
		begin_piece(write, (struct imap_write_piece){ .is_secret = true });
		add_quoted(write, text);
	} else {
		add_literal(write, text, true);
	}
	begin_piece(write, (struct imap_write_piece){ 0 });
}

void imap_write_mailbox(struct imap_write *write, const char *name)
{
	struct buf encoded;

	if (write->rc != 0)
		return;
	buf_init(&encoded, IMAP_COMMAND_MAX);
	write->rc = imap_utf7_encode(slice_of(name), &encoded);
	if (write->rc == 0)
		imap_write_string(write, write->is_utf8 ? slice_of(name) : buf_slice(&encoded));
	buf_free(&encoded);
}

/* --- Other arguments ------------------------------------------------------ */

void imap_write_flags(struct imap_write *write, const struct keyword_table *table, uint64_t flags)
{
	struct buf names;

	buf_init(&names, IMAP_COMMAND_LINE_MAX * 2);
	if (flags_format_imap(table, flags, &names) != 0 && write->rc == 0)
		write->rc = SYNCD_ELIMIT;
	imap_write_text(write, "(");
	imap_write_text(write, buf_str(&names));
	imap_write_text(write, ")");
	buf_free(&names);
}

void imap_write_date(struct imap_write *write, int64_t seconds)
{
	char date[IMAP_DATE_SIZE];

	imap_date_format(seconds, date);
	imap_write_printf(write, "\"%s\"", date);
}

uint64_t imap_write_uids(struct imap_write *write, const struct uidset *set,
			 struct uidset_place *place, size_t reserve, uint64_t most)
{
	size_t used = write->bytes.len - write->line_at + reserve + 2; /* CRLF */
	struct buf text;

	must(used + UIDSET_PIECE_MIN <= IMAP_COMMAND_LINE_MAX);
	buf_init(&text, IMAP_COMMAND_LINE_MAX);
	uint64_t count = uidset_format(set, place, IMAP_COMMAND_LINE_MAX - used, most, &text);
	add(write, buf_str(&text), text.len);
	buf_free(&text);
	return count;
}

void imap_write_uids_up_to(struct imap_write *write, uint32_t highest)
{
	if (highest == UINT32_MAX)
		imap_write_text(write, "1:*");
	else
		imap_write_printf(write, "1:%" PRIu32, highest);
}

void imap_write_body(struct imap_write *write, uint64_t size_bytes, unsigned form)
{
	bool must_wait = announce(write, size_bytes, form);

	if (write->rc != 0)
		return;
	begin_piece(write, (struct imap_write_piece){ .needs_continuation = must_wait,
						      .is_body = true,
						      .body_size = size_bytes });
}

int imap_write_end(struct imap_write *write)
{
	add(write, "\r\n", 2);
	return write->rc;
}

/* --- Sending -------------------------------------------------------------- */

size_t imap_write_piece_count(const struct imap_write *write)
{
	return write->piece_count;
}

struct imap_piece imap_write_piece(const struct imap_write *write, size_t index)
{
	must(write->rc == 0 && index < write->piece_count);
	const struct imap_write_piece *piece = &write->pieces[index];
	size_t end = index + 1 < write->piece_count ? piece[1].at : write->bytes.len;
	struct imap_piece out = { .needs_continuation = piece->needs_continuation,
				  .is_body = piece->is_body,
				  .is_secret = piece->is_secret,
				  .size = piece->body_size };

	if (!piece->is_body) {
		out.bytes = (struct slice){ write->bytes.data + piece->at, end - piece->at };
		out.size = out.bytes.len;
	}
	return out;
}

void imap_write_trace(const struct imap_write *write, struct buf *out)
{
	for (size_t i = 0; i < write->piece_count; i++) {
		struct imap_piece piece = imap_write_piece(write, i);
		bool is_last = i + 1 == write->piece_count;
		if (is_last && piece.bytes.len >= 2)
			piece.bytes.len -= 2;
		int rc = piece.is_body     ? buf_printf(out, "<%" PRIu64 " bytes>", piece.size)
			 : piece.is_secret ? buf_add_str(out, "***")
					   : buf_add(out, piece.bytes.data, piece.bytes.len);
		if (rc != 0)
			return;
	}
}
