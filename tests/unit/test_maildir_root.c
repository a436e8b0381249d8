/* The root's mark, the tree of mailboxes, and what may be planted in it.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/maildir.h"
#include "syncd/must.h"

struct fixture {
	struct temp_dir dir;
	struct maildir_root root;
	struct error err;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	temp_mkdir(&f->dir, "root");
	char *path = temp_path(&f->dir, "root");
	maildir_root_init(&f->root, path, MAILDIR_VERBATIM, "abc123");
	free(path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	maildir_root_free(&f->root);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static int check(struct fixture *f, bool is_first)
{
	return maildir_root_check(&f->root, is_first, NULL, &f->err);
}

struct names {
	char *items[32];
	size_t count;
};

static void collect(void *context, const char *name, const char *unusable_why, uint64_t lasting_id)
{
	struct names *names = context;

	(void)lasting_id;
	must(names->count < ARRAY_LEN(names->items));
	names->items[names->count++] = xasprintf("%s%s", unusable_why != NULL ? "!" : "", name);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name" or "!name" for unusable ones, sorted, a blank between. */
static char *listed(struct fixture *f)
{
	struct names names = { .count = 0 };
	char *all = xstrdup("");

	assert_int_equal(maildir_list(&f->root, collect, &names, &f->err), 0);
	qsort(names.items, names.count, sizeof(names.items[0]), compare);
	for (size_t i = 0; i < names.count; i++) {
		char *longer = xasprintf("%s%s%s", all, i > 0 ? " " : "", names.items[i]);
		free(all);
		free(names.items[i]);
		all = longer;
	}
	return all;
}

static void assert_listed(struct fixture *f, const char *expected)
{
	char *all = listed(f);

	assert_string_equal(all, expected);
	free(all);
}

/* --- The mark --------------------------------------------------------------------- */

static void a_first_check_makes_the_mark_and_later_ones_want_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check(f, false), SYNCD_EROOT);
	assert_non_null(strstr(f->err.text, "lost its mark"));
	assert_int_equal(check(f, true), 0);
	assert_int_equal(check(f, false), 0);
	char *mark = temp_read(&f->dir, "root/.syncd", NULL);
	assert_string_equal(mark, "abc123\n");
	free(mark);
	temp_unlink(&f->dir, "root/.syncd");
	assert_int_equal(check(f, false), SYNCD_EROOT);
}

static void a_first_check_makes_a_root_with_its_parents(void **state)
{
	struct fixture *f = *state;
	struct maildir_root deep;
	char *path = temp_path(&f->dir, "x/y/z");

	maildir_root_init(&deep, path, MAILDIR_VERBATIM, "abc123");
	assert_int_equal(maildir_root_check(&deep, false, NULL, &f->err), SYNCD_EROOT);
	assert_false(temp_exists(&f->dir, "x"));
	assert_int_equal(maildir_root_check(&deep, true, NULL, &f->err), 0);
	assert_true(temp_exists(&f->dir, "x/y/z/.syncd"));
	maildir_root_free(&deep);
	free(path);
}

static void another_accounts_mark_is_refused_but_taken_over_by_a_first_check(void **state)
{
	struct fixture *f = *state;
	bool was_strange = false;

	temp_write_str(&f->dir, "root/.syncd", "other\n");
	assert_int_equal(check(f, false), SYNCD_EROOT);
	assert_int_equal(maildir_root_check(&f->root, true, &was_strange, &f->err), 0);
	assert_true(was_strange);
	assert_int_equal(check(f, false), 0);
}

static void a_root_that_vanished_or_is_no_directory_is_an_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check(f, true), 0);
	temp_rename(&f->dir, "root", "away");
	assert_int_equal(check(f, false), SYNCD_EROOT);
	temp_symlink(&f->dir, "nowhere", "root");
	assert_int_equal(check(f, false), SYNCD_EROOT);
	temp_unlink(&f->dir, "root");
	temp_write_str(&f->dir, "root", "a file");
	assert_int_equal(check(f, false), SYNCD_EROOT);
	assert_int_equal(check(f, true), SYNCD_EROOT);
	temp_unlink(&f->dir, "root");
	temp_mkdir(&f->dir, "root"); /* the empty mount point */
	assert_int_equal(check(f, false), SYNCD_EROOT);
}

static void the_root_itself_may_be_a_symlink_but_not_its_mark(void **state)
{
	struct fixture *f = *state;

	temp_rename(&f->dir, "root", "real");
	temp_symlink(&f->dir, "real", "root");
	assert_int_equal(check(f, true), 0);
	assert_int_equal(check(f, false), 0);
	temp_rename(&f->dir, "real/.syncd", "mark");
	temp_symlink(&f->dir, "../mark", "real/.syncd");
	assert_int_equal(check(f, false), SYNCD_EROOT);
}

/* --- The tree ------------------------------------------------------------------------ */

static void every_directory_with_cur_and_new_is_a_mailbox(void **state)
{
	struct fixture *f = *state;

	temp_mailbox(&f->dir, "root/INBOX");
	temp_mailbox(&f->dir, "root/A");
	temp_mailbox(&f->dir, "root/A/B");
	temp_mkdir(&f->dir, "root/C");
	temp_mailbox(&f->dir, "root/C/D");
	temp_mkdir(&f->dir, "root/.notmuch");
	temp_mailbox(&f->dir, "root/.notmuch/x");
	temp_write_str(&f->dir, "root/file", "");
	assert_listed(f, "A A/B C/D INBOX");
}

