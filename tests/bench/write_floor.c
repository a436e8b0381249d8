/* The floor of a first pull: how fast this disk takes the same files, durable by the batch.
 *
 *     write_floor SOURCE_DIRECTORY MAILDIR
 *
 * Copies each file of the source as a mail program delivers it: written to tmp/, a batch of them
 * made durable by one syncfs, then renamed into cur/.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* syncfs */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/must.h"

#define BATCH 500
#define NAME_BYTES 256

struct floor {
	int source_fd;
	int tmp_fd;
	int cur_fd;
	size_t count;
	char names[BATCH][NAME_BYTES];
};

static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(fd >= 0);
	return fd;
}

static int make_directory(int maildir_fd, const char *name)
{
	must(mkdirat(maildir_fd, name, 0700) == 0);
	int fd = openat(maildir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

static void copy_file(const struct floor *floor, const char *name)
{
	char bytes[64 * 1024];
	ssize_t size;
	int from_fd = openat(floor->source_fd, name, O_RDONLY | O_CLOEXEC);
	int to_fd = openat(floor->tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	must(from_fd >= 0 && to_fd >= 0);
	while ((size = read(from_fd, bytes, sizeof(bytes))) > 0)
		must(write(to_fd, bytes, (size_t)size) == size);
	must(size == 0 && close(from_fd) == 0 && close(to_fd) == 0);
}

static void flush_batch(struct floor *floor)
{
	must(syncfs(floor->tmp_fd) == 0);
	for (size_t i = 0; i < floor->count; i++)
		must(renameat(floor->tmp_fd, floor->names[i], floor->cur_fd, floor->names[i]) == 0);
	floor->count = 0;
}

static void copy_all(struct floor *floor, DIR *source)
{
	const struct dirent *entry;

	while ((entry = readdir(source)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		must(strlen(entry->d_name) < NAME_BYTES);
		copy_file(floor, entry->d_name);
		strcpy(floor->names[floor->count++], entry->d_name);
		if (floor->count == BATCH)
			flush_batch(floor);
	}
	flush_batch(floor);
	/* The last names too. */
	must(syncfs(floor->tmp_fd) == 0);
}

int main(int argc, char **argv)
{
	struct floor *floor = calloc(1, sizeof(*floor));

	must(argc == 3 && floor != NULL && mkdir(argv[2], 0700) == 0);
	int maildir_fd = open_directory(argv[2]);
	floor->tmp_fd = make_directory(maildir_fd, "tmp");
	floor->cur_fd = make_directory(maildir_fd, "cur");
	floor->source_fd = open_directory(argv[1]);
	DIR *source = fdopendir(dup(floor->source_fd));
	must(source != NULL);
	copy_all(floor, source);
	must(closedir(source) == 0 && close(floor->source_fd) == 0);
	must(close(floor->tmp_fd) == 0 && close(floor->cur_fd) == 0 && close(maildir_fd) == 0);
	free(floor);
	return 0;
}
