/* The maildir root and its mark, without which nothing in it is believed.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define MARK_TMP MAILDIR_MARK ".tmp"

void maildir_root_init(struct maildir_root *root, const char *path, enum maildir_layout layout,
		       const char *identity)
{
	must(strlen(identity) <= MAILDIR_IDENTITY_MAX && strpbrk(identity, "\r\n") == NULL);
	*root = (struct maildir_root){
		.path = xstrdup(path),
		.layout = layout,
		.identity = xstrdup(identity),
	};
}

void maildir_root_free(struct maildir_root *root)
{
	free(root->path);
	free(root->identity);
	*root = (struct maildir_root){ .path = NULL };
}

/* Makes a directory with its parents, each durable in the one above. */
static int make_parents(const char *path, struct error *err)
{
	char *copy = xstrdup(path);
	int code = 0;

	for (char *slash = strchr(copy + 1, '/'); code == 0; slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			code = error_set(err, SYNCD_EROOT, "cannot make maildir root %s: %s", path,
					 strerror(errno));
		if (slash == NULL)
			break;
		*slash = '/';
	}
	free(copy);
	return code;
}

enum mark_state { MARK_RIGHT, MARK_MISSING, MARK_STRANGE, MARK_UNREADABLE };

static enum mark_state mark_read(const struct maildir_root *root, int root_fd)
{
	char text[MAILDIR_IDENTITY_MAX + 2];
	int fd = openat(root_fd, MAILDIR_MARK, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? MARK_MISSING : MARK_UNREADABLE;
	ssize_t len = read(fd, text, sizeof(text) - 1);
	int saved = errno;
	(void)close(fd);
	errno = saved;
	if (len < 0)
		return MARK_UNREADABLE;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, root->identity) == 0 ? MARK_RIGHT : MARK_STRANGE;
}

static int mark_write_file(const struct maildir_root *root, int root_fd)
{
	char *text = xasprintf("%s\n", root->identity);
	size_t len = strlen(text);
	int fd = openat(root_fd, MARK_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			0600);
	bool is_ok = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	free(text);
	errno = saved;
	return is_ok ? 0 : -1;
}

static int mark_write(const struct maildir_root *root, int root_fd, struct error *err)
{
	if (mark_write_file(root, root_fd) != 0 ||
	    renameat(root_fd, MARK_TMP, root_fd, MAILDIR_MARK) != 0 || fsync(root_fd) != 0)
		return error_set(err,
				 errno == ENOSPC || errno == EDQUOT ? SYNCD_ENOSPC : SYNCD_EROOT,
				 "cannot mark maildir root %s: %s", root->path, strerror(errno));
	return 0;
}

static int mark_error(const struct maildir_root *root, enum mark_state state, struct error *err)
{
	if (state == MARK_UNREADABLE)
		return error_set(err, SYNCD_EROOT, "cannot read the mark %s/" MAILDIR_MARK ": %s",
				 root->path, strerror(errno));
	if (state == MARK_MISSING)
		return error_set(err, SYNCD_EROOT,
				 "maildir root %s has lost its mark " MAILDIR_MARK
				 "; is its disk mounted?",
				 root->path);
	return error_set(err, SYNCD_EROOT,
			 "the mark " MAILDIR_MARK " in maildir root %s is another account's",
			 root->path);
}

static int mark_check(const struct maildir_root *root, int root_fd, bool is_first,
		      bool *was_strange, struct error *err)
{
	enum mark_state state = mark_read(root, root_fd);

	if (state == MARK_RIGHT)
		return 0;
	if (!is_first || state == MARK_UNREADABLE)
		return mark_error(root, state, err);
	if (was_strange != NULL)
		*was_strange = state == MARK_STRANGE;
	return mark_write(root, root_fd, err);
}

int maildir_root_check(const struct maildir_root *root, bool is_first, bool *was_strange,
		       struct error *err)
{
	int root_fd = dirs_open_root(root);
	int code;

	if (was_strange != NULL)
		*was_strange = false;
	if (root_fd < 0 && errno == ENOENT && is_first) {
		code = make_parents(root->path, err);
		if (code != 0)
			return code;
		root_fd = dirs_open_root(root);
	}
	if (root_fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", root->path,
				 strerror(errno));
	code = mark_check(root, root_fd, is_first, was_strange, err);
	(void)close(root_fd);
	return code;
}
