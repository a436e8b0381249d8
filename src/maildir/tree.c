/* The tree of mailboxes: listing, making and opening them.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* DT_ values */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

struct walk {
	const struct maildir_root *root;
	maildir_found found;
	void *context;
	struct error *err;
	struct buf path; /* of the directory being read, relative to the root */
	int fd;          /* its handle */
	size_t depth;
};

/* Under the mailbox's name, so that what is known of it does not look deleted. */
static void walk_report_unusable(struct walk *walk, const char *path, const char *why)
{
	char name[MAILBOX_NAME_MAX + 1];
	bool has_name = maildir_path_decode(walk->root->layout, path, name);

	walk->found(walk->context, has_name ? name : path, why, 0);
}

/* `fd`: the mailbox's directory. */
static void walk_report_mailbox(struct walk *walk, int fd, const char *path)
{
	char name[MAILBOX_NAME_MAX + 1];

	if (maildir_path_decode(walk->root->layout, path, name))
		walk->found(walk->context, name, NULL, dirs_lasting_id(fd, "cur"));
	else
		walk_report_unusable(walk, path,
				     "the directory's name is not one that syncd gives a mailbox");
}

static int count_entry(void *context, const char *name, unsigned char type)
{
	(void)name;
	(void)type;
	return ++*(int *)context;
}

/* A mailbox that maildir_create was making, or one that was being renamed or removed, when the
 * machine stopped has an empty `new` and no `cur`: as good as none. 1, 0, or -1 with errno. */
static int is_half_made(int fd)
{
	int count = 0;
	int new_fd = dirs_open_at(fd, "new");

	if (new_fd < 0)
		return errno == ENOENT ? 1 : -1;
	int result = dirs_each(new_fd, count_entry, &count);
	dirs_close(new_fd);
	return result == -1 ? -1 : count == 0;
}

static int walk_error(struct walk *walk, const char *name)
{
	char *path = xasprintf("%s/%s%s%s", walk->root->path, buf_str(&walk->path),
			       walk->path.len > 0 ? "/" : "", name);
	int code = error_set_errno(walk->err, errno, "cannot read directory", path);

	free(path);
	/* What was there a moment ago and is gone: look again later. */
	return code == SYNCD_ENOTFOUND ? error_set(walk->err, SYNCD_EBUSY,
						   "directories changed while they were listed")
				       : code;
}

/* What cannot be examined may be a mailbox: were it passed over, it would look deleted. */
static int walk_report_dir(struct walk *walk, int fd, const char *path, const char *name)
{
	int has_cur = dirs_has_dir(fd, "cur");
	int has_new = has_cur >= 0 ? dirs_has_dir(fd, "new") : -1;
	int is_none = has_cur == 0 && has_new == 1 ? is_half_made(fd) : !has_cur && !has_new;

	if (has_new < 0 || is_none < 0)
		return walk_error(walk, name);
	if (has_cur && has_new)
		walk_report_mailbox(walk, fd, path);
	else if (has_cur)
		walk_report_unusable(walk, path, "it has no directory `new`");
	else if (!is_none)
		walk_report_unusable(walk, path, "it has no directory `cur`");
	return 0;
}

static int walk_entry(void *context, const char *name, unsigned char type);

/* Goes into a directory; walk->path already names it. */
static int walk_into(struct walk *walk, int fd)
{
	int outer_fd = walk->fd;
	int code;

	walk->fd = fd;
	walk->depth++;
	code = dirs_each(fd, walk_entry, walk);
	if (code == -1 && errno != 0)
		code = walk_error(walk, "");
	walk->depth--;
	walk->fd = outer_fd;
	return code;
}

static int walk_dir(struct walk *walk, const char *name)
{
	size_t outer_len = walk->path.len;
	int code = 0;
	int fd = dirs_open_at(walk->fd, name);

	if (fd < 0)
		return walk_error(walk, name);
	if (outer_len > 0)
		must(buf_add_char(&walk->path, '/') == 0);
	must(buf_add_str(&walk->path, name) == 0);
	code = walk_report_dir(walk, fd, buf_str(&walk->path), "");
	if (code == 0 && walk->depth < MAILDIR_DEPTH_MAX)
		code = walk_into(walk, fd);
	(void)close(fd);
	walk->path.len = outer_len;
	if (walk->path.data != NULL)
		walk->path.data[outer_len] = '\0';
	return code;
}

