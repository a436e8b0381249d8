/* What makes a batch of delivered files durable soonest on this file system?
 *
 *     cc -O2 -Iinclude tests/bench/flush_bench.c src/base/must.c -o build/flush_bench
 *     build/flush_bench [DIRECTORY [SIZE_BYTES [ROUNDS]]]
 *
 * For batches of 1 to 500 files, written to tmp/ as maildir_deliver_* does: an fsync a file and of
 * the directory, against one syncfs; medians.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* syncfs */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "syncd/must.h"

#define ROUNDS_MAX 101

static double now_ms(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void file_name(char *out, size_t size, int i)
{
	(void)snprintf(out, size, "%d.bench", i);
}

static void write_batch(int dir_fd, int count, size_t size_bytes)
{
	char name[32];
	char *bytes = malloc(size_bytes);

	must(bytes != NULL);
	memset(bytes, 'x', size_bytes);
	for (int i = 0; i < count; i++) {
		file_name(name, sizeof(name), i);
		int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		must(fd >= 0 && write(fd, bytes, size_bytes) == (ssize_t)size_bytes);
		must(close(fd) == 0);
	}
	free(bytes);
}

static void flush_each(int dir_fd, int count)
{
	char name[32];

	for (int i = 0; i < count; i++) {
		file_name(name, sizeof(name), i);
		int fd = openat(dir_fd, name, O_RDONLY);
		must(fd >= 0 && fsync(fd) == 0 && close(fd) == 0);
	}
	must(fsync(dir_fd) == 0);
}

static void remove_batch(int dir_fd, int count)
{
	char name[32];

	for (int i = 0; i < count; i++) {
		file_name(name, sizeof(name), i);
		must(unlinkat(dir_fd, name, 0) == 0);
	}
	must(syncfs(dir_fd) == 0);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median_ms(int dir_fd, int count, size_t size_bytes, int rounds, int is_whole)
{
	double times[ROUNDS_MAX];

	for (int i = 0; i < rounds; i++) {
		write_batch(dir_fd, count, size_bytes);
		double start = now_ms();
		if (is_whole)
			must(syncfs(dir_fd) == 0);
		else
			flush_each(dir_fd, count);
		times[i] = now_ms() - start;
		remove_batch(dir_fd, count);
	}
	qsort(times, (size_t)rounds, sizeof(times[0]), compare);
	return times[rounds / 2];
}

int main(int argc, char **argv)
{
	static const int counts[] = { 1, 2, 4, 8, 16, 50, 100, 500 };
	const char *where = argc > 1 ? argv[1] : "/tmp";
	size_t size_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
	int rounds = argc > 3 ? atoi(argv[3]) : 11;
	char path[4096];

	must(rounds > 0 && rounds <= ROUNDS_MAX && size_bytes > 0);
	(void)snprintf(path, sizeof(path), "%s/flush-bench-XXXXXX", where);
	must(mkdtemp(path) != NULL);
	int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
	must(dir_fd >= 0);
	printf("%zu bytes a file, median of %d\n  files  fsync each ms  syncfs ms\n", size_bytes,
	       rounds);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		printf("%7d %14.2f %10.2f\n", counts[i],
		       median_ms(dir_fd, counts[i], size_bytes, rounds, 0),
		       median_ms(dir_fd, counts[i], size_bytes, rounds, 1));
	must(close(dir_fd) == 0 && rmdir(path) == 0);
	return 0;
}
