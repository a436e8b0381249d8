/* Durability: what was delivered and examined since the last flush, and the directories.
 * SPDX-License-Identifier: MIT */
#ifdef __linux__
#define _GNU_SOURCE /* syncfs */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"

/* From here on one syncfs is faster than an fsync a file (docs/decisions.md). */
#define FLUSH_ALL_MIN (PENDING_FDS_MAX + 1)

struct maildir_flush {
	struct maildir *maildir;
	struct maildir_pending pending;
	bool has_failed_before;
	bool was_run;
	int code;
};

static size_t pending_fds(const struct maildir_pending *pending)
{
	return pending->examined_count < PENDING_FDS_MAX ? pending->examined_count
							 : PENDING_FDS_MAX;
}

void pending_free(struct maildir_pending *pending)
{
	for (size_t i = 0; i < pending->count; i++)
		free(pending->names[i]);
	free(pending->names);
	for (size_t i = 0; i < pending_fds(pending); i++)
		(void)close(pending->examined_fds[i]);
	*pending = (struct maildir_pending){ .names = NULL };
}

void maildir_flush_file(struct maildir *maildir, int fd)
{
	struct maildir_pending *pending = &maildir->pending;

	if (pending->examined_count < PENDING_FDS_MAX)
		pending->examined_fds[pending->examined_count] = fd;
	else
		(void)close(fd);
	/* Where nothing takes all at once, maildir_examine has flushed it already. */
	pending->examined_count +=
		pending->examined_count < PENDING_FDS_MAX || flush_can_take_all();
}

void pending_moved(struct maildir *maildir, const char *base, int to_fd, const char *to)
{
	struct maildir_pending *pending = &maildir->pending;
	size_t i = 0;

	while (i < pending->count && strcmp(pending->names[i], base) != 0)
		i++;
	if (i == pending->count)
		return;
	int fd = openat(to_fd, to, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return; /* the flush will not find it, and fail */
	if (!flush_can_take_all() && fsync(fd) != 0)
		maildir->flush_has_failed = true;
	free(pending->names[i]);
	pending->names[i] = pending->names[--pending->count];
	maildir_flush_file(maildir, fd);
}

struct maildir_flush *maildir_flush_begin(struct maildir *maildir)
{
	struct maildir_flush *flush = xmalloc(sizeof(*flush));

	*flush = (struct maildir_flush){
		.maildir = maildir,
		.pending = maildir->pending,
		.has_failed_before = maildir->flush_has_failed,
	};
	maildir->pending = (struct maildir_pending){ .names = NULL };
	return flush;
}

#ifdef __linux__
/* Before Linux 5.8 syncfs says nothing of writes that failed. */
bool flush_can_take_all(void)
{
	struct utsname system;
	char *end;

	if (uname(&system) != 0)
		return false;
	long major = strtol(system.release, &end, 10);
	long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	return major > 5 || (major == 5 && minor >= 8);
}

static int sync_all(int fd)
{
	return syncfs(fd);
}
#else
bool flush_can_take_all(void)
{
	return false;
}

static int sync_all(int fd)
{
	(void)fd;
	errno = ENOSYS;
	return -1;
}
#endif

static int flush_file(struct maildir *maildir, const char *name, struct error *err)
{
	int fd = openat(maildir->tmp_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool is_done = fd >= 0 && fsync(fd) == 0;
	int code = is_done ? 0 : dirs_error(maildir, errno, "cannot flush tmp file", name, err);

	if (fd >= 0)
		(void)close(fd);
	if (code == SYNCD_ENOTFOUND)
		code = error_set(err, SYNCD_EIO, "tmp file %s vanished before it was flushed",
				 name);
	return code;
}

static int flush_each(struct maildir_flush *flush, struct error *err)
{
	struct maildir *maildir = flush->maildir;
	const struct maildir_pending *pending = &flush->pending;
	int code = 0;

	for (size_t i = 0; i < pending->count && code == 0; i++)
		code = flush_file(maildir, pending->names[i], err);
	for (size_t i = 0; i < pending_fds(pending) && code == 0; i++) {
		if (fsync(pending->examined_fds[i]) != 0)
			code = dirs_error(maildir, errno, "cannot flush", "a message", err);
	}
	/* A rename may be two steps on disk: the new entry must not be lost after the old one. */
	if (code == 0)
		code = dirs_sync(maildir->new_fd, "new", err);
	if (code == 0)
		code = dirs_sync(maildir->cur_fd, "cur", err);
	if (code == 0)
		code = dirs_sync(maildir->tmp_fd, "tmp", err);
	if (code != 0)
		error_context(err, "mailbox %.200s", maildir->name);
	return code;
}

/* The kernel tells of a failed write once; a second try would seem to succeed. */
int maildir_flush_run(struct maildir_flush *flush, struct error *err)
{
	bool is_batch = flush->pending.count + flush->pending.examined_count >= FLUSH_ALL_MIN;

	flush->was_run = true;
	if (flush->has_failed_before)
		flush->code = error_set(err, SYNCD_EIO, "mailbox %.200s: an earlier flush failed",
					flush->maildir->name);
	else if (!is_batch || !flush_can_take_all())
		flush->code = flush_each(flush, err);
	else if (sync_all(flush->maildir->tmp_fd) != 0)
		flush->code = dirs_error(flush->maildir, errno, "cannot flush", "messages", err);
	/* What went into directories that are no longer the mailbox is not in the mailbox. */
	if (flush->code == 0)
		flush->code = dirs_verify(flush->maildir, err);
	return flush->code;
}

/* Behind what was delivered meanwhile: the order does not matter. */
static void pending_give_back(struct maildir *maildir, struct maildir_pending *from)
{
	struct maildir_pending *to = &maildir->pending;

	for (size_t i = 0; i < from->count; i++) {
		to->names = xgrow(to->names, to->count, &to->cap, sizeof(*to->names));
		to->names[to->count++] = from->names[i];
	}
	for (size_t i = 0; i < pending_fds(from); i++)
		maildir_flush_file(maildir, from->examined_fds[i]);
	to->examined_count += from->examined_count - pending_fds(from);
	from->count = 0;
	from->examined_count = 0;
}

void maildir_flush_end(struct maildir_flush **flush)
{
	struct maildir *maildir = (*flush)->maildir;

	if (!(*flush)->was_run)
		pending_give_back(maildir, &(*flush)->pending);
	if ((*flush)->code != 0)
		maildir->flush_has_failed = true;
	pending_free(&(*flush)->pending);
	free(*flush);
	*flush = NULL;
}