static void what_only_looks_like_a_mailbox_is_listed_as_unusable(void **state)
{
	struct fixture *f = *state;

	temp_mailbox(&f->dir, "root/inbox");
	temp_mailbox(&f->dir, "root/%2Eok");
	temp_mailbox(&f->dir, "root/%41%00");
	temp_mailbox(&f->dir, "outside");
	temp_symlink(&f->dir, "../outside", "root/link");
	temp_symlink(&f->dir, "nowhere", "root/dangling");
	temp_mkdir(&f->dir, "root/no-new");
	temp_mkdir(&f->dir, "root/no-new/cur");
	temp_mkdir(&f->dir, "root/half-made");
	temp_mkdir(&f->dir, "root/half-made/new");
	temp_mkdir(&f->dir, "root/no-cur");
	temp_mkdir(&f->dir, "root/no-cur/new");
	temp_write_str(&f->dir, "root/no-cur/new/1.x", "");
	assert_listed(f, "!%41%00 !dangling !inbox !link !no-cur !no-new .ok");
}

static void maildir_plus_plus_has_inbox_at_the_root(void **state)
{
	struct fixture *f = *state;

	f->root.layout = MAILDIR_PLUSPLUS;
	assert_int_equal(maildir_create(&f->root, "INBOX", &f->err), 0);
	assert_int_equal(maildir_create(&f->root, "A/B.c", &f->err), 0);
	assert_true(temp_exists(&f->dir, "root/cur"));
	assert_true(temp_exists(&f->dir, "root/.A.B%2Ec/cur"));
	temp_mailbox(&f->dir, "root/.X..Y");
	temp_mailbox(&f->dir, "root/plain");
	assert_listed(f, "!.X..Y A/B.c INBOX");
}

static void created_mailboxes_are_listed_and_open(void **state)
{
	static const char *const names[] = { "INBOX", "A/../B", "/abs", "cur/new/tmp", "x\ny" };
	struct fixture *f = *state;
	struct maildir *maildir;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (int twice = 0; twice < 2; twice++)
			assert_int_equal(maildir_create(&f->root, names[i], &f->err), 0);
		assert_int_equal(maildir_open(&f->root, names[i], &maildir, &f->err), 0);
		assert_string_equal(maildir_name(maildir), names[i]);
		maildir_close(&maildir);
	}
	assert_listed(f, "/abs A/../B INBOX cur/new/tmp x\ny");
	assert_int_equal(temp_count(&f->dir, "", NULL), 1); /* nothing beside the root */
}

static void a_mailbox_that_is_not_there_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct maildir *maildir;

	assert_int_equal(maildir_open(&f->root, "A", &maildir, &f->err), SYNCD_ENOTFOUND);
	assert_null(maildir);
	temp_mkdir(&f->dir, "root/A");
	assert_int_equal(maildir_open(&f->root, "A", &maildir, &f->err), SYNCD_ENOTFOUND);
	assert_int_equal(temp_count(&f->dir, "root/A", NULL), 0);
}

static void symlinks_and_files_in_the_way_stop_opening_and_creating(void **state)
{
	static const char *const targets[] = { "../outside", "/etc", "nowhere", "root" };
	struct fixture *f = *state;
	struct maildir *maildir;

	temp_mailbox(&f->dir, "outside");
	temp_mailbox(&f->dir, "outside/B");
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		temp_symlink(&f->dir, targets[i], "root/A");
		assert_int_not_equal(maildir_open(&f->root, "A", &maildir, &f->err), 0);
		assert_int_not_equal(maildir_open(&f->root, "A/B", &maildir, &f->err), 0);
		assert_int_not_equal(maildir_create(&f->root, "A", &f->err), 0);
		assert_int_not_equal(maildir_create(&f->root, "A/C", &f->err), 0);
		temp_unlink(&f->dir, "root/A");
	}
	temp_write_str(&f->dir, "root/A", "a file");
	assert_int_not_equal(maildir_open(&f->root, "A", &maildir, &f->err), 0);
	assert_int_not_equal(maildir_create(&f->root, "A/C", &f->err), 0);
	assert_false(temp_exists(&f->dir, "outside/C"));
}

static void a_mailbox_whose_cur_is_a_symlink_does_not_open(void **state)
{
	struct fixture *f = *state;
	struct maildir *maildir;

	temp_mailbox(&f->dir, "outside");
	temp_mkdir(&f->dir, "root/A");
	temp_mkdir(&f->dir, "root/A/new");
	temp_symlink(&f->dir, "../../outside/cur", "root/A/cur");
	assert_int_not_equal(maildir_open(&f->root, "A", &maildir, &f->err), 0);
}

static void a_listing_without_a_root_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct names names = { .count = 0 };

	temp_rename(&f->dir, "root", "away");
	assert_int_equal(maildir_list(&f->root, collect, &names, &f->err), SYNCD_EROOT);
	assert_int_equal(names.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_first_check_makes_the_mark_and_later_ones_want_it),
		TEST(a_first_check_makes_a_root_with_its_parents),
		TEST(another_accounts_mark_is_refused_but_taken_over_by_a_first_check),
		TEST(a_root_that_vanished_or_is_no_directory_is_an_error),
		TEST(the_root_itself_may_be_a_symlink_but_not_its_mark),
		TEST(every_directory_with_cur_and_new_is_a_mailbox),
		TEST(what_only_looks_like_a_mailbox_is_listed_as_unusable),
		TEST(maildir_plus_plus_has_inbox_at_the_root),
		TEST(created_mailboxes_are_listed_and_open),
		TEST(a_mailbox_that_is_not_there_is_not_found),
		TEST(symlinks_and_files_in_the_way_stop_opening_and_creating),
		TEST(a_mailbox_whose_cur_is_a_symlink_does_not_open),
		TEST(a_listing_without_a_root_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
