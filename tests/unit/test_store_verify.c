/* Tests of the look at a database before LMDB gets it: damage is told, a sound file passes, and one
 * that was closed in order is not read through again.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/store/lock.h"
#include "../../src/store/verify.h"
#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/store.h"

#define DATA "work/data.mdb"
#define LOCK "work/lock"
#define MESSAGES 400

/* Of LMDB's format: what is where in a page. */
#define AT_NUMBER 0
#define AT_FLAGS 10
#define AT_LOWER 12
#define AT_UPPER 14
#define AT_OFFSETS 16
#define AT_PAGE_SIZE 40
#define AT_FREE_ROOT 80
#define AT_NAMES_FLAGS 92
#define AT_NAMES_ROOT 128
#define AT_LAST_PAGE 136
#define AT_TRANSACTION 144
#define BRANCH 1
#define LEAF 2
#define OVERFLOW 4

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct store *store;
	struct store_options options;
	struct error err;
	char *file; /* as it was closed */
	size_t len;
	size_t page_size;
};

static int open_store(struct fixture *f)
{
	return store_open(f->loop, f->dir.path, "work", &f->options, &f->store, &f->err);
}

static void commit_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

static void commit(struct fixture *f, struct store_batch *batch)
{
	int code = 1;
	struct store_commit_req req = { .op = { .done = commit_done, .impl = &code } };

	store_batch_init(&req.batch);
	store_batch_move(&req.batch, batch);
	store_commit(f->store, &req);
	while (code == 1)
		loop_fake_advance(f->loop, 0);
	assert_int_equal(code, 0);
}

static void put_messages(struct store_batch *batch)
{
	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		struct message_record message = { .uid = uid };
		(void)snprintf(message.name, sizeof(message.name), "%u.name", (unsigned)uid);
		store_batch_put_message(batch, 1, &message);
	}
}

/* A record with pages of its own. */
static void put_mailbox(struct store_batch *batch)
{
	struct mailbox_record mailbox = { .id = 1, .name = "INBOX" };
	char name[128];

	keyword_table_init(&mailbox.keywords);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "keyword-%0100d", i);
		(void)keyword_table_intern(&mailbox.keywords, slice_of(name));
	}
	store_batch_put_mailbox(batch, &mailbox);
	keyword_table_free(&mailbox.keywords);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct store_batch batch;

	temp_dir_make(&f->dir);
	f->loop = loop_new_fake();
	f->options = (struct store_options){ .program = "test", .map_size_bytes = 1024 * 1024 };
	assert_int_equal(open_store(f), 0);
	assert_int_equal(store_mailbox_new_id(f->store), 1);
	store_batch_init(&batch);
	put_messages(&batch);
	put_mailbox(&batch);
	commit(f, &batch);
	store_batch_delete_message(&batch, 1, 1);
	commit(f, &batch);
	store_close(&f->store);
	f->file = temp_read(&f->dir, DATA, &f->len);
	memcpy(&f->page_size, f->file + AT_PAGE_SIZE, sizeof(uint32_t));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->store != NULL)
		store_close(&f->store);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f->file);
	free(f);
	return 0;
}

/* --- Damage ------------------------------------------------------------------- */

static char *page(struct fixture *f, size_t number)
{
	return f->file + number * f->page_size;
}

