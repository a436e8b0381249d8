/* For libraries that are preloaded into the real syncd: its calls that change something outside of
 * it, each wrapped as a function of the same name. The one file of a library includes this and says
 * what happens before and after such a call. What libc calls within itself (stdio) is not seen.
 * SPDX-License-Identifier: MIT */
#ifndef CRASH_CALLS_H
#define CRASH_CALLS_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
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
	/* They change nothing, and are wrapped by eio.c only. */
	OPEN,
	READ,
	LIST,
	EXAMINE,
	KINDS,
	NONE, /* changes nothing outside: the loop's wake-ups, a terminal */
};

static const char *const kind_names[KINDS] = {
	[RENAME] = "rename", [LINK] = "link",   [UNLINK] = "unlink", [DIRECTORY] = "dir",
	[FLUSH] = "flush",   [MSYNC] = "msync", [WRITE] = "write",   [TRUNCATE] = "truncate",
	[SEND] = "send",     [OPEN] = "open",   [READ] = "read",     [LIST] = "list",
	[EXAMINE] = "stat",
};

/* What a call is about. */
struct call {
	enum kind kind;
	const char *name;
	const char *path; /* NULL: of fd itself */
	int fd;           /* what the path starts from */
	long number;      /* 0: not counted */
};

/* False: the call fails instead, with errno as it was left. */
static bool before_call(struct call *call);
static void after_call(const struct call *call);

static enum kind kind_of(int fd)
{
	static int (*real)(int, struct stat *);
	struct stat st;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fstat"); /* not one that is counted */
	if (real(fd, &st) != 0)
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
		if (!before_call(&call))                                                           \
			return -1;                                                                 \
		type result = real arguments;                                                      \
		after_call(&call);                                                                 \
		return result;                                                                     \
	}
#define WRAP_PATH(kind, fd, path, name, parameters, arguments)                                     \
	WRAP(kind, fd, path, int, name, parameters, arguments)
#define WRAP_FD(kind, type, name, parameters, arguments)                                           \
	WRAP(kind, fd, NULL, type, name, parameters, arguments)

WRAP_PATH(RENAME, AT_FDCWD, to, rename, (const char *from, const char *to), (from, to))
WRAP_PATH(RENAME, to_fd, to, renameat, (int from_fd, const char *from, int to_fd, const char *to),
	  (from_fd, from, to_fd, to))
WRAP_PATH(RENAME, to_fd, to, renameat2,
	  (int from_fd, const char *from, int to_fd, const char *to, unsigned int flags),
	  (from_fd, from, to_fd, to, flags))
WRAP_PATH(LINK, AT_FDCWD, to, link, (const char *from, const char *to), (from, to))
WRAP_PATH(LINK, to_fd, to, linkat,
	  (int from_fd, const char *from, int to_fd, const char *to, int flags),
	  (from_fd, from, to_fd, to, flags))
WRAP_PATH(UNLINK, AT_FDCWD, path, unlink, (const char *path), (path))
WRAP_PATH((flags & AT_REMOVEDIR) != 0 ? DIRECTORY : UNLINK, fd, path, unlinkat,
	  (int fd, const char *path, int flags), (fd, path, flags))
WRAP_PATH(DIRECTORY, AT_FDCWD, path, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP_PATH(DIRECTORY, fd, path, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP_PATH(DIRECTORY, AT_FDCWD, path, rmdir, (const char *path), (path))
WRAP_PATH(MSYNC, AT_FDCWD, "", msync, (void *from, size_t len, int flags), (from, len, flags))
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

#endif
