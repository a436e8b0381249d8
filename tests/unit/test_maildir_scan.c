/* Scans of a mailbox, also while another program renames its files.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

struct fixture {
	struct temp_dir dir;
	struct maildir_root root;
	struct maildir *maildir;
	struct local_listing listing;
	struct local_mtimes known;
	struct error err;
	atomic_bool is_cancelled;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	maildir_root_init(&f->root, f->dir.path, MAILDIR_VERBATIM, "abc");
	assert_int_equal(maildir_create(&f->root, "A", &f->err), 0);
	assert_int_equal(maildir_open(&f->root, "A", &f->maildir, &f->err), 0);
	local_listing_init(&f->listing);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	local_listing_free(&f->listing);
	maildir_close(&f->maildir);
	maildir_root_free(&f->root);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void sleep_for_old_mtimes(void)
{
	struct timespec pause = { .tv_sec = 2, .tv_nsec = 50000000 };

	assert_int_equal(nanosleep(&pause, NULL), 0);
}

static int scan(struct fixture *f)
{
	struct maildir_index *index = NULL;
	int code = 0;

	local_listing_free(&f->listing);
	code = maildir_scan(f->maildir, &f->known, &f->is_cancelled, &f->listing, &index, &f->err);
	if (index != NULL)
		maildir_set_index(f->maildir, &index);
	return code;
}

static void a_scan_lists_both_directories_sorted_with_letters(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/new/3.c", "");
	temp_write_str(&f->dir, "A/cur/1.a:2,SaX", "");
	temp_write_str(&f->dir, "A/cur/2.b:1,x", "");
	temp_write_str(&f->dir, "A/cur/.hidden", "");
	temp_mkdir(&f->dir, "A/cur/directory");
	assert_int_equal(scan(f), 0);
	assert_true(f->listing.is_stable);
	assert_int_equal(f->listing.count, 3);
	assert_string_equal(f->listing.items[0].name, "1.a");
	assert_int_equal(f->listing.items[0].flags, FLAG_SEEN | MAILDIR_LETTER_BIT(0));
	assert_string_equal(f->listing.items[1].name, "2.b:1,x");
	assert_int_equal(f->listing.items[1].flags, 0);
	assert_string_equal(f->listing.items[2].name, "3.c");
}

static void mtime_put(const struct temp_dir *dir, const char *name, int64_t mtime_s)
{
	struct timespec times[2] = { { .tv_sec = (time_t)mtime_s }, { .tv_sec = (time_t)mtime_s } };
	char *path = temp_path(dir, name);

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void assert_no_mtimes(const struct local_listing *listing)
{
	assert_true(listing->is_stable);
	assert_int_equal(listing->mtimes.cur_ns, 0);
	assert_int_equal(listing->mtimes.new_ns, 0);
}

static void mtimes_of_what_changed_a_moment_ago_are_not_trusted(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/1.a:2,", "");
	assert_int_equal(scan(f), 0);
	assert_no_mtimes(&f->listing);
}

static void mtimes_ahead_of_the_clock_are_not_trusted(void **state)
{
	struct fixture *f = *state;

	mtime_put(&f->dir, "A/new", (int64_t)time(NULL) + 3600);
	sleep_for_old_mtimes();
	assert_int_equal(scan(f), 0);
	assert_no_mtimes(&f->listing);
}

static void directories_with_the_known_mtimes_are_not_read(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/1.a:2,", "");
	sleep_for_old_mtimes();
	assert_int_equal(scan(f), 0);
	assert_int_equal(f->listing.count, 1);
	assert_false(f->listing.is_delta);
	f->known = f->listing.mtimes;
	assert_true(f->known.cur_ns > 0 && f->known.new_ns > 0);
	assert_true(maildir_has_mtimes(&f->root, "A", &f->known));

	assert_int_equal(scan(f), 0);
	assert_true(f->listing.is_delta);
	assert_true(f->listing.is_stable);
	assert_int_equal(f->listing.count, 0);
	assert_memory_equal(&f->listing.mtimes, &f->known, sizeof(f->known));

	temp_write_str(&f->dir, "A/new/2.a", "");
	assert_false(maildir_has_mtimes(&f->root, "A", &f->known));
	assert_int_equal(scan(f), 0);
	assert_false(f->listing.is_delta);
	assert_int_equal(f->listing.count, 2);
}

static void known_mtimes_of_a_mailbox_that_was_replaced_are_no_listing(void **state)
{
	struct fixture *f = *state;

	mtime_put(&f->dir, "A/cur", 1234567890);
	mtime_put(&f->dir, "A/new", 1234567890);
	f->known = (struct local_mtimes){ 1234567890000000000, 1234567890000000000 };
	assert_int_equal(scan(f), 0);
	assert_true(f->listing.is_delta);
	temp_rename(&f->dir, "A", "B");
	assert_int_equal(scan(f), SYNCD_EIO);
	assert_false(maildir_has_mtimes(&f->root, "A", &f->known));
	assert_true(maildir_has_mtimes(&f->root, "B", &f->known));
	temp_symlink(&f->dir, "B", "A");
	assert_false(maildir_has_mtimes(&f->root, "A", &f->known));
}

static void unknown_mtimes_equal_nothing(void **state)
{
	struct fixture *f = *state;

	mtime_put(&f->dir, "A/cur", 0);
	mtime_put(&f->dir, "A/new", 0);
	assert_int_equal(scan(f), 0);
	assert_false(f->listing.is_delta);
	assert_false(maildir_has_mtimes(&f->root, "A", &f->known));
}

static void flags_of_a_name_with_other_info_can_be_set(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/2.b:1,x", "");
	assert_int_equal(maildir_set_letters(f->maildir, "2.b:1,x", 0, FLAG_SEEN, 0, &f->err), 0);
	assert_true(temp_exists(&f->dir, "A/cur/2.b:1,x:2,S"));
	assert_int_equal(scan(f), 0);
	assert_string_equal(f->listing.items[0].name, "2.b:1,x");
	assert_int_equal(f->listing.items[0].flags, FLAG_SEEN);
}

static void a_cancelled_scan_gives_nothing(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/1.a:2,", "");
	atomic_store(&f->is_cancelled, true);
	assert_int_equal(scan(f), SYNCD_ECANCELLED);
	assert_int_equal(f->listing.count, 0);
}

static void removed_directories_are_errors_never_empty_listings(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/cur/1.a:2,", "");
	assert_int_equal(scan(f), 0);
	temp_rename(&f->dir, "A", "B");
	assert_int_equal(scan(f), SYNCD_EIO);
	temp_mailbox(&f->dir, "A");
	assert_int_equal(scan(f), SYNCD_EIO);
	assert_int_equal(f->listing.count, 0);
	temp_rename(&f->dir, "A", "C");
	temp_symlink(&f->dir, "B", "A");
	assert_int_equal(scan(f), SYNCD_EIO);
}

/* --- Concurrency ------------------------------------------------------------------- */

