/* What is done with a file by its name alone: a second one for another mailbox, no copy; and a
 * glance at whether it is what it is called. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

struct linking {
	const struct maildir *to;
	const char *tmp_name; /* without the size */
	char *base;
};

/* Into tmp/ of the other mailbox; a symlink or directory is no message. */
static int link_place(struct maildir *from, struct maildir_place *place, void *context)
{
	struct linking *linking = context;
	int dir_fd = place->is_new ? from->new_fd : from->cur_fd;
	struct stat st;

	if (fstatat(dir_fd, place->file, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	int len = snprintf(linking->base, MAIL_NAME_MAX + 1, "%s,S=%" PRIu64, linking->tmp_name,
			   (uint64_t)st.st_size);
	must(len > 0 && len <= MAIL_NAME_MAX);
	return linkat(dir_fd, place->file, linking->to->tmp_fd, linking->base, 0) == 0 ? 0 : errno;
}

int maildir_link(struct maildir *maildir, struct maildir_namer *namer, int64_t now_s,
		 struct maildir *from, const char *original, uint64_t letters, char *base,
		 struct error *err)
{
	char tmp_name[MAIL_NAME_MAX + 1];
	struct maildir_target target = { .base = original, .letters = letters };
	struct linking linking = { .to = maildir, .tmp_name = tmp_name, .base = base };
	int errno_value = 0;

	maildir_namer_next(namer, now_s, tmp_name);
	int code = locate_likely(from, &target, link_place, &linking, &errno_value, err);
	if (errno_value != 0)
		return dirs_error(from, errno_value, "cannot link", original, err);
	if (code != 0)
		return code;
	pending_add(&maildir->pending, &(struct maildir_delivered){ .base = xstrdup(base) });
	return 0;
}

/* The number behind the last ",S="; false when there is none. */
static bool size_of_name(const char *base, uint64_t *size_bytes)
{
	const char *at = NULL;
	char *end;

	for (const char *next = strstr(base, ",S="); next != NULL; next = strstr(at, ",S="))
		at = next + 3;
	if (at == NULL || *at < '0' || *at > '9')
		return false;
	errno = 0;
	*size_bytes = strtoull(at, &end, 10);
	return errno == 0 && (*end == '\0' || *end == ',');
}

static int look_at_size(struct maildir *maildir, struct maildir_place *place, void *context)
{
	const uint64_t *size_bytes = context;
	struct stat st;

	if (fstatat(place->is_new ? maildir->new_fd : maildir->cur_fd, place->file, &st,
		    AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size == *size_bytes ? 0 : EINVAL;
}

bool maildir_is_whole(struct maildir *maildir, const char *base, uint64_t letters)
{
	struct maildir_target target = { .base = base, .letters = letters };
	struct error ignored;
	uint64_t size_bytes;
	int errno_value;

	return size_of_name(base, &size_bytes) &&
	       locate_likely(maildir, &target, look_at_size, &size_bytes, &errno_value, &ignored) ==
		       0;
}
