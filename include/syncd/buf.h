/* Slices and bounded byte buffers.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_BUF_H
#define SYNCD_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* Borrowed bytes; not NUL-terminated. */
struct slice {
	const char *data;
	size_t len;
};

#define SLICE_LITERAL(s) ((struct slice){ (s), sizeof(s) - 1 })

struct slice slice_of(const char *text);
bool slice_equals(struct slice a, struct slice b);
bool slice_equals_str(struct slice a, const char *text);

/* ASCII case-insensitive, as IMAP keywords compare. */
bool slice_case_equals_str(struct slice a, const char *text);
bool slice_case_contains(struct slice a, const char *text);

/* A growing buffer that never passes `max` bytes. Always NUL-terminated behind
 * `len` once anything was added. Zero-initialised is not valid: use buf_init. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
};

void buf_init(struct buf *buf, size_t max);

/* Frees the memory; the buffer may be used again with the same maximum. */
void buf_free(struct buf *buf);

/* Length to 0, memory kept. */
void buf_reset(struct buf *buf);

/* Add bytes. Return 0, or SYNCD_ELIMIT (nothing added) when the maximum would
 * be passed. */
int buf_add(struct buf *buf, const void *data, size_t len);
int buf_add_str(struct buf *buf, const char *text);
int buf_add_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes the first `len` bytes away. */
void buf_consume(struct buf *buf, size_t len);

/* Makes room for `len` more bytes and returns where they go, or NULL when the
 * maximum would be passed; the caller then adds to buf->len what it wrote. */
char *buf_reserve(struct buf *buf, size_t len);

struct slice buf_slice(const struct buf *buf);

/* The contents as a string ("" when empty); valid until the next change. */
const char *buf_str(const struct buf *buf);

#endif
