/* Removing a mailbox that has no messages, and making it one again when one comes meanwhile.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* DT_ values */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"

#define CLEAN_TRIES 10 /* a directory that changes while it is read need not be told whole */

struct removing {
	const char *name; /* canonical */
	int fd;           /* the mailbox's directory */
	struct error *err;
};

static int remove_error(const struct removing *removing, const char *what, const char *name)
{
	int code = error_set_errno(removing->err, errno, what, name);

	/* Nothing was asked to be found: it vanished under us. */
	if (code == SYNCD_ENOTFOUND)
		code = error_set(removing->err, SYNCD_EBUSY, "%s %.200s: it vanished", what, name);
	error_context(removing->err, "mailbox %.200s", removing->name);
	return code;
}

static int remove_busy(const struct removing *removing, const char *part, const char *file)
{
	return error_set(removing->err, SYNCD_EBUSY,
			 "mailbox %.150s is not removed, as it is not empty: %s/%.100s",
			 removing->name, part, file);
}

/* SYNCD_EBUSY when there is anything in it. Not there: 0. */
static int part_check(const struct removing *removing, const char *part)
{
	char file[MAILDIR_FILE_MAX + 1];
	int fd = dirs_open_at(removing->fd, part);

	if (fd < 0)
		return errno == ENOENT ? 0 : remove_error(removing, "cannot open", part);
	int found = dirs_first_entry(fd, file);
	dirs_close(fd);
	if (found < 0)
		return remove_error(removing, "cannot read", part);
	return found > 0 ? remove_busy(removing, part, file) : 0;
}

static int part_remove(const struct removing *removing, const char *part)
{
	if (unlinkat(removing->fd, part, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return remove_busy(removing, part, "...");
	return remove_error(removing, "cannot remove", part);
}

/* `cur` first, on the disk too: without it `new`, being empty, is taken for nothing. */
static int remove_messages_parts(const struct removing *removing)
{
	int code = part_check(removing, "cur");

	if (code == 0)
		code = part_check(removing, "new");
	if (code == 0)
		code = part_remove(removing, "cur");
	if (code == 0 && fsync(removing->fd) != 0)
		code = remove_error(removing, "cannot flush directory of", removing->name);
	return code == 0 ? part_remove(removing, "new") : code;
}

/* Something is in the way, perhaps a message: it must be in a mailbox. `code` stays the outcome. */
static int put_back(const struct removing *removing, int code)
{
	if (tree_make_parts(removing->fd) != 0 || fsync(removing->fd) != 0)
		return remove_error(removing, "cannot make again the directories of",
				    removing->name);
	return code;
}

/* --- What else is ours ------------------------------------------------------------------- */

struct cleaning {
	int fd;
	size_t removed;
};

static int clean_one(void *context, const char *name, unsigned char type)
{
	struct cleaning *cleaning = context;

	(void)type;
	if (!maildir_name_is_ours(name))
		return 0;
	if (unlinkat(cleaning->fd, name, 0) != 0)
		return errno == ENOENT ? 0 : -1;
	cleaning->removed++;
	return 0;
}

static int clean_all(const struct removing *removing, struct cleaning *cleaning)
{
	for (int i = 0; i < CLEAN_TRIES; i++) {
		cleaning->removed = 0;
		if (dirs_each(cleaning->fd, clean_one, cleaning) != 0)
			return remove_error(removing, "cannot clean", "tmp");
		if (cleaning->removed == 0)
			break;
	}
	return 0;
}

static int remove_tmp(const struct removing *removing)
{
	struct cleaning cleaning = { .fd = dirs_open_at(removing->fd, "tmp") };

	if (cleaning.fd < 0 && errno == ENOENT)
		return 0;
	if (cleaning.fd < 0)
		return remove_error(removing, "cannot open", "tmp");
	int code = clean_all(removing, &cleaning);
	if (code == 0 && unlinkat(removing->fd, "tmp", AT_REMOVEDIR) != 0 && errno != ENOTEMPTY &&
	    errno != EEXIST && errno != ENOENT)
		code = remove_error(removing, "cannot remove", "tmp");
	/* It may stay, with what is not ours. */
	if (code == 0 && fsync(cleaning.fd) != 0)
		code = remove_error(removing, "cannot flush directory", "tmp");
	dirs_close(cleaning.fd);
	return code;
}

static int remove_file(const struct removing *removing, const char *name)
{
	int is_there = dirs_has_file(removing->fd, name);

	if (is_there == 0 || (is_there == 1 && unlinkat(removing->fd, name, 0) == 0))
		return 0;
	return remove_error(removing, "cannot remove", name);
}

/* --- The whole ------------------------------------------------------------------------------ */

static int remove_contents(const struct removing *removing)
{
	int code = remove_messages_parts(removing);

	if (code != 0)
		return put_back(removing, code);
	code = remove_tmp(removing);
	if (code == 0)
		code = remove_file(removing, KEYWORDS_FILE);
	if (code == 0)
		code = remove_file(removing, MAILDIR_FOLDER_FILE);
	keywords_sweep(removing->fd);
	if (code == 0 && fsync(removing->fd) != 0)
		code = remove_error(removing, "cannot flush directory of", removing->name);
	return code;
}

static int remove_path(const char *name, int root_fd, const char *path, struct error *err)
{
	struct removing removing = { .name = name, .fd = dirs_walk(root_fd, path), .err = err };
	int code = 0;

	if (removing.fd >= 0)
		code = remove_contents(&removing);
	else if (errno != ENOENT)
		code = remove_error(&removing, "cannot open", path);
	dirs_close(removing.fd);
	if (code == 0 && dirs_prune(root_fd, path) != 0)
		code = remove_error(&removing, "cannot remove directory", path);
	return code;
}

int maildir_remove_mailbox(const struct maildir_root *root, const char *name, struct error *err)
{
	char path[MAILDIR_PATH_MAX + 1];
	int code = maildir_path_encode(root->layout, name, path, err);

	if (code != 0)
		return code;
	if (strcmp(path, ".") == 0)
		return error_set(err, SYNCD_EUSAGE,
				 "INBOX is the maildir itself and cannot be removed");
	int root_fd = dirs_open_root(root);
	if (root_fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", root->path,
				 strerror(errno));
	code = remove_path(name, root_fd, path, err);
	dirs_close(root_fd);
	return code;
}
