/* The lock of an account, by flock: unlike fcntl's locks it belongs to the open file, so that
 * closing another descriptor of it in this process does not give it back.
 * SPDX-License-Identifier: MIT */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "syncd/must.h"

#define LOCK_POLL_MS 50
#define LOCK_TEXT_MAX 120

static int lock_busy(int fd, const char *path, struct error *err)
{
	char text[LOCK_TEXT_MAX + 1];
	ssize_t len = pread(fd, text, LOCK_TEXT_MAX, 0);

	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	error_set(err, SYNCD_EBUSY, "the account is in use by %s",
		  text[0] != '\0' ? text : "another process");
	error_context(err, "%s", path);
	return SYNCD_EBUSY;
}

static int lock_wait(int fd, const char *path, uint64_t wait_ms, struct error *err)
{
	const struct timespec poll = { .tv_nsec = LOCK_POLL_MS * 1000000 };
	uint64_t waited_ms = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set_errno(err, errno, "cannot lock", path);
		if (waited_ms >= wait_ms)
			return lock_busy(fd, path, err);
		(void)nanosleep(&poll, NULL);
		waited_ms += LOCK_POLL_MS;
	}
	return 0;
}

/* The second line, when it is whole. */
static void lock_read_note(int fd, char *note)
{
	char text[LOCK_TEXT_MAX + LOCK_NOTE_MAX + 1];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	note[0] = '\0';
	text[len > 0 ? len : 0] = '\0';
	const char *line = strchr(text, '\n');
	const char *end = line != NULL ? strchr(line + 1, '\n') : NULL;
	if (end != NULL && end - line - 1 <= LOCK_NOTE_MAX)
		(void)snprintf(note, LOCK_NOTE_MAX + 1, "%.*s", (int)(end - line - 1), line + 1);
}

bool lock_leave(int fd, const char *note)
{
	char line[LOCK_NOTE_MAX + 2];
	int len = snprintf(line, sizeof(line), "%s\n", note);
	off_t end = lseek(fd, 0, SEEK_END);

	must(len > 0 && (size_t)len < sizeof(line));
	return end > 0 && pwrite(fd, line, (size_t)len, end) == len;
}

/* Only for people: the lock itself is the kernel's. */
static int lock_sign(int fd, const char *path, const char *program, struct error *err)
{
	char text[LOCK_TEXT_MAX];
	int len = snprintf(text, sizeof(text), "pid %ld (%s)\n", (long)getpid(), program);

	must(len > 0 && (size_t)len < sizeof(text));
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return error_set_errno(err, errno, "cannot write", path);
	return 0;
}

int lock_take(const char *dir, const char *program, uint64_t wait_ms, bool may_create, int *fd,
	      char *note, struct error *err)
{
	char path[PATH_MAX];
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (may_create ? O_CREAT : 0);

	*fd = LOCK_NONE;
	note[0] = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path))
		return error_set(err, SYNCD_EIO, "the path %s is too long", dir);
	int opened = open(path, flags, 0600);
	if (opened < 0 && errno == ENOENT && !may_create)
		return 0;
	if (opened < 0)
		return error_set_errno(err, errno, "cannot open", path);
	int code = lock_wait(opened, path, wait_ms, err);
	if (code == 0) {
		lock_read_note(opened, note);
		code = lock_sign(opened, path, program, err);
	}
	*fd = opened;
	if (code != 0)
		lock_release(fd);
	return code;
}

void lock_release(int *fd)
{
	if (*fd != LOCK_NONE)
		(void)close(*fd);
	*fd = LOCK_NONE;
}
