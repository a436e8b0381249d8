/* Directory handles: every step below the root is an openat that follows no symlink.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* d_type */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/must.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int dirs_open_at(int fd, const char *name)
{
	return openat(fd, name, DIR_FLAGS | O_NOFOLLOW);
}

int dirs_open_root(const struct maildir_root *root)
{
	return open(root->path, DIR_FLAGS);
}

static void close_keeping_errno(int fd)
{
	int saved = errno;

	(void)close(fd);
	errno = saved;
}

int dirs_walk(int root_fd, const char *path)
{
	char level[MAILDIR_LEVEL_MAX + 1];
	int fd = dirs_open_at(root_fd, ".");

	while (fd >= 0 && *path != '\0') {
		size_t len = strcspn(path, "/");
		if (len > MAILDIR_LEVEL_MAX) {
			(void)close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(level, path, len);
		level[len] = '\0';
		path += len + (path[len] == '/');
		int next = dirs_open_at(fd, level);
		close_keeping_errno(fd);
		fd = next;
	}
	return fd;
}

int dirs_sync(int fd, const char *name, struct error *err)
{
	if (fsync(fd) == 0)
		return 0;
	return error_set_errno(err, errno, "cannot flush directory", name);
}

int dirs_error(const struct maildir *maildir, int errno_value, const char *what, const char *name,
	       struct error *err)
{
	int code = error_set_errno(err, errno_value, what, name);

	error_context(err, "mailbox %.200s", maildir->name);
	return code;
}

/* Whether `name` below `dir_fd` is the directory behind `fd`. */
static bool is_same_dir(int dir_fd, const char *name, int fd)
{
	struct stat there;
	struct stat here;

	return fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* Handles stay good when a directory is moved away or mounted over: then what
 * they show is no longer this mailbox, and its emptiness no deletion. */
int dirs_verify(const struct maildir *maildir, struct error *err)
{
	char path[MAILDIR_PATH_MAX + 1];
	int root_fd = dirs_open_root(maildir->root);

	if (root_fd < 0)
		return error_set(err, SYNCD_EROOT, "maildir root %s: %s", maildir->root->path,
				 strerror(errno));
	must(maildir_path_encode(maildir->root->layout, maildir->name, path, NULL) == 0);
	int fd = dirs_walk(root_fd, path);
	(void)close(root_fd);
	bool is_same = fd >= 0 && is_same_dir(fd, ".", maildir->dir_fd) &&
		       is_same_dir(fd, "new", maildir->new_fd) &&
		       is_same_dir(fd, "cur", maildir->cur_fd) &&
		       is_same_dir(fd, "tmp", maildir->tmp_fd);
	if (fd >= 0)
		(void)close(fd);
	if (is_same)
		return 0;
	return error_set(err, SYNCD_EIO,
			 "mailbox %.200s: its directories vanished or were replaced",
			 maildir->name);
}

int dirs_each(int fd, int (*each)(void *context, const char *name, unsigned char type),
	      void *context)
{
	struct dirent *entry;
	int copy = dirs_open_at(fd, "."); /* a position of its own */
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	int result = 0;

	if (dir == NULL) {
		if (copy >= 0)
			close_keeping_errno(copy);
		return -1;
	}
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (entry->d_name[0] == '.')
			continue;
		result = each(context, entry->d_name, entry->d_type);
		if (result != 0)
			break;
	}
	int saved = errno;
	(void)closedir(dir);
	errno = saved;
	return result == 0 && saved != 0 ? -1 : result;
}
