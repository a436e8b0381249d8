/* Line ends of messages in transit: LF in files, CRLF on the wire. Streaming, the state kept over
 * chunk boundaries.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CRLF_H
#define SYNCD_CRLF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"

/* LF to CRLF: a bare LF becomes CRLF, an existing CRLF stays, a bare CR stays.
 * Zeroed at the start of a message. */
struct crlf_encoder {
	bool is_behind_cr;
};

/* Appends the chunk's CRLF form. Returns 0, or SYNCD_ELIMIT (nothing done) when `out` has no room
 * for twice the chunk. */
int crlf_encode(struct crlf_encoder *encoder, struct slice chunk, struct buf *out);

/* The same without output: how large the CRLF form is (what an APPEND
 * announces), and whether a NUL is in it. Zeroed at the start of a message. */
struct crlf_count {
	uint64_t size_bytes;
	bool has_nul;
	bool is_behind_cr;
};

void crlf_count(struct crlf_count *count, struct slice chunk);

/* CRLF to LF: only the pair is changed, a CR with anything else behind it stays.
 * Zeroed at the start of a message. */
struct crlf_decoder {
	bool is_behind_cr;
};

/* Appends the chunk's LF form; a CR at its end waits for the next chunk. Returns 0,
 * or SYNCD_ELIMIT (nothing done) when `out` has no room for the chunk and one byte. */
int crlf_decode(struct crlf_decoder *decoder, struct slice chunk, struct buf *out);

/* The end of the message: appends the CR that waited, if any. Returns 0 or SYNCD_ELIMIT. */
int crlf_decode_end(struct crlf_decoder *decoder, struct buf *out);

#endif
