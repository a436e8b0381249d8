/* Preloaded into the real syncd: a disk that breaks. A call below one of the directories EIO_BELOW
 * (a line each) fails with EIO: the EIO_AT-th of the kind EIO_KIND, and, with EIO_STAYS=1,
 * all of that kind after it. A kind is also the name of a call, "all", or "dsync": writes that are
 * durable by themselves, which is how LMDB writes the pages that say what is valid. With EIO_WHEN
 * calls count and fail only while that file exists. What failed is added to EIO_TOLD, a line each;
 * at a normal end EIO_COUNT has how many there were of each kind.
 *
 * With EIO_DROP=1 a flush that fails has lost what it was to make durable, as on file systems that
 * take pages they could not write for clean: zeros are left in tmp files.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

static atomic_long calls;
static atomic_long counts[KINDS];
static long fail_at;
static bool is_staying;
static bool is_dropping;
static const char *fail_kind;
static const char *below;
static const char *when;
static const char *told;

/* The place a call is about; false where it has none. */
static bool find_path(const struct call *call, char *path)
{
	char link[32];
	char start[PATH_MAX] = "";

	if (call->path && call->path[0] == '/')
		return snprintf(path, PATH_MAX, "%s", call->path) < PATH_MAX;
	if (call->fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", call->fd);
	if (readlink(link, start, sizeof(start) - 1) < 0)
		return false;
	return snprintf(path, PATH_MAX, "%s%s%s", start, call->path ? "/" : "",
			call->path ? call->path : "") < PATH_MAX;
}

static bool is_below(const char *path)
{
	for (const char *top = below; top && *top;) {
		size_t len = strcspn(top, "\n");
		if (strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return true;
		top += len + (top[len] == '\n');
	}
	return false;
}

static void tell(const struct call *call, const char *path)
{
	int out = told ? open(told, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (out < 0)
		return;
	dprintf(out, "%s %s %s\n", kind_names[call->kind], call->name, path);
	close(out);
}

static void drop_file(int dir_fd, const char *name)
{
	static const char zeros[4096];
	struct stat st;
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(zeros)) {
			size_t left = (size_t)(st.st_size - at);
			if (pwrite(fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros), at) < 0)
				break;
		}
		futimens(fd, (struct timespec[2]){ st.st_atim, st.st_mtim });
	}
	if (fd >= 0)
		close(fd);
}

/* Of the file, or of all in the directory, that could not be flushed. */
static void drop_unflushed(const char *path)
{
	struct dirent *entry;
	DIR *dir;

	const char *name = strrchr(path, '/');

	if (name - path > 4 && memcmp(name - 4, "/tmp", 4) == 0)
		drop_file(AT_FDCWD, path);
	dir = strcmp(name, "/tmp") == 0 ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir)))
		drop_file(dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

/* What this library does itself is no call of the program's. */
static _Thread_local bool is_inside;

static bool is_meant(const struct call *call)
{
	if (!fail_kind)
		return false;
	if (strcmp(fail_kind, "dsync") == 0)
		return call->kind == WRITE && (fcntl(call->fd, F_GETFL) & O_DSYNC) != 0;
	return strcmp(fail_kind, "all") == 0 || strcmp(fail_kind, kind_names[call->kind]) == 0 ||
	       strcmp(fail_kind, call->name) == 0;
}

static bool is_to_fail(struct call *call, const char *path)
{
	if (!is_below(path) || (when && access(when, F_OK) != 0))
		return false;
	atomic_fetch_add(&counts[call->kind], 1);
	if (!is_meant(call))
		return false;
	call->number = atomic_fetch_add(&calls, 1) + 1;
	return call->number == fail_at || (is_staying && call->number > fail_at);
}

static bool before_call(struct call *call)
{
	char path[PATH_MAX];
	int saved = errno;
	bool is_failing = false;

	if (call->kind == NONE || call->kind == SEND || is_inside)
		return true;
	is_inside = true;
	if (find_path(call, path) && is_to_fail(call, path)) {
		is_failing = true;
		tell(call, path);
		if (call->kind == FLUSH && is_dropping)
			drop_unflushed(path);
	}
	is_inside = false;
	errno = is_failing ? EIO : saved;
	return !is_failing;
}

static void after_call(const struct call *call)
{
	(void)call;
}

/* The real function behind one of these that cannot be wrapped as the others are. */
#define REAL(real, name)                                                                           \
	if (!real)                                                                                 \
		*(void **)&real = dlsym(RTLD_NEXT, name);

#define WRAP_OPEN(name)                                                                            \
	int name(const char *path, int flags, ...);                                                \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		static int (*real)(const char *, int, ...);                                        \
		struct call call = { OPEN, #name, path, AT_FDCWD, 0 };                             \
		va_list rest;                                                                      \
		REAL(real, #name)                                                                  \
		va_start(rest, flags);                                                             \
		mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;                   \
		va_end(rest);                                                                      \
		return before_call(&call) ? real(path, flags, mode) : -1;                          \
	}
#define WRAP_OPENAT(name)                                                                          \
	int name(int fd, const char *path, int flags, ...);                                        \
	int name(int fd, const char *path, int flags, ...)                                         \
	{                                                                                          \
		static int (*real)(int, const char *, int, ...);                                   \
		struct call call = { OPEN, #name, path, fd, 0 };                                   \
		va_list rest;                                                                      \
		REAL(real, #name)                                                                  \
		va_start(rest, flags);                                                             \
		mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;                   \
		va_end(rest);                                                                      \
		return before_call(&call) ? real(fd, path, flags, mode) : -1;                      \
	}
#define WRAP_READDIR(name, type)                                                                   \
	struct type *name(DIR *dir);                                                               \
	struct type *name(DIR *dir)                                                                \
	{                                                                                          \
		static struct type *(*real)(DIR *);                                                \
		struct call call = { LIST, #name, NULL, dirfd(dir), 0 };                           \
		REAL(real, #name)                                                                  \
		return before_call(&call) ? real(dir) : NULL;                                      \
	}

WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)
WRAP_READDIR(readdir, dirent)
WRAP_READDIR(readdir64, dirent64)
WRAP(READ, fd, NULL, ssize_t, read, (int fd, void *data, size_t len), (fd, data, len))
WRAP(READ, fd, NULL, ssize_t, pread, (int fd, void *data, size_t len, off_t at),
     (fd, data, len, at))
WRAP(READ, fd, NULL, ssize_t, pread64, (int fd, void *data, size_t len, off_t at),
     (fd, data, len, at))
WRAP_PATH(EXAMINE, AT_FDCWD, path, stat, (const char *path, struct stat *st), (path, st))
WRAP_PATH(EXAMINE, AT_FDCWD, path, lstat, (const char *path, struct stat *st), (path, st))
WRAP_PATH(EXAMINE, fd, path, fstatat, (int fd, const char *path, struct stat *st, int flags),
	  (fd, path, st, flags))
WRAP_FD(EXAMINE, int, fstat, (int fd, struct stat *st), (fd, st))

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("EIO_AT");

	fail_at = at ? strtol(at, NULL, 10) : 0;
	fail_kind = fail_at > 0 ? getenv("EIO_KIND") : NULL;
	is_staying = getenv("EIO_STAYS") != NULL;
	is_dropping = getenv("EIO_DROP") != NULL;
	below = getenv("EIO_BELOW");
	when = getenv("EIO_WHEN");
	told = getenv("EIO_TOLD");
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("EIO_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	for (int kind = 0; kind < KINDS; kind++)
		fprintf(file, "%s %ld\n", kind_names[kind], atomic_load(&counts[kind]));
	fclose(file);
}