#define FILES 5000
#define SCANS 60

struct renamer {
	const struct temp_dir *dir;
	atomic_bool is_over;
	bool is_in_new[FILES];
	bool is_seen[FILES];
	unsigned state;
	atomic_size_t renames;
};

static void file_path(const struct renamer *renamer, size_t i, bool is_in_new, bool is_seen,
		      char *out, size_t size)
{
	(void)snprintf(out, size, "%s/A/%s/%zu.m.h%s", renamer->dir->path,
		       is_in_new ? "new" : "cur", i, is_in_new ? "" : (is_seen ? ":2,S" : ":2,"));
}

static void rename_one(struct renamer *renamer, size_t i)
{
	char from[256];
	char to[256];
	unsigned way = (renamer->state >> 8) % 2;

	file_path(renamer, i, renamer->is_in_new[i], renamer->is_seen[i], from, sizeof(from));
	if (way == 0)
		renamer->is_in_new[i] = !renamer->is_in_new[i];
	else
		renamer->is_seen[i] = !renamer->is_seen[i];
	file_path(renamer, i, renamer->is_in_new[i], renamer->is_seen[i], to, sizeof(to));
	must(rename(from, to) == 0);
	atomic_fetch_add(&renamer->renames, 1);
}

/* A scan waits for 50 ms of quiet: bursts come just when it reads. */
static void *renamer_run(void *context)
{
	struct renamer *renamer = context;

	while (!atomic_load(&renamer->is_over)) {
		for (unsigned n = 0; n < 1000; n++) {
			renamer->state = renamer->state * 1103515245u + 12345u;
			rename_one(renamer, (renamer->state >> 16) % FILES);
		}
		struct timespec pause = { .tv_nsec = 50500000 + (renamer->state >> 20) * 1000 };
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static void wait_for_a_rename(struct renamer *renamer)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	size_t before = atomic_load(&renamer->renames);

	while (atomic_load(&renamer->renames) == before)
		(void)nanosleep(&pause, NULL);
}

static void no_stable_scan_misses_a_file_that_others_rename(void **state)
{
	struct fixture *f = *state;
	struct renamer renamer = { .dir = &f->dir, .state = 4711 };
	pthread_t thread;
	size_t stable = 0;

	for (size_t i = 0; i < FILES; i++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "A/cur/%zu.m.h:2,", i);
		temp_write_str(&f->dir, name, "");
	}
	assert_int_equal(pthread_create(&thread, NULL, renamer_run, &renamer), 0);
	for (int i = 0; i < SCANS; i++) {
		wait_for_a_rename(&renamer); /* a quiet directory proves nothing */
		assert_int_equal(scan(f), 0);
		stable += f->listing.is_stable;
		if (f->listing.is_stable)
			assert_int_equal(f->listing.count, FILES);
	}
	atomic_store(&renamer.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_in_range(stable, 1, SCANS);
}

static void changes_reach_files_that_others_rename(void **state)
{
	struct fixture *f = *state;
	struct renamer renamer = { .dir = &f->dir, .state = 815 };
	pthread_t thread;
	size_t busy = 0;

	for (size_t i = 0; i < FILES; i++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "A/cur/%zu.m.h:2,", i);
		temp_write_str(&f->dir, name, "");
	}
	assert_int_equal(pthread_create(&thread, NULL, renamer_run, &renamer), 0);
	for (int i = 0; i < 300; i++) {
		char base[32];
		(void)snprintf(base, sizeof(base), "%d.m.h", i % FILES);
		int fd = -1;
		int code = maildir_message_open(f->maildir, base, &fd, NULL, &f->err);
		if (code == SYNCD_EBUSY)
			busy++;
		else
			assert_int_equal(code, 0);
		if (fd >= 0)
			assert_int_equal(close(fd), 0);
	}
	atomic_store(&renamer.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_in_range(busy, 0, 30);
}

static void *touch_without_pause(void *context)
{
	struct renamer *renamer = context;

	while (!atomic_load(&renamer->is_over)) {
		struct timespec pause = { .tv_nsec = 1000000 };
		renamer->state += 1u << 8;
		rename_one(renamer, 0);
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static void a_mailbox_that_never_stands_still_is_listed_as_unstable(void **state)
{
	struct fixture *f = *state;
	struct renamer renamer = { .dir = &f->dir };
	pthread_t thread;

	temp_write_str(&f->dir, "A/cur/0.m.h:2,", "");
	assert_int_equal(pthread_create(&thread, NULL, touch_without_pause, &renamer), 0);
	wait_for_a_rename(&renamer);
	assert_int_equal(scan(f), 0);
	assert_false(f->listing.is_stable);
	atomic_store(&renamer.is_over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(scan(f), 0);
	assert_true(f->listing.is_stable);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_scan_lists_both_directories_sorted_with_letters),
		TEST(mtimes_of_what_changed_a_moment_ago_are_not_trusted),
		TEST(mtimes_ahead_of_the_clock_are_not_trusted),
		TEST(directories_with_the_known_mtimes_are_not_read),
		TEST(known_mtimes_of_a_mailbox_that_was_replaced_are_no_listing),
		TEST(unknown_mtimes_equal_nothing),
		TEST(flags_of_a_name_with_other_info_can_be_set),
		TEST(a_cancelled_scan_gives_nothing),
		TEST(removed_directories_are_errors_never_empty_listings),
		TEST(no_stable_scan_misses_a_file_that_others_rename),
		TEST(changes_reach_files_that_others_rename),
		TEST(a_mailbox_that_never_stands_still_is_listed_as_unstable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
