/* Preloaded into the real syncd: kills it at the n-th call that changes something outside
 * of it (CRASH_AT=n), before or, with CRASH_AFTER=1, after the call was carried out, and names that
 * call in CRASH_TOLD. Without CRASH_AT it only counts; at a normal end it puts the counts of each
 * kind of call in CRASH_COUNT.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "calls.h"

static atomic_long calls;
static atomic_long counts[KINDS];
static long crash_at;
static bool is_after;

static void tell(const struct call *call)
{
	const char *told = getenv("CRASH_TOLD");
	int out = told ? open(told, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	char link[32];
	char path[PATH_MAX] = "";

	if (out < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", call->fd);
	if (!call->path && readlink(link, path, sizeof(path) - 1) < 0)
		path[0] = '\0';
	dprintf(out, "%s %s %s\n", kind_names[call->kind], call->name,
		call->path ? call->path : path);
}

static void die(const struct call *call)
{
	tell(call);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Gives the call its number, for after_call: other threads call in between. */
static bool before_call(struct call *call)
{
	if (call->kind == NONE)
		return true;
	atomic_fetch_add(&counts[call->kind], 1);
	call->number = atomic_fetch_add(&calls, 1) + 1;
	if (call->number == crash_at && !is_after)
		die(call);
	return true;
}

static void after_call(const struct call *call)
{
	if (call->number != 0 && call->number == crash_at && is_after)
		die(call);
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("CRASH_AT");

	crash_at = at ? strtol(at, NULL, 10) : 0;
	is_after = getenv("CRASH_AFTER") != NULL;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("CRASH_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	for (int kind = 0; kind < KINDS; kind++)
		fprintf(file, "%s %ld\n", kind_names[kind], atomic_load(&counts[kind]));
	fclose(file);
}
