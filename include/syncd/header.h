/* The header fields of a message (RFC 5322 §2.2), scanned as its bytes come in.
 * Takes whatever it is given: messages without a header, mbox "From " lines,
 * line ends of any kind, NULs, lines that are no fields.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_HEADER_H
#define SYNCD_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/buf.h"

#define HEADER_NAME_MAX 256          /* bytes; a line with a longer name is no field */
#define HEADER_FIELD_MAX (64 * 1024) /* bytes of name and body together; beyond is cut off */

/* One field; borrowed, valid during the callback. */
struct header_field {
	struct slice name; /* as written, without the colon or blanks before it */
	struct slice
		body; /* raw bytes, unfolded (line ends removed), blanks at both ends trimmed */
	bool is_truncated;
};

/* Returning other than 0 stops the scan with that code. */
typedef int (*header_field_cb)(void *context, const struct header_field *field);

enum header_state {
	HEADER_AT_LINE,     /* at the start of a line */
	HEADER_IN_NAME,     /* before the colon */
	HEADER_IN_BODY,     /* behind it, and in continuation lines */
	HEADER_IN_NO_FIELD, /* a line that is no field: skipped */
	HEADER_IS_OVER,
};

/* Only the functions below touch its members. */
struct header_scanner {
	header_field_cb field;
	void *context;
	enum header_state state;
	struct buf text; /* name, then body */
	size_t name_len;
	bool has_field; /* a field is waiting for its possible next line */
	bool is_behind_cr;
	bool is_truncated;
};

/* `context` is borrowed for the scanner's life. */
void header_scanner_init(struct header_scanner *scanner, header_field_cb field, void *context);
void header_scanner_free(struct header_scanner *scanner);

/* Takes bytes up to the empty line that ends the header, calling back for each complete field.
 * *used tells how many were taken, that line included: fewer than given only when the header
 * is over. Returns 0 or a callback's code. A line end is LF, CRLF, any number of CRs before LF,
 * or a CR alone. */
int header_scanner_feed(struct header_scanner *scanner, struct slice data, size_t *used);

/* The message ends here: the last field is delivered if the empty line never came. */
int header_scanner_end(struct header_scanner *scanner);

/* True when the empty line was seen, or header_scanner_end was called. */
bool header_scanner_is_over(const struct header_scanner *scanner);

#endif
