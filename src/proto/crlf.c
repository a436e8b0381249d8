/* LF and CRLF into each other, chunk by chunk.
 * SPDX-License-Identifier: MIT */
#include "syncd/crlf.h"

#include <string.h>

#include "syncd/error.h"

/* The bytes before the first `c`, or all. */
static size_t run_before(struct slice text, char c)
{
	const char *found = text.len > 0 ? memchr(text.data, c, text.len) : NULL;

	return found != NULL ? (size_t)(found - text.data) : text.len;
}

static void take(struct slice *text, size_t len)
{
	text->data += len;
	text->len -= len;
}

int crlf_encode(struct crlf_encoder *encoder, struct slice chunk, struct buf *out)
{
	if (chunk.len > SIZE_MAX / 2 || buf_reserve(out, chunk.len * 2) == NULL)
		return SYNCD_ELIMIT;
	while (chunk.len > 0) {
		size_t run = run_before(chunk, '\n');
		(void)buf_add(out, chunk.data, run);
		if (run > 0)
			encoder->is_behind_cr = chunk.data[run - 1] == '\r';
		take(&chunk, run);
		if (chunk.len == 0)
			break;
		(void)buf_add_str(out, encoder->is_behind_cr ? "\n" : "\r\n");
		encoder->is_behind_cr = false;
		take(&chunk, 1);
	}
	return 0;
}

void crlf_count(struct crlf_count *count, struct slice chunk)
{
	count->size_bytes += chunk.len;
	if (run_before(chunk, '\0') < chunk.len)
		count->has_nul = true;
	while (chunk.len > 0) {
		size_t run = run_before(chunk, '\n');
		if (run > 0)
			count->is_behind_cr = chunk.data[run - 1] == '\r';
		take(&chunk, run);
		if (chunk.len == 0)
			break;
		if (!count->is_behind_cr)
			count->size_bytes++;
		count->is_behind_cr = false;
		take(&chunk, 1);
	}
}

int crlf_decode(struct crlf_decoder *decoder, struct slice chunk, struct buf *out)
{
	if (chunk.len == SIZE_MAX || buf_reserve(out, chunk.len + 1) == NULL)
		return SYNCD_ELIMIT;
	while (chunk.len > 0) {
		if (decoder->is_behind_cr && chunk.data[0] != '\n')
			(void)buf_add_char(out, '\r');
		size_t run = run_before(chunk, '\r');
		(void)buf_add(out, chunk.data, run);
		take(&chunk, run);
		decoder->is_behind_cr = chunk.len > 0;
		if (chunk.len > 0)
			take(&chunk, 1);
	}
	return 0;
}

int crlf_decode_end(struct crlf_decoder *decoder, struct buf *out)
{
	if (!decoder->is_behind_cr)
		return 0;
	decoder->is_behind_cr = false;
	return buf_add_char(out, '\r');
}
