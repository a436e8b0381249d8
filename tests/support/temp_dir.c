/* A directory for one test.
 * SPDX-License-Identifier: MIT */
#include "support/temp_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void make_below(struct temp_dir *dir, const char *parent)
{
	(void)snprintf(dir->path, sizeof(dir->path), "%s/syncd-test-XXXXXX", parent);
	must(mkdtemp(dir->path) != NULL);
}

void temp_dir_make(struct temp_dir *dir)
{
	make_below(dir, "/tmp");
}

static void remove_tree(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	must(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *below = xasprintf("%s/%s", path, entry->d_name);
		must(lstat(below, &st) == 0);
		if (S_ISDIR(st.st_mode))
			remove_tree(below);
		else
			must(unlink(below) == 0);
		free(below);
	}
	must(closedir(dir) == 0);
	must(rmdir(path) == 0);
}

void temp_dir_remove(struct temp_dir *dir)
{
	remove_tree(dir->path);
}

char *temp_path(const struct temp_dir *dir, const char *name)
{
	return xasprintf("%s/%s", dir->path, name);
}

void temp_mkdir(const struct temp_dir *dir, const char *name)
{
	char *path = temp_path(dir, name);

	must(mkdir(path, 0700) == 0);
	free(path);
}

void temp_mailbox(const struct temp_dir *dir, const char *name)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char *path = xasprintf("%s/%s%s", dir->path, name, parts[i]);
		must(mkdir(path, 0700) == 0 || parts[i][0] == '\0');
		free(path);
	}
}

void temp_write(const struct temp_dir *dir, const char *name, const char *text, size_t len)
{
	char *path = temp_path(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len && close(fd) == 0);
	free(path);
}

void temp_write_str(const struct temp_dir *dir, const char *name, const char *text)
{
	temp_write(dir, name, text, strlen(text));
}

void temp_rename(const struct temp_dir *dir, const char *from, const char *to)
{
	char *from_path = temp_path(dir, from);
	char *to_path = temp_path(dir, to);

	must(rename(from_path, to_path) == 0);
	free(from_path);
	free(to_path);
}

void temp_unlink(const struct temp_dir *dir, const char *name)
{
	char *path = temp_path(dir, name);

	must(unlink(path) == 0);
	free(path);
}

void temp_symlink(const struct temp_dir *dir, const char *target, const char *name)
{
	char *path = temp_path(dir, name);

	must(symlink(target, path) == 0);
	free(path);
}

char *temp_read(const struct temp_dir *dir, const char *name, size_t *len)
{
	char *path = temp_path(dir, name);
	struct stat st;
	int fd = open(path, O_RDONLY);

	must(fd >= 0 && fstat(fd, &st) == 0);
	char *text = xcalloc(1, (size_t)st.st_size + 1);
	must(read(fd, text, (size_t)st.st_size) == st.st_size && close(fd) == 0);
	if (len != NULL)
		*len = (size_t)st.st_size;
	free(path);
	return text;
}

bool temp_exists(const struct temp_dir *dir, const char *name)
{
	char *path = temp_path(dir, name);
	struct stat st;
	bool is_there = lstat(path, &st) == 0;

	free(path);
	return is_there;
}

size_t temp_count(const struct temp_dir *dir, const char *name, char *only)
{
	char *path = temp_path(dir, name);
	struct dirent *entry;
	size_t count = 0;
	DIR *opened = opendir(path);

	must(opened != NULL);
	while ((entry = readdir(opened)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (only != NULL)
			(void)snprintf(only, 256, "%s", entry->d_name);
	}
	must(closedir(opened) == 0);
	free(path);
	return count;
}

static struct temp_dir process_dir;

static void remove_process_dir(void)
{
	temp_dir_remove(&process_dir);
}

const struct temp_dir *temp_dir_of_process(void)
{
	if (process_dir.path[0] == '\0') {
		make_below(&process_dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		must(atexit(remove_process_dir) == 0);
	}
	return &process_dir;
}