static bool is_maildir_part(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

/* A symlink where a mailbox may have been: said, so that it does not look deleted. */
static void walk_symlink(struct walk *walk, const char *name)
{
	struct stat st;

	if (fstatat(walk->fd, name, &st, 0) == 0 && !S_ISDIR(st.st_mode))
		return;
	char *path = xasprintf("%s%s%s", buf_str(&walk->path), walk->path.len > 0 ? "/" : "", name);
	walk_report_unusable(walk, path, "it is a symbolic link, which is not followed");
	free(path);
}

static unsigned char entry_type(int fd, const char *name, unsigned char type)
{
	struct stat st;

	if (type != DT_UNKNOWN)
		return type;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_DIR; /* opening it tells what is wrong */
	if (S_ISDIR(st.st_mode))
		return DT_DIR;
	return S_ISLNK(st.st_mode) ? DT_LNK : DT_REG;
}

static int walk_entry(void *context, const char *name, unsigned char type)
{
	struct walk *walk = context;

	if (is_maildir_part(name))
		return 0;
	type = entry_type(walk->fd, name, type);
	if (type == DT_LNK)
		walk_symlink(walk, name);
	return type == DT_DIR ? walk_dir(walk, name) : 0;
}

/* maildir++: every mailbox is a directory of the root whose name begins with a dot. */
static int list_plusplus(struct walk *walk)
{
	int copy = dirs_open_at(walk->fd, ".");
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;
	int code = 0;

	if (dir == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return walk_error(walk, "");
	}
	code = walk_report_dir(walk, walk->fd, ".", "");
	while (code == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		if (name[0] != '.' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		unsigned char type = entry_type(walk->fd, name, entry->d_type);
		if (type == DT_LNK)
			walk_symlink(walk, name);
		int fd = type == DT_DIR ? dirs_open_at(walk->fd, name) : -1;
		if (type == DT_DIR && fd < 0)
			code = walk_error(walk, name);
		if (fd >= 0) {
			code = walk_report_dir(walk, fd, name, name);
			(void)close(fd);
		}
		errno = 0;
	}
	if (code == 0 && errno != 0)
		code = walk_error(walk, "");
	(void)closedir(dir);
	return code;
}

int maildir_list(const struct maildir_root *root, maildir_found found, void *context,
		 struct error *err)
{
	struct walk walk = { .root = root, .found = found, .context = context, .err = err };
	int code;

	walk.fd = dirs_open_root(root);
	if (walk.fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", root->path,
				 strerror(errno));
	buf_init(&walk.path, (size_t)(MAILDIR_LEVEL_MAX + 1) * (MAILDIR_DEPTH_MAX + 2));
	code = root->layout == MAILDIR_PLUSPLUS ? list_plusplus(&walk) : walk_into(&walk, walk.fd);
	buf_free(&walk.path);
	(void)close(walk.fd);
	return code;
}

/* --- Making --------------------------------------------------------------- */

/* `cur` last: without it there is no mailbox yet (is_half_made). */
int tree_make_parts(int fd)
{
	static const char *const parts[] = { "tmp", "new", "cur" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		int part = dirs_make(fd, parts[i]);
		if (part < 0)
			return -1;
		(void)close(part);
	}
	return 0;
}

int maildir_create(const struct maildir_root *root, const char *name, struct error *err)
{
	char path[MAILDIR_PATH_MAX + 1];
	int code = maildir_path_encode(root->layout, name, path, err);

	if (code != 0)
		return code;
	int root_fd = dirs_open_root(root);
	if (root_fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", root->path,
				 strerror(errno));
	int fd = dirs_make_path(root_fd, path);
	if (fd < 0 || tree_make_parts(fd) != 0) {
		code = error_set_errno(err, errno, "cannot make the directories of mailbox", name);
		/* Nothing was asked to be found: a parent vanished under us. */
		code = code == SYNCD_ENOTFOUND ? error_set(err, SYNCD_EIO, "%s vanished", path)
					       : code;
	}
	dirs_close(fd);
	dirs_close(root_fd);
	return code;
}

/* --- Opening --------------------------------------------------------------- */

static int open_parts(struct maildir *maildir, struct error *err)
{
	/* Some programs make no tmp/ of their own. */
	if (dirs_has_dir(maildir->dir_fd, "cur") == 1 &&
	    mkdirat(maildir->dir_fd, "tmp", 0700) == 0) {
		int code = dirs_sync(maildir->dir_fd, maildir->name, err);
		if (code != 0)
			return code;
	}
	maildir->cur_fd = dirs_open_at(maildir->dir_fd, "cur");
	if (maildir->cur_fd < 0)
		return dirs_error(maildir, errno, "cannot open", "cur", err);
	maildir->new_fd = dirs_open_at(maildir->dir_fd, "new");
	if (maildir->new_fd < 0)
		return dirs_error(maildir, errno, "cannot open", "new", err);
	maildir->tmp_fd = dirs_open_at(maildir->dir_fd, "tmp");
	if (maildir->tmp_fd < 0)
		return dirs_error(maildir, errno, "cannot open", "tmp", err);
	return 0;
}

static int open_dirs(struct maildir *maildir, const char *path, struct error *err)
{
	int root_fd = dirs_open_root(maildir->root);

	if (root_fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", maildir->root->path,
				 strerror(errno));
	maildir->dir_fd = dirs_walk(root_fd, path);
	int saved = errno;
	(void)close(root_fd);
	if (maildir->dir_fd < 0)
		return dirs_error(maildir, saved, "cannot open", path, err);
	return open_parts(maildir, err);
}

int maildir_open(const struct maildir_root *root, const char *name, struct maildir **maildir,
		 struct error *err)
{
	char path[MAILDIR_PATH_MAX + 1];
	int code = maildir_path_encode(root->layout, name, path, err);

	*maildir = NULL;
	if (code != 0)
		return code;
	struct maildir *opened = xcalloc(1, sizeof(*opened));
	opened->root = root;
	opened->name = xstrdup(name);
	opened->dir_fd = opened->tmp_fd = opened->new_fd = opened->cur_fd = -1;
	code = open_dirs(opened, path, err);
	if (code == 0)
		code = maildir_keywords_refresh(opened, err);
	if (code != 0)
		maildir_close(&opened);
	*maildir = opened;
	return code;
}

void maildir_close(struct maildir **maildir)
{
	struct maildir *closing = *maildir;

	if (closing == NULL)
		return;
	dirs_close(closing->dir_fd);
	dirs_close(closing->tmp_fd);
	dirs_close(closing->new_fd);
	dirs_close(closing->cur_fd);
	maildir_index_free(&closing->index);
	keywords_free(&closing->keywords);
	pending_free(&closing->pending);
	free(closing->name);
	free(closing);
	*maildir = NULL;
}

const char *maildir_name(const struct maildir *maildir)
{
	return maildir->name;
}
