/* What does it cost to look at a large mailbox: in full, or at what changed?
 *
 *     build/release/tests/bench/maildir_bench [FILES [DIRECTORY]]
 *
 * Makes a mailbox of 100,000 files with names of about 60 bytes. Processor time, with a warm cache.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* mkdtemp, ru_maxrss */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "syncd/maildir.h"
#include "syncd/must.h"

#define ROUNDS 7
#define OPERATIONS 1000
#define FILES_DEFAULT 100000

struct bench {
	char dir[256];
	unsigned files;
	struct maildir_root root;
	struct maildir *maildir;
	struct local_listing listing;
	atomic_bool is_cancelled;
	struct error err;
};

/* Of the processor: other programs that run do not count. */
static double now_us(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static long peak_kib(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_maxrss;
}

/* --- The mailbox -------------------------------------------------------------------- */

static void base_name(char *out, unsigned i)
{
	must(snprintf(out, MAIL_NAME_MAX, "%u.sd0123456789abcdefQ%u.mail.example.org,S=%u",
		      1700000000 + i * 7, i, 1000 + i * 7919 % 100000) > 0);
}

static void make_files(struct bench *bench)
{
	char path[1024];
	char base[MAIL_NAME_MAX + 1];

	for (unsigned i = 0; i < bench->files; i++) {
		base_name(base, i);
		must(snprintf(path, sizeof(path), "%s/A/cur/%s:2,%s", bench->dir, base,
			      i % 3 == 0 ? "" : "S") > 0);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		must(fd >= 0 && close(fd) == 0);
	}
}

static void mailbox_open(struct bench *bench)
{
	maildir_close(&bench->maildir);
	must(maildir_open(&bench->root, "A", &bench->maildir, &bench->err) == 0);
}

/* --- What is measured ------------------------------------------------------------------ */

static double scan_us(struct bench *bench)
{
	struct maildir_index *index = NULL;
	struct local_mtimes known = { 0 };
	double start = now_us();

	must(maildir_scan(bench->maildir, &known, &bench->is_cancelled, &bench->listing, &index,
			  &bench->err) == 0);
	double us = now_us() - start;
	must(bench->listing.count == bench->files);
	local_listing_free(&bench->listing);
	maildir_index_free(&index);
	return us;
}

static void bench_scan(struct bench *bench)
{
	double us[ROUNDS];
	long before_kib = peak_kib();

	(void)scan_us(bench);
	printf("scan and sort: peak memory %ld KiB more\n", peak_kib() - before_kib);
	for (size_t i = 0; i < ROUNDS; i++)
		us[i] = scan_us(bench);
	printf("scan and sort: %.1f ms\n", median(us, ROUNDS) / 1e3);
}

static void bench_known(struct bench *bench)
{
	char path[512];
	struct local_mtimes known;
	struct stat st;
	double start;

	must(snprintf(path, sizeof(path), "%s/A/cur", bench->dir) > 0 && stat(path, &st) == 0);
	known.cur_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	must(snprintf(path, sizeof(path), "%s/A/new", bench->dir) > 0 && stat(path, &st) == 0);
	known.new_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	start = now_us();
	for (int i = 0; i < OPERATIONS; i++)
		must(maildir_has_mtimes(&bench->root, "A", &known));
	printf("mtimes are known: %.1f us\n", (now_us() - start) / OPERATIONS);
}

/* Each on a message of its own, without an index. */
static void bench_set_letters(struct bench *bench)
{
	char base[MAIL_NAME_MAX + 1];
	double start;

	mailbox_open(bench);
	start = now_us();
	for (unsigned i = 0; i < OPERATIONS; i++) {
		base_name(base, i * 3);
		must(maildir_set_letters(bench->maildir, base, 0, FLAG_FLAGGED, 0, &bench->err) ==
		     0);
		must(maildir_set_letters(bench->maildir, base, FLAG_FLAGGED, 0, FLAG_FLAGGED,
					 &bench->err) == 0);
	}
	printf("flags set where expected: %.1f us each\n", (now_us() - start) / OPERATIONS / 2);
}

static double look_us(struct bench *bench, const struct local_hint *hints, size_t count)
{
	struct maildir_hints all = { .items = hints, .count = count, .are_all = true };
	struct maildir_index *index = NULL;
	double start = now_us();

	must(maildir_look(bench->maildir, &all, &bench->is_cancelled, &bench->listing, &index,
			  &bench->err) == 0);
	double us = now_us() - start;
	must(bench->listing.count > 0);
	local_listing_free(&bench->listing);
	maildir_index_free(&index);
	return us;
}

static void bench_look(struct bench *bench)
{
	static char files[OPERATIONS][MAIL_NAME_MAX + 1];
	static char bases[OPERATIONS][MAIL_NAME_MAX - 8];
	static struct local_hint hints[OPERATIONS];

	for (unsigned i = 0; i < OPERATIONS; i++) {
		base_name(bases[i], i * 3);
		must(snprintf(files[i], sizeof(files[i]), "%s:2,", bases[i]) > 0);
		hints[i] = (struct local_hint){ .file = files[i] };
	}
	printf("look at 1 of them: %.1f us\n", look_us(bench, hints, 1));
	printf("look at %d of them: %.1f us each\n", OPERATIONS,
	       look_us(bench, hints, OPERATIONS) / OPERATIONS);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		must(snprintf(files[i], sizeof(files[i]), "gone%s:2,", bases[i]) > 0);
		hints[i].is_gone = true;
	}
	printf("look at 1 that is gone: %.1f us\n", look_us(bench, hints, 1));
	printf("look at %d that are gone: %.1f us each\n", OPERATIONS,
	       look_us(bench, hints, OPERATIONS) / OPERATIONS);
}

/* --- Life -------------------------------------------------------------------------------- */

static void bench_make(struct bench *bench, const char *below)
{
	must(snprintf(bench->dir, sizeof(bench->dir), "%s/maildir_bench.XXXXXX", below) > 0);
	must(mkdtemp(bench->dir) != NULL);
	maildir_root_init(&bench->root, bench->dir, MAILDIR_VERBATIM, "bench");
	must(maildir_create(&bench->root, "A", &bench->err) == 0);
	make_files(bench);
	local_listing_init(&bench->listing);
	mailbox_open(bench);
}

static void bench_free(struct bench *bench)
{
	char command[512];

	maildir_close(&bench->maildir);
	maildir_root_free(&bench->root);
	must(snprintf(command, sizeof(command), "rm -rf '%s'", bench->dir) > 0);
	must(system(command) == 0);
}

int main(int argc, char **argv)
{
	struct bench bench = {
		.files = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : FILES_DEFAULT,
	};

	bench_make(&bench, argc > 2 ? argv[2] : "/tmp");
	printf("%u files\n", bench.files);
	bench_scan(&bench);
	bench_known(&bench);
	bench_look(&bench);
	bench_set_letters(&bench);
	bench_free(&bench);
	return 0;
}
