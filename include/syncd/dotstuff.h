/* Byte-stuffing of messages on the wire: what begins with a dot has one more, and a lone dot is the
 * end (RFC 1939 §3). SPDX-License-Identifier: MIT */
#ifndef SYNCD_DOTSTUFF_H
#define SYNCD_DOTSTUFF_H

#include <stdbool.h>

#include "syncd/buf.h"

/* Where a reader stands between two bytes. */
enum dot_state {
	DOT_AT_LINE, /* a line begins */
	DOT_AT_DOT,  /* behind a dot that begins a line, */
	DOT_AT_CR,   /* and a CR behind that */
	DOT_IN_LINE,
	DOT_BEHIND_CR, /* of a line that has not ended */
};

/* Undoes it. Zeroed at the start of a message.
 *
 * Only CRLF ends a line, as the standard has it: a message with "LF . LF" in it must not be able to
 * end itself and to go on as the server's next answer. A server that ends its own lines with a bare
 * LF is another matter: then that ends a line here too, and becomes CRLF. */
struct dot_reader {
	enum dot_state state;
	bool ends_with_lf; /* input: such a server */
};

/* Part of the message as it was before: CRLF form, never empty, valid during the call. Anything but
 * 0 stops the reader with that code. */
typedef int (*dot_reader_data)(void *context, struct slice data);

/* Takes bytes off `in`, as far as the message goes: all of them (0), or up to its end (1). Or the
 * callback's code. */
int dot_reader_feed(struct dot_reader *reader, struct slice *in, dot_reader_data data,
		    void *context);

#endif