static uint16_t u16_at(const char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void put_u16(char *at, unsigned value)
{
	uint16_t narrow = (uint16_t)value;

	memcpy(at, &narrow, sizeof(narrow));
}

static void put_size(char *at, size_t value)
{
	memcpy(at, &value, sizeof(value));
}

static size_t size_at(const char *at)
{
	size_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The header that counts. */
static char *header(struct fixture *f)
{
	return page(f, size_at(page(f, 0) + AT_TRANSACTION) < size_at(page(f, 1) + AT_TRANSACTION)
			       ? 1
			       : 0);
}

/* A page with these flags. Free pages are left as they were when they had a use, and nobody looks
 * at them: the last one is of the last commit. */
static char *page_of(struct fixture *f, unsigned flags)
{
	char *found = NULL;
	size_t last = size_at(header(f) + AT_LAST_PAGE);

	for (size_t i = 2; i <= last; i++) {
		if (u16_at(page(f, i) + AT_FLAGS) == flags && size_at(page(f, i)) == i)
			found = page(f, i);
	}
	assert_non_null(found);
	return found;
}

static char *names_root(struct fixture *f)
{
	return page(f, size_at(header(f) + AT_NAMES_ROOT));
}

static char *entry(char *of_page, unsigned index)
{
	return of_page + u16_at(of_page + AT_OFFSETS + 2 * index);
}

/* Each spoils `f->file`. */
static void spoil_magic(struct fixture *f)
{
	page(f, 1)[16] ^= 1;
}
static void spoil_page_size(struct fixture *f)
{
	put_u16(header(f) + AT_PAGE_SIZE, 0);
}
static void spoil_transaction(struct fixture *f)
{
	char *at = header(f) + AT_TRANSACTION;

	put_size(at, size_at(at) + 1);
}
static void spoil_last_page(struct fixture *f)
{
	put_size(header(f) + AT_LAST_PAGE, SIZE_MAX / 2);
}
static void spoil_root(struct fixture *f)
{
	put_size(header(f) + AT_NAMES_ROOT, 1);
}
static void spoil_tree_flags(struct fixture *f)
{
	put_u16(header(f) + AT_NAMES_FLAGS, 4);
}
static void spoil_free_root(struct fixture *f)
{
	put_size(header(f) + AT_FREE_ROOT, size_at(header(f) + AT_NAMES_ROOT));
}
static void spoil_flags(struct fixture *f)
{
	put_u16(names_root(f) + AT_FLAGS, LEAF | 32);
}
static void spoil_number(struct fixture *f)
{
	names_root(f)[AT_NUMBER] ^= 1;
}
static void spoil_lower(struct fixture *f)
{
	put_u16(names_root(f) + AT_LOWER, 0xfffe);
}
static void spoil_upper(struct fixture *f)
{
	put_u16(names_root(f) + AT_UPPER, u16_at(names_root(f) + AT_UPPER) - 2);
}
static void spoil_offset(struct fixture *f)
{
	put_u16(names_root(f) + AT_OFFSETS, (unsigned)f->page_size - 2);
}
static void spoil_offset_twice(struct fixture *f)
{
	put_u16(names_root(f) + AT_OFFSETS, u16_at(names_root(f) + AT_OFFSETS + 2));
}
static void spoil_key_length(struct fixture *f)
{
	put_u16(entry(names_root(f), 0) + 6, 600);
}
static void spoil_key(struct fixture *f)
{
	entry(names_root(f), 0)[8] = 'z';
}
static void spoil_value_length(struct fixture *f)
{
	put_u16(entry(names_root(f), 0), 5000);
}
static void spoil_entry_flags(struct fixture *f)
{
	put_u16(entry(names_root(f), 0) + 4, 4);
}
static void spoil_child(struct fixture *f)
{
	char *branch = page_of(f, BRANCH);

	memcpy(entry(branch, 1), branch, sizeof(uint32_t)); /* it is its own child */
}
static void spoil_separator(struct fixture *f)
{
	entry(page_of(f, BRANCH), 1)[8] ^= 0x7f;
}
static void spoil_overflow(struct fixture *f)
{
	put_u16(page_of(f, OVERFLOW) + AT_LOWER, 1000);
}
static void spoil_free_list(struct fixture *f)
{
	char *list = entry(page(f, size_at(header(f) + AT_FREE_ROOT)), 0);

	put_size(list + 16, SIZE_MAX);
}
static void spoil_free_page(struct fixture *f)
{
	char *list = entry(page(f, size_at(header(f) + AT_FREE_ROOT)), 0);

	put_size(list + 24, size_at(header(f) + AT_NAMES_ROOT));
}
static void spoil_table_name(struct fixture *f)
{
	assert_memory_equal(entry(names_root(f), 5) + 8, "message", 7);
	memcpy(entry(names_root(f), 5) + 8, "messagf", 7);
}
static void spoil_first_table_name(struct fixture *f)
{
	assert_memory_equal(entry(names_root(f), 6) + 8, "meta", 4);
	entry(names_root(f), 6)[8 + 3] = 'b';
}

static const struct spoil_case {
	void (*spoil)(struct fixture *f);
	const char *words;
} spoils[] = {
	{ spoil_magic, "no header" },
	{ spoil_page_size, "page size" },
	{ spoil_transaction, "wrong transaction" },
	{ spoil_last_page, "beyond the end of the file" },
	{ spoil_root, "beyond the end" },
	{ spoil_tree_flags, "no tree's beginning" },
	{ spoil_free_root, "page" },
	{ spoil_flags, "not of its kind" },
	{ spoil_number, "not of its kind" },
	{ spoil_lower, "no sound beginning" },
	{ spoil_upper, "wrong size" },
	{ spoil_offset, "not in it" },
	{ spoil_offset_twice, "overlap" },
	{ spoil_key_length, "not in it" },
	{ spoil_key, "out of order" },
	{ spoil_value_length, "not in it" },
	{ spoil_entry_flags, "another kind" },
	{ spoil_child, "two uses" },
	{ spoil_separator, "out of order" },
	{ spoil_overflow, "beyond the end" },
	{ spoil_free_list, "wrong list" },
	{ spoil_free_page, "two uses" },
	{ spoil_table_name, "MDB_CORRUPTED" },
	{ spoil_first_table_name, "MDB_CORRUPTED" },
};

/* The stamp of the file is another one, and there is no note. */
static void write_file(struct fixture *f)
{
	temp_write(&f->dir, DATA, f->file, f->len);
	temp_write_str(&f->dir, LOCK, "");
}

static void damage_is_told_before_lmdb_meets_it(void **state)
{
	struct fixture *f = *state;
	char *whole = xmalloc(f->len);

	memcpy(whole, f->file, f->len);
	for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
		memcpy(f->file, whole, f->len);
		spoils[i].spoil(f);
		write_file(f);
		int code = open_store(f);
		if (code != SYNCD_EIO || strstr(f->err.text, spoils[i].words) == NULL)
			fail_msg("%zu: %s: %d %s", i, spoils[i].words, code,
				 code != 0 ? f->err.text : "");
		assert_non_null(strstr(f->err.text, "damaged"));
		assert_non_null(strstr(f->err.context, "work"));
	}
	memcpy(f->file, whole, f->len);
	write_file(f);
	assert_int_equal(open_store(f), 0);
	free(whole);
}

static void a_number_that_no_mailbox_can_get_is_damage(void **state)
{
	struct fixture *f = *state;
	char *key = NULL;

	for (size_t i = 0; key == NULL && i + 16 < f->len; i++) {
		if (memcmp(f->file + i, "next-mailbox", 12) == 0)
			key = f->file + i;
	}
	assert_non_null(key);
	for (char *at = key; at + 16 < f->file + f->len; at++) {
		if (memcmp(at, "next-mailbox", 12) == 0)
			memset(at + 12, 0xff, 4);
	}
	write_file(f);
	assert_int_equal(open_store(f), SYNCD_EIO);
	assert_non_null(strstr(f->err.text, "the next mailbox's number"));
}

/* --- When it is looked at -------------------------------------------------------- */

/* Damage that LMDB does not mind: a free page that is in use, too. */
static void spoil_harmlessly(struct fixture *f)
{
	spoil_free_page(f);
	write_file(f);
}

static void a_file_closed_in_order_is_not_read_through_again(void **state)
{
	struct fixture *f = *state;
	char *work = temp_path(&f->dir, "work");
	char stamp[VERIFY_STAMP_MAX];
	char *text;

	assert_int_equal(open_store(f), 0);
	store_close(&f->store);
	verify_stamp(work, stamp);
	text = temp_read(&f->dir, LOCK, NULL);
	assert_non_null(strstr(text, stamp));
	free(text);
	spoil_harmlessly(f);
	assert_int_equal(open_store(f), SYNCD_EIO);
	verify_stamp(work, stamp);
	text = xasprintf("pid 1 (test)\n%s\n", stamp);
	temp_write_str(&f->dir, LOCK, text);
	assert_int_equal(open_store(f), 0);
	free(text);
	free(work);
}

/* Its process may have been killed by the damage. */
static void a_file_that_was_not_closed_is_read_through(void **state)
{
	struct fixture *f = *state;
	char *text;

	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(open_store(f) == 0 ? 0 : 1);
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	text = temp_read(&f->dir, LOCK, NULL);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
	assert_int_equal(open_store(f), 0);
}

static void a_read_only_look_leaves_the_note(void **state)
{
	struct fixture *f = *state;
	char *before;
	char *after;

	assert_int_equal(open_store(f), 0);
	store_close(&f->store);
	before = temp_read(&f->dir, LOCK, NULL);
	f->options.is_read_only = true;
	assert_int_equal(open_store(f), 0);
	store_close(&f->store);
	after = temp_read(&f->dir, LOCK, NULL);
	assert_string_equal(strchr(before, '\n'), strchr(after, '\n'));
	free(before);
	free(after);
}

static void a_missing_or_empty_file_passes(void **state)
{
	struct fixture *f = *state;
	char *work = temp_path(&f->dir, "work");

	temp_write_str(&f->dir, DATA, "");
	assert_int_equal(verify_database(work, &f->err), 0);
	temp_unlink(&f->dir, DATA);
	assert_int_equal(verify_database(work, &f->err), 0);
	free(work);
}

int main(void)
{
#define VERIFY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		VERIFY_TEST(damage_is_told_before_lmdb_meets_it),
		VERIFY_TEST(a_number_that_no_mailbox_can_get_is_damage),
		VERIFY_TEST(a_file_closed_in_order_is_not_read_through_again),
		VERIFY_TEST(a_file_that_was_not_closed_is_read_through),
		VERIFY_TEST(a_read_only_look_leaves_the_note),
		VERIFY_TEST(a_missing_or_empty_file_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
