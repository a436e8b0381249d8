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
	bool has_failed; /* to make durable what was written: nobody knows what is lost */
	int code;
};

static size_t pending_fds(const struct maildir_pending *pending)
{
	return pending->examined_count < PENDING_FDS_MAX ? pending->examined_count
							 : PENDING_FDS_MAX;
}

static void delivered_free(struct maildir_delivered *file)
{
	free(file->base);
	free(file->bytes);
}

void pending_free(struct maildir_pending *pending)
{
	for (size_t i = 0; i < pending->count; i++)
		delivered_free(&pending->files[i]);
	free(pending->files);
	for (size_t i = 0; i < pending_fds(pending); i++)
		(void)close(pending->examined_fds[i]);
	*pending = (struct maildir_pending){ .files = NULL };
}

void pending_add(struct maildir_pending *pending, const struct maildir_delivered *file)
{
	pending->files =
		xgrow(pending->files, pending->count, &pending->cap, sizeof(*pending->files));
	pending->files[pending->count++] = *file;
}

static struct maildir_delivered *pending_find(struct maildir_pending *pending, const char *base)
{
	for (size_t i = 0; i < pending->count; i++) {
		if (strcmp(pending->files[i].base, base) == 0)
			return &pending->files[i];
	}
	return NULL;
}

static int write_held(const struct maildir *maildir, struct maildir_delivered *file,
		      struct error *err)
{
	int code = file->bytes != NULL ? deliver_write_file(maildir, file, err) : 0;

	free(file->bytes);
	file->bytes = NULL;
	return code;
}

int pending_write_one(struct maildir *maildir, const char *base, struct error *err)
{
	struct maildir_delivered *file = pending_find(&maildir->pending, base);

	return file != NULL ? write_held(maildir, file, err) : 0;
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
	struct maildir_delivered *file = pending_find(pending, base);

	if (file == NULL)
		return;
	int fd = openat(to_fd, to, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return; /* the flush will not find it, and fail */
	if (!flush_can_take_all() && fsync(fd) != 0)
		maildir->flush_has_failed = true;
	delivered_free(file);
	*file = pending->files[--pending->count];
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
	maildir->pending = (struct maildir_pending){ .files = NULL };
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
		code = flush_file(maildir, pending->files[i].base, err);
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

static int write_all_held(struct maildir_flush *flush, struct error *err)
{
	int code = 0;

	for (size_t i = 0; i < flush->pending.count && code == 0; i++)
		code = write_held(flush->maildir, &flush->pending.files[i], err);
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
	else
		flush->code = write_all_held(flush, err);
	if (flush->code != 0)
		return flush
			->code; /* what could not be written is not there: no doubt about that */
	if (!is_batch || !flush_can_take_all())
		flush->code = flush_each(flush, err);
	else if (sync_all(flush->maildir->tmp_fd) != 0)
		flush->code = dirs_error(flush->maildir, errno, "cannot flush", "messages", err);
	/* What went into directories that are no longer the mailbox is not in the mailbox. */
	flush->has_failed = flush->code != 0;
	if (flush->code == 0)
		flush->code = dirs_verify(flush->maildir, err);
	return flush->code;
}

/* Behind what was delivered meanwhile: the order does not matter. */
static void pending_give_back(struct maildir *maildir, struct maildir_pending *from)
{
	struct maildir_pending *to = &maildir->pending;

	for (size_t i = 0; i < from->count; i++)
		pending_add(to, &from->files[i]);
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
	maildir->flush_has_failed |= (*flush)->has_failed;
	pending_free(&(*flush)->pending);
	free(*flush);
	*flush = NULL;
}
