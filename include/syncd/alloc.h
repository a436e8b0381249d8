/* Allocation that cannot fail: running out of memory ends the process. Sizes
 * that come from outside are checked against a named limit before.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ALLOC_H
#define SYNCD_ALLOC_H

#include <stddef.h>

/* Uninitialised / zeroed memory; the caller frees with free(). Abort when
 * there is none or the size overflows. A size of 0 gives a valid pointer. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);

/* Resizes `ptr` to `count` elements of `size` bytes. */
void *xreallocarray(void *ptr, size_t count, size_t size);

/* Copies of a string / of the first `len` bytes with a NUL added. */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);

/* A formatted string, allocated. */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element in a growing array: `*items` holds `count`
 * elements of `size` bytes in `*cap` places; the capacity doubles. Returns the
 * (possibly moved) array. */
void *xgrow(void *items, size_t count, size_t *cap, size_t size);

/* For a program that lives long and small: one heap for all threads, and large blocks that go
 * back to the system when they are freed. To be called first. */
void alloc_keep_small(void);

/* Gives freed memory back to the system, where that can be asked for: after work that needed much,
 * before a long wait. */
void alloc_trim(void);

#endif
