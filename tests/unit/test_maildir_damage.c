/* The local port where a mailbox was damaged or replaced behind its back, and what is kept all
 * the same. Pool jobs run inline by the fake loop.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/temp_dir.h"
#include "syncd/adapter_local.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define NOT_DONE 1
#define SYNCED_MAX 16
#define LOGGED_MAX 4096

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct local_account *account;
	struct local_mailbox *mailbox;
	struct keyword_table keywords;
	struct local_listing listing;
	struct error err;
	char logged[LOGGED_MAX]; /* warnings, a line each */
	size_t warnings;
};

/* What was flushed, in order: the seam is the C library's own function. */
static ino_t synced[SYNCED_MAX];
static size_t synced_count;

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	if (synced_count < SYNCED_MAX)
		synced[synced_count++] = st.st_ino;
	return 0;
}

static void note_log(enum log_level level, const char *line, void *context)
{
	struct fixture *f = context;
	size_t len = strlen(f->logged);

	if (level != LOG_LEVEL_WARN)
		return;
	f->warnings++;
	(void)snprintf(f->logged + len, sizeof(f->logged) - len, "%s\n", line);
}

static void mailbox_open(struct fixture *f)
{
	assert_int_equal(f->account->ops->open(f->account, "A", &f->keywords, &f->mailbox, &f->err),
			 0);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	f->loop = loop_new_fake();
	keyword_table_init(&f->keywords);
	local_listing_init(&f->listing);
	struct adapter_local_options options = {
		.root = f->dir.path, .identity = "0123", .host = "host", .line_endings = MAILDIR_LF
	};
	f->account = adapter_local_new(f->loop, &options);
	assert_int_equal(f->account->ops->check(f->account, true, &f->err), 0);
	assert_int_equal(f->account->ops->create(f->account, "A", &f->err), 0);
	mailbox_open(f);
	log_set_sink(note_log, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	log_set_sink(NULL, NULL);
	f->mailbox->ops->close(f->mailbox);
	adapter_local_free(&f->account);
	local_listing_free(&f->listing);
	keyword_table_free(&f->keywords);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void op_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

static int scan(struct fixture *f)
{
	int code = NOT_DONE;
	struct local_scan_req req = { .op = { .done = op_done, .impl = &code },
				      .result = &f->listing };

	local_listing_free(&f->listing);
	f->mailbox->ops->scan(f->mailbox, &req);
	loop_fake_advance(f->loop, 0);
	return code;
}

static int flush(struct fixture *f)
{
	int code = NOT_DONE;
	struct local_flush_req req = { .op = { .done = op_done, .impl = &code } };

	f->mailbox->ops->flush(f->mailbox, &req);
	loop_fake_advance(f->loop, 0);
	return code;
}

static uint64_t mask(struct fixture *f)
{
	return f->mailbox->ops->flags_mask(f->mailbox);
}

static uint64_t keyword(struct fixture *f, const char *name)
{
	return keyword_table_intern(&f->keywords, slice_of(name));
}

/* --- Keywords ------------------------------------------------------------------- */

static void a_letter_without_a_name_takes_keywords_out_of_the_mask(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword(f, "work");
	uint64_t home = keyword(f, "home");

	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n1 home\n");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,Sab", "x");
	temp_write_str(&f->dir, "A/cur/2.a.h:2,Sa", "x");
	assert_int_equal(scan(f), 0);
	assert_int_equal(mask(f) & (work | home), work | home);
	assert_int_equal(f->warnings, 0);

	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n"); /* cut short */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scan(f), 0);
		assert_int_equal(mask(f), FLAGS_SYSTEM);
		assert_int_equal(f->warnings, 1);
	}
	assert_non_null(strstr(f->logged, "1.a.h"));
	assert_non_null(strstr(f->logged, "A/dovecot-keywords"));

	temp_unlink(&f->dir, "A/dovecot-keywords");
	assert_int_equal(scan(f), 0);
	assert_int_equal(mask(f), FLAGS_SYSTEM);
}

static void a_keyword_table_put_right_after_the_scan_counts_from_the_next_on(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword(f, "work");

	temp_write_str(&f->dir, "A/cur/1.a.h:2,a", "x");
	assert_int_equal(scan(f), 0);
	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n");
	/* Makes the table be read; the listing has no keywords, and must not seem to lack them. */
	assert_int_equal(
		f->mailbox->ops->set_flags(f->mailbox, "1.a.h", 0, work | FLAG_SEEN, 0, &f->err),
		0);
	assert_int_equal(mask(f), FLAGS_SYSTEM);
	assert_int_equal(scan(f), 0);
	assert_int_equal(mask(f), FLAGS_SYSTEM | work);
	assert_int_equal(f->listing.items[0].flags, FLAG_SEEN | work);
}

