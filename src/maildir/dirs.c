/* Directory handles: every step below the root is an openat that follows no symlink.
 * SPDX-License-Identifier: MIT */
#ifdef __linux__
#define _GNU_SOURCE /* statx */
#endif
#define _DEFAULT_SOURCE /* d_type */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

void dirs_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static int has_kind(int fd, const char *name, mode_t kind)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return (st.st_mode & S_IFMT) == kind;
	return errno == ENOENT ? 0 : -1;
}

int dirs_has_dir(int fd, const char *name)
{
	return has_kind(fd, name, S_IFDIR);
}

int dirs_has_file(int fd, const char *name)
{
	return has_kind(fd, name, S_IFREG);
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
		dirs_close(fd);
		fd = next;
	}
	return fd;
}

int dirs_make(int fd, const char *name)
{
	if (mkdirat(fd, name, 0700) == 0) {
		if (fsync(fd) != 0)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	return dirs_open_at(fd, name);
}

int dirs_make_path(int root_fd, const char *path)
{
	char level[MAILDIR_LEVEL_MAX + 1];
	int fd = dirs_open_at(root_fd, ".");

	while (fd >= 0 && *path != '\0') {
		size_t len = strcspn(path, "/");
		memcpy(level, path, len);
		level[len] = '\0';
		path += len + (path[len] == '/');
		int next = strcmp(level, ".") == 0 ? dirs_open_at(fd, ".") : dirs_make(fd, level);
		dirs_close(fd);
		fd = next;
	}
	return fd;
}

/* Cuts the last level off; it is behind the new end. False when only one was left. */
static bool cut_level(char *path, const char **level)
{
	char *slash = strrchr(path, '/');

	*level = slash != NULL ? slash + 1 : path;
	if (slash != NULL)
		*slash = '\0';
	return slash != NULL;
}

int dirs_sync_path(int root_fd, const char *path)
{
	char left[MAILDIR_PATH_MAX + 1];
	const char *level;
	int result = fsync(root_fd);

	(void)snprintf(left, sizeof(left), "%s", path);
	do {
		int fd = dirs_walk(root_fd, left);
		if (fd < 0 || fsync(fd) != 0)
			result = -1;
		dirs_close(fd);
	} while (result == 0 && cut_level(left, &level));
	return result;
}

/* What is in the way of a removal stays, and what is above it. */
static bool is_in_use(int errno_value)
{
	return errno_value == ENOTEMPTY || errno_value == EEXIST || errno_value == EBUSY ||
	       errno_value == ENOTDIR;
}

int dirs_prune(int root_fd, const char *path)
{
	char left[MAILDIR_PATH_MAX + 1];
	const char *level;
	bool is_below = true;
	int result = 0;

	(void)snprintf(left, sizeof(left), "%s", path);
	while (is_below && result == 0) {
		is_below = cut_level(left, &level);
		int above = is_below ? dirs_walk(root_fd, left) : dirs_open_at(root_fd, ".");
		if (above < 0 && errno == ENOENT && is_below)
			continue; /* a removal that was killed came as far as that */
		if (above < 0)
			return -1;
		if (unlinkat(above, level, AT_REMOVEDIR) != 0 && errno != ENOENT) {
			result = is_in_use(errno) ? 0 : -1;
			is_below = false;
		}
		if (result == 0 && fsync(above) != 0)
			result = -1;
		dirs_close(above);
	}
	return result;
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

/* Whether `name` below `dir_fd` is the directory behind `fd`; else errno says why not, ENOENT also
 * where it is another one. */
static bool is_same_dir(int dir_fd, const char *name, int fd)
{
	struct stat there;
	struct stat here;

	if (fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 || fstat(fd, &here) != 0)
		return false;
	errno = ENOENT;
	return there.st_dev == here.st_dev && there.st_ino == here.st_ino;
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
	dirs_close(root_fd);
	bool is_same = fd >= 0 && is_same_dir(fd, ".", maildir->dir_fd) &&
		       is_same_dir(fd, "new", maildir->new_fd) &&
		       is_same_dir(fd, "cur", maildir->cur_fd) &&
		       is_same_dir(fd, "tmp", maildir->tmp_fd);
	dirs_close(fd);
	if (is_same)
		return 0;
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return dirs_error(maildir, errno, "cannot examine the directories of", path, err);
	error_set(err, SYNCD_EIO, "its directories vanished or were replaced");
	error_context(err, "mailbox %.200s", maildir->name);
	return SYNCD_EIO;
}

int dirs_first_entry(int fd, char *name)
{
	struct dirent *entry;
	int copy = dirs_open_at(fd, ".");
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;

	if (dir == NULL) {
		dirs_close(copy);
		return -1;
	}
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry != NULL &&
		 (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	int result = entry != NULL ? 1 : errno != 0 ? -1 : 0;
	if (entry != NULL)
		(void)snprintf(name, MAILDIR_FILE_MAX + 1, "%.*s", MAILDIR_FILE_MAX, entry->d_name);
	int saved = errno;
	(void)closedir(dir);
	errno = saved;
	return result;
}

/* Nanoseconds since 1970; 0 where the file system does not keep it. */
static uint64_t birth_ns(int fd, const struct stat *st)
{
#if defined(STATX_BTIME)
	struct statx more;

	(void)st;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) != 0 ||
	    (more.stx_mask & STATX_BTIME) == 0)
		return 0;
	return (uint64_t)more.stx_btime.tv_sec * 1000000000u + more.stx_btime.tv_nsec;
#elif defined(__FreeBSD__)
	(void)fd;
	return (uint64_t)st->st_birthtim.tv_sec * 1000000000u + (uint64_t)st->st_birthtim.tv_nsec;
#else
	(void)fd;
	(void)st;
	return 0;
#endif
}

/* MurmurHash3's last step: each bit of the number changes half of the result's. */
static uint64_t mix(uint64_t number)
{
	number ^= number >> 33;
	number *= 0xff51afd7ed558ccdu;
	number ^= number >> 33;
	number *= 0xc4ceb9fe1a85ec53u;
	return number ^ number >> 33;
}

uint64_t dirs_lasting_id(int fd, const char *name)
{
	struct stat st;
	uint64_t id = 0;
	int dir_fd = dirs_open_at(fd, name);

	if (dir_fd >= 0 && fstat(dir_fd, &st) == 0) {
		id = mix(birth_ns(dir_fd, &st));
		id = mix(id ^ (uint64_t)st.st_dev);
		id = mix(id ^ (uint64_t)st.st_ino);
		id = id != 0 ? id : 1;
	}
	dirs_close(dir_fd);
	return id;
}

int dirs_each(int fd, int (*each)(void *context, const char *name, unsigned char type),
	      void *context)
{
	struct dirent *entry;
	int copy = dirs_open_at(fd, "."); /* a position of its own */
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	int result = 0;

	if (dir == NULL) {
		dirs_close(copy);
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
