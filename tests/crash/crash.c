/* Preloaded into the real syncd: kills it at the n-th call that changes something outside
 * of it (CRASH_AT=n), before or, with CRASH_AFTER=1, after the call was carried out, and names that
 * call in CRASH_TOLD. Without CRASH_AT it only counts; at a normal end it puts the counts of each
 * kind of call in CRASH_COUNT. What libc calls within itself (stdio) is not seen.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
	RENAME,
	LINK,
	UNLINK,
	DIRECTORY, /* made or removed */
	FLUSH,     /* fsync and its like */
	MSYNC,
	WRITE,
	TRUNCATE,
	SEND, /* whatever goes to a socket */
	KINDS,
	NONE, /* changes nothing outside: the loop's wake-ups, a terminal */
};

static const char *const kind_names[KINDS] = {
	[RENAME] = "rename", [LINK] = "link",         [UNLINK] = "unlink",
	[DIRECTORY] = "dir", [FLUSH] = "flush",       [MSYNC] = "msync",
	[WRITE] = "write",   [TRUNCATE] = "truncate", [SEND] = "send",
};

/* What a call is about, for the one who reads why a point failed. */
struct call {
	enum kind kind;
	const char *name;
	const char *path; /* NULL: fd tells */
	int fd;
	long number; /* 0: not counted */
};

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
static void before_call(struct call *call)
{
	if (call->kind == NONE)
		return;
	atomic_fetch_add(&counts[call->kind], 1);
	call->number = atomic_fetch_add(&calls, 1) + 1;
	if (call->number == crash_at && !is_after)
		die(call);
}

static void after_call(const struct call *call)
{
	if (call->number != 0 && call->number == crash_at && is_after)
		die(call);
}

static enum kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return NONE;
	if (S_ISSOCK(st.st_mode))
		return SEND;
	return S_ISREG(st.st_mode) ? WRITE : NONE;
}

/* A call is wrapped as a function of the same name, which finds the real one behind it. */
#define WRAP(kind, fd, path, type, name, parameters, arguments)                                    \
	type name parameters;                                                                      \
	type name parameters                                                                       \
	{                                                                                          \
		static type(*real) parameters;                                                     \
		if (!real)                                                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                 \
		struct call call = { kind, #name, path, fd, 0 };                                   \
		before_call(&call);                                                                \
		type result = real arguments;                                                      \
		after_call(&call);                                                                 \
		return result;                                                                     \
	}
#define WRAP_PATH(kind, path, name, parameters, arguments)                                         \
	WRAP(kind, -1, path, int, name, parameters, arguments)
#define WRAP_FD(kind, type, name, parameters, arguments)                                           \
	WRAP(kind, fd, NULL, type, name, parameters, arguments)

WRAP_PATH(RENAME, to, rename, (const char *from, const char *to), (from, to))
WRAP_PATH(RENAME, to, renameat, (int from_fd, const char *from, int to_fd, const char *to),
	  (from_fd, from, to_fd, to))
WRAP_PATH(RENAME, to, renameat2,
	  (int from_fd, const char *from, int to_fd, const char *to, unsigned int flags),
	  (from_fd, from, to_fd, to, flags))
WRAP_PATH(LINK, to, link, (const char *from, const char *to), (from, to))
WRAP_PATH(LINK, to, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
	  (from_fd, from, to_fd, to, flags))
WRAP_PATH(UNLINK, path, unlink, (const char *path), (path))
WRAP_PATH((flags & AT_REMOVEDIR) != 0 ? DIRECTORY : UNLINK, path, unlinkat,
	  (int fd, const char *path, int flags), (fd, path, flags))
WRAP_PATH(DIRECTORY, path, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP_PATH(DIRECTORY, path, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP_PATH(DIRECTORY, path, rmdir, (const char *path), (path))
WRAP_PATH(MSYNC, "", msync, (void *from, size_t len, int flags), (from, len, flags))
WRAP_FD(FLUSH, int, fsync, (int fd), (fd))
WRAP_FD(FLUSH, int, fdatasync, (int fd), (fd))
WRAP_FD(FLUSH, int, syncfs, (int fd), (fd))
WRAP_FD(TRUNCATE, int, ftruncate, (int fd, off_t len), (fd, len))
WRAP_FD(TRUNCATE, int, ftruncate64, (int fd, off_t len), (fd, len))
WRAP_FD(kind_of(fd), ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len))
WRAP_FD(kind_of(fd), ssize_t, writev, (int fd, const struct iovec *parts, int count),
	(fd, parts, count))
WRAP_FD(kind_of(fd), ssize_t, pwrite, (int fd, const void *data, size_t len, off_t at),
	(fd, data, len, at))
WRAP_FD(kind_of(fd), ssize_t, pwrite64, (int fd, const void *data, size_t len, off_t at),
	(fd, data, len, at))
WRAP_FD(kind_of(fd), ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at),
	(fd, parts, count, at))
WRAP_FD(SEND, ssize_t, send, (int fd, const void *data, size_t len, int flags),
	(fd, data, len, flags))
WRAP_FD(SEND, ssize_t, sendto,
	(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
	 socklen_t to_len),
	(fd, data, len, flags, to, to_len))
WRAP_FD(SEND, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
	(fd, message, flags))

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
