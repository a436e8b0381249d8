/* Bounded byte buffers and slices.
 * SPDX-License-Identifier: MIT */
#include "syncd/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "syncd/alloc.h"
#include "syncd/error.h"
#include "syncd/must.h"

struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

bool slice_equals(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equals_str(struct slice a, const char *text)
{
	return slice_equals(a, slice_of(text));
}

bool slice_case_equals_str(struct slice a, const char *text)
{
	return a.len == strlen(text) && (a.len == 0 || strncasecmp(a.data, text, a.len) == 0);
}

bool slice_case_contains(struct slice a, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at + len <= a.len; at++) {
		if (slice_case_equals_str((struct slice){ a.data + at, len }, text))
			return true;
	}
	return false;
}

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){ .max = max };
}

void buf_free(struct buf *buf)
{
	size_t max = buf->max;

	free(buf->data);
	buf_init(buf, max);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t len)
{
	must(buf->max > 0);
	if (len > buf->max - buf->len)
		return NULL;
	size_t need = buf->len + len + 1;
	if (need > buf->cap) {
		size_t cap = buf->cap > 0 ? buf->cap : 64;
		while (cap < need)
			cap *= 2;
		if (cap > buf->max + 1)
			cap = buf->max + 1;
		buf->data = xreallocarray(buf->data, cap, 1);
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

int buf_add(struct buf *buf, const void *data, size_t len)
{
	char *at = buf_reserve(buf, len);

	if (at == NULL)
		return SYNCD_ELIMIT;
	if (len > 0)
		memcpy(at, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

int buf_add_char(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_list again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	must(len >= 0);
	char *at = buf_reserve(buf, (size_t)len);
	if (at != NULL) {
		(void)vsnprintf(at, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
	return at != NULL ? 0 : SYNCD_ELIMIT;
}

void buf_consume(struct buf *buf, size_t len)
{
	must(len <= buf->len);
	if (len == 0)
		return;
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len);
	buf->data[buf->len] = '\0';
}

struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){ buf->data, buf->len };
}

const char *buf_str(const struct buf *buf)
{
	return buf->data != NULL ? buf->data : "";
}