static void a_mailbox_opened_again_with_a_good_table_holds_keywords(void **state)
{
	struct fixture *f = *state;
	uint64_t work = keyword(f, "work");
	uint64_t home = keyword(f, "home");

	temp_write_str(&f->dir, "A/cur/1.a.h:2,a", "x");
	assert_int_equal(scan(f), 0);
	assert_int_equal(mask(f), FLAGS_SYSTEM);
	f->mailbox->ops->close(f->mailbox);
	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n");
	mailbox_open(f);
	assert_int_equal(scan(f), 0);
	assert_int_equal(mask(f), FLAGS_SYSTEM | work | home);
	assert_int_equal(f->listing.items[0].flags, work);
	assert_int_equal(f->mailbox->ops->set_flags(f->mailbox, "1.a.h", 0, home, 0, &f->err), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,ab"));
}

static void letters_seen_on_files_are_given_to_no_keyword(void **state)
{
	struct fixture *f = *state;
	uint64_t home = keyword(f, "home");

	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,a", "x");
	assert_int_equal(scan(f), 0);
	temp_unlink(&f->dir, "A/dovecot-keywords");
	assert_int_equal(f->mailbox->ops->set_flags(f->mailbox, "1.a.h", 0, home, 0, &f->err), 0);
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,ab"));
	char *text = temp_read(&f->dir, "A/dovecot-keywords", NULL);
	assert_string_equal(text, "1 home\n");
	free(text);
}

static void a_lost_table_gives_no_letters_to_keywords(void **state)
{
	struct fixture *f = *state;
	uint64_t home = keyword(f, "home");

	temp_write_str(&f->dir, "A/cur/1.a.h:2,a", "x");
	assert_int_equal(scan(f), 0);
	assert_int_equal(f->mailbox->ops->set_flags(f->mailbox, "1.a.h", 0, home, 0, &f->err), 0);
	assert_false(temp_exists(&f->dir, "A/dovecot-keywords"));
	assert_true(temp_exists(&f->dir, "A/cur/1.a.h:2,a"));
}

static void a_new_keyword_file_keeps_mode_and_owner(void **state)
{
	struct fixture *f = *state;
	uint64_t home = keyword(f, "home");
	struct stat before;
	struct stat after;
	char *path = temp_path(&f->dir, "A/dovecot-keywords");

	temp_write_str(&f->dir, "A/dovecot-keywords", "0 work\n");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,", "x");
	if (geteuid() == 0)
		assert_int_equal(chown(path, 4321, 4322), 0);
	assert_int_equal(chmod(path, 0664), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(f->mailbox->ops->set_flags(f->mailbox, "1.a.h", 0, home, 0, &f->err), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_int_equal(after.st_gid, before.st_gid);
	free(path);
}

/* --- Two files of one name, and unusable names -------------------------------------- */

static void removing_takes_every_file_of_the_base_name(void **state)
{
	struct fixture *f = *state;

	for (int is_scanned = 0; is_scanned < 2; is_scanned++) {
		temp_write_str(&f->dir, "A/new/1.a.h", "x");
		temp_write_str(&f->dir, "A/cur/1.a.h:2,S", "x");
		temp_write_str(&f->dir, "A/cur/1.a.h:2,F", "x");
		temp_write_str(&f->dir, "A/cur/1.a.h2:2,S", "x");
		if (is_scanned)
			assert_int_equal(scan(f), 0);
		if (is_scanned) /* another program is quicker than the removal */
			temp_rename(&f->dir, "A/cur/1.a.h:2,F", "A/cur/1.a.h:2,FR");
		assert_int_equal(f->mailbox->ops->remove(f->mailbox, "1.a.h",
							 FLAG_SEEN | FLAG_FLAGGED, &f->err),
				 0);
		assert_int_equal(temp_count(&f->dir, "A/new", NULL), 0);
		assert_int_equal(temp_count(&f->dir, "A/cur", NULL), 1);
		assert_true(temp_exists(&f->dir, "A/cur/1.a.h2:2,S"));
	}
}

static void files_whose_names_are_unusable_are_warned_of(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "A/new/:2,S", "x");
	temp_write_str(&f->dir, "A/cur/:2,F", "x");
	temp_write_str(&f->dir, "A/cur/1.a.h:2,", "x");
	assert_int_equal(scan(f), 0);
	assert_int_equal(f->listing.count, 1);
	assert_int_equal(f->warnings, 1);
	assert_non_null(strstr(f->logged, "A/new/:2,S"));
	assert_non_null(strstr(f->logged, "2 files"));
	temp_unlink(&f->dir, "A/new/:2,S");
	temp_unlink(&f->dir, "A/cur/:2,F");
	assert_int_equal(scan(f), 0);
	assert_int_equal(f->warnings, 1);
}

/* --- Flushing -------------------------------------------------------------------------- */

static void a_flush_into_a_replaced_mailbox_fails(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(flush(f), 0);
	temp_rename(&f->dir, "A", "B");
	temp_mailbox(&f->dir, "A");
	assert_int_equal(flush(f), SYNCD_EIO);
}

static ino_t inode_of(const struct fixture *f, const char *name)
{
	char *path = temp_path(&f->dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_ino;
}

static void new_and_cur_are_durable_before_tmp(void **state)
{
	struct fixture *f = *state;

	synced_count = 0;
	assert_int_equal(flush(f), 0);
	assert_int_equal(synced_count, 3);
	assert_int_equal(synced[0], inode_of(f, "A/new"));
	assert_int_equal(synced[1], inode_of(f, "A/cur"));
	assert_int_equal(synced[2], inode_of(f, "A/tmp"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_letter_without_a_name_takes_keywords_out_of_the_mask),
		TEST(a_keyword_table_put_right_after_the_scan_counts_from_the_next_on),
		TEST(a_mailbox_opened_again_with_a_good_table_holds_keywords),
		TEST(letters_seen_on_files_are_given_to_no_keyword),
		TEST(a_lost_table_gives_no_letters_to_keywords),
		TEST(a_new_keyword_file_keeps_mode_and_owner),
		TEST(removing_takes_every_file_of_the_base_name),
		TEST(files_whose_names_are_unusable_are_warned_of),
		TEST(a_flush_into_a_replaced_mailbox_fails),
		TEST(new_and_cur_are_durable_before_tmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
