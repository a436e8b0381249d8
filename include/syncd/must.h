/* Invariants that stay on in every build, and container_of.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_MUST_H
#define SYNCD_MUST_H

#include <stddef.h>

/* Prints the failed condition and its place on stderr, then aborts. Never
 * returns. */
_Noreturn void must_fail(const char *condition, const char *file, int line);

/* A programmer's invariant. Compiled into every build; never used on bytes
 * that came from outside. */
#define must(condition) ((condition) ? (void)0 : must_fail(#condition, __FILE__, __LINE__))

/* The struct of type `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
