/* Allocation that aborts instead of failing.
 * SPDX-License-Identifier: MIT */
#include "syncd/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "syncd/must.h"

void *xmalloc(size_t size)
{
	void *ptr = malloc(size > 0 ? size : 1);

	must(ptr != NULL);
	return ptr;
}

void *xcalloc(size_t count, size_t size)
{
	void *ptr = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	must(ptr != NULL);
	return ptr;
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
	must(size == 0 || count <= SIZE_MAX / size);
	size_t total = count * size;
	void *moved = realloc(ptr, total > 0 ? total : 1);

	must(moved != NULL);
	return moved;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
	char *copy = xmalloc(len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	va_list again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	must(len >= 0);
	char *text = xmalloc((size_t)len + 1);
	(void)vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

void *xgrow(void *items, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return items;
	*cap = *cap > 0 ? *cap * 2 : 8;
	return xreallocarray(items, *cap, size);
}

#define LARGE_BLOCK_BYTES (128 * 1024)

void alloc_keep_small(void)
{
#ifdef __GLIBC__
	/* Each is a hint. Set, the threshold no longer grows with the largest block seen. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
#endif
}

void alloc_trim(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0); /* whether there was any */
#endif
}
