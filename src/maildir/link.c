/* Delivery of what another mailbox has: no copy, a second name of its file.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
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
