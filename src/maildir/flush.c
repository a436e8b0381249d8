/* Durability: what was delivered and which directories changed since the last flush.
 * SPDX-License-Identifier: MIT */
#ifdef __linux__
#define _GNU_SOURCE /* syncfs */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"

/* From here on one syncfs is faster than an fsync a file (docs/decisions.md). */
#define FLUSH_WHOLE_MIN 8

struct maildir_flush {
	struct maildir *maildir;
	struct maildir_pending pending;
	bool has_failed_before;
	bool was_run;
	int code;
};

void pending_free(struct maildir_pending *pending)
{
	for (size_t i = 0; i < pending->count; i++)
		free(pending->names[i]);
	free(pending->names);
	*pending = (struct maildir_pending){ .names = NULL };
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
static bool syncfs_reports_errors(void)
{
	struct utsname system;
	int major = 0;
	int minor = 0;

	if (uname(&system) != 0 || sscanf(system.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 5 || (major == 5 && minor >= 8);
}

static bool flush_whole(const struct maildir_flush *flush, int *result)
{
	if (flush->pending.count < FLUSH_WHOLE_MIN || !syncfs_reports_errors())
		return false;
	*result = syncfs(flush->maildir->tmp_fd);
	return true;
}
#else
static bool flush_whole(const struct maildir_flush *flush, int *result)
{
	(void)flush;
	(void)result;
	return false;
}
#endif

static int flush_file(struct maildir *maildir, const char *name, struct error *err)
{
	int code = 0;
	int fd = openat(maildir->tmp_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return dirs_error(maildir, errno, "cannot flush tmp file", name, err);
	if (fsync(fd) != 0)
		code = dirs_error(maildir, errno, "cannot flush tmp file", name, err);
	(void)close(fd);
	return code;
}

static int flush_each(struct maildir_flush *flush, struct error *err)
{
	struct maildir *maildir = flush->maildir;
	const struct maildir_pending *pending = &flush->pending;
	int code = 0;

	for (size_t i = 0; i < pending->count && code == 0; i++)
		code = flush_file(maildir, pending->names[i], err);
	if (code == 0 && pending->tmp_is_dirty)
		code = dirs_sync(maildir->tmp_fd, "tmp", err);
	if (code == 0 && pending->new_is_dirty)
		code = dirs_sync(maildir->new_fd, "new", err);
	if (code == 0 && pending->cur_is_dirty)
		code = dirs_sync(maildir->cur_fd, "cur", err);
	if (code != 0)
		error_context(err, "mailbox %.200s", maildir->name);
	return code;
}

/* The kernel tells of a failed write once; a second try would seem to succeed. */
int maildir_flush_run(struct maildir_flush *flush, struct error *err)
{
	int result;

	flush->was_run = true;
	if (flush->has_failed_before)
		flush->code = error_set(err, SYNCD_EIO, "mailbox %.200s: an earlier flush failed",
					flush->maildir->name);
	else if (!flush_whole(flush, &result))
		flush->code = flush_each(flush, err);
	else if (result != 0)
		flush->code =
			dirs_error(flush->maildir, errno, "cannot flush", "new messages", err);
	return flush->code;
}

/* Behind what was delivered meanwhile: the order does not matter. */
static void pending_give_back(struct maildir_pending *to, struct maildir_pending *from)
{
	for (size_t i = 0; i < from->count; i++) {
		to->names = xgrow(to->names, to->count, &to->cap, sizeof(*to->names));
		to->names[to->count++] = from->names[i];
	}
	to->tmp_is_dirty |= from->tmp_is_dirty;
	to->new_is_dirty |= from->new_is_dirty;
	to->cur_is_dirty |= from->cur_is_dirty;
	from->count = 0;
}

void maildir_flush_end(struct maildir_flush **flush)
{
	struct maildir *maildir = (*flush)->maildir;

	if (!(*flush)->was_run)
		pending_give_back(&maildir->pending, &(*flush)->pending);
	if ((*flush)->code != 0)
		maildir->flush_has_failed = true;
	pending_free(&(*flush)->pending);
	free(*flush);
	*flush = NULL;
}
