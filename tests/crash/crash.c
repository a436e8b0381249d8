/* Preloaded into the real syncd: kills it at the n-th call that changes something outside
 * of it (CRASH_AT=n), before or, with CRASH_AFTER=1, after the call was carried out.
 * Without CRASH_AT it only counts; at a normal end it puts the count in CRASH_COUNT.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long crash_at;
static int is_after;

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Gives this call its number, for after_call: other threads call in between. */
static long before_call(void)
{
	long number = atomic_fetch_add(&calls, 1) + 1;

	if (number == crash_at && !is_after)
		die();
	return number;
}

static void after_call(long number)
{
	if (number == crash_at && is_after)
		die();
}

/* A call is wrapped as a function of the same name, which finds the real one behind it. */
#define WRAP(type, name, parameters, arguments)                                                    \
	type name parameters;                                                                      \
	type name parameters                                                                       \
	{                                                                                          \
		static type(*real) parameters;                                                     \
		if (!real)                                                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                 \
		long number = before_call();                                                       \
		type result = real arguments;                                                      \
		after_call(number);                                                                \
		return result;                                                                     \
	}

WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to))
WRAP(int, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned int flags),
     (from_fd, from, to_fd, to, flags))
WRAP(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len))
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at),
     (fd, parts, count, at))
WRAP(ssize_t, send, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("CRASH_AT");

	crash_at = at ? strtol(at, NULL, 10) : 0;
	is_after = getenv("CRASH_AFTER") != NULL;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("CRASH_COUNT");
	long count = atomic_load(&calls);
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	fprintf(file, "%ld\n", count);
	fclose(file);
}
