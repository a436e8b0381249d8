/* Local changes are noticed, on the real loop.
 * SPDX-License-Identifier: MIT */
#include "syncd/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define PATIENCE_MS 5000
#define QUIET_MS 150 /* longer than a new file is held back */
#define CHANGED_MAX 8
#define TOLD_MAX 512

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct watch *watch;
	struct watch_user user;
	struct loop_timer patience;
	struct error err;
	char changed[CHANGED_MAX][16];
	size_t changed_count;
	char *told[TOLD_MAX]; /* the first ones: "+a new/1.x" appeared, "-" vanished */
	size_t told_count;
	size_t tree_count;
	size_t everything_count;
	size_t gone_count;
	bool removes_inside; /* the callback stops watching the mailbox it is told of */
};

static struct fixture *fixture_of(struct watch_user *user)
{
	return container_of(user, struct fixture, user);
}

static void mailbox_changed(struct watch_user *user, const char *name)
{
	struct fixture *f = fixture_of(user);

	must(f->changed_count < CHANGED_MAX);
	if (f->removes_inside)
		watch_remove_mailbox(f->watch, name);
	(void)snprintf(f->changed[f->changed_count++], sizeof(f->changed[0]), "%s", name);
	loop_stop(f->loop);
}

static void file_changed(struct watch_user *user, const char *mailbox,
			 const struct local_hint *hint)
{
	struct fixture *f = fixture_of(user);

	if (f->told_count < TOLD_MAX)
		f->told[f->told_count] = xasprintf("%c%s %s/%s", hint->is_gone ? '-' : '+', mailbox,
						   hint->is_new ? "new" : "cur", hint->file);
	f->told_count++;
	if (f->removes_inside)
		watch_remove_mailbox(f->watch, mailbox);
	loop_stop(f->loop);
}

static void tree_changed(struct watch_user *user)
{
	fixture_of(user)->tree_count++;
	loop_stop(fixture_of(user)->loop);
}

static void everything_changed(struct watch_user *user)
{
	fixture_of(user)->everything_count++;
	loop_stop(fixture_of(user)->loop);
}

static void root_gone(struct watch_user *user)
{
	fixture_of(user)->gone_count++;
	loop_stop(fixture_of(user)->loop);
}

static const struct watch_ops ops = {
	.file_changed = file_changed,
	.mailbox_changed = mailbox_changed,
	.tree_changed = tree_changed,
	.everything_changed = everything_changed,
	.root_gone = root_gone,
};

static void patience_over(struct loop_timer *timer)
{
	loop_stop(container_of(timer, struct fixture, patience)->loop);
}

static void add(struct fixture *f, const char *name, const char *path)
{
	assert_int_equal(watch_add_mailbox(f->watch, name, path, &f->err), 0);
}

static void forget(struct fixture *f)
{
	for (size_t i = 0; i < f->told_count && i < TOLD_MAX; i++)
		free(f->told[i]);
	f->told_count = 0;
	f->changed_count = f->tree_count = f->everything_count = f->gone_count = 0;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	temp_dir_make(&f->dir);
	temp_mkdir(&f->dir, "root");
	temp_mailbox(&f->dir, "root/A");
	temp_mailbox(&f->dir, "root/B");
	temp_mkdir(&f->dir, "root/C");
	f->loop = loop_new();
	loop_timer_init(f->loop, &f->patience, patience_over);
	f->user.ops = &ops;
	char *root = temp_path(&f->dir, "root");
	assert_int_equal(watch_new(f->loop, root, &f->user, &f->watch, &f->err), 0);
	free(root);
	add(f, "a", "A");
	add(f, "b", "B");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	forget(f);
	watch_free(&f->watch);
	loop_run(f->loop);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* Runs until something was noticed, for `ms` at most. */
static void notice_within(struct fixture *f, uint64_t ms)
{
	loop_timer_start(&f->patience, ms);
	loop_run(f->loop);
	loop_timer_stop(&f->patience);
}

static void notice(struct fixture *f)
{
	forget(f);
	notice_within(f, PATIENCE_MS);
}

/* Runs until that many files were told of, then for a moment more; nothing else may be told. */
static void assert_told(struct fixture *f, size_t count, const char *const *expected)
{
	forget(f);
	for (int i = 0; i < 100 && f->told_count < count; i++)
		notice_within(f, PATIENCE_MS);
	notice_within(f, QUIET_MS);
	assert_int_equal(f->told_count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(f->told[i], expected[i]);
	assert_int_equal(f->changed_count + f->tree_count + f->everything_count + f->gone_count, 0);
}

#define TOLD(f, ...)                                                                               \
	do {                                                                                       \
		const char *const expected[] = { __VA_ARGS__ };                                    \
		assert_told(f, ARRAY_LEN(expected), expected);                                     \
	} while (0)

static void deliveries_renames_and_removals_are_told_in_their_order(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/tmp/1.x", "hello");
	temp_rename(&f->dir, "root/A/tmp/1.x", "root/A/new/1.x");
	TOLD(f, "+a new/1.x");
	temp_rename(&f->dir, "root/A/new/1.x", "root/A/cur/1.x:2,S");
	temp_rename(&f->dir, "root/A/cur/1.x:2,S", "root/A/cur/1.x:2,RS");
	TOLD(f, "-a new/1.x", "+a cur/1.x:2,S", "-a cur/1.x:2,S", "+a cur/1.x:2,RS");
	temp_rename(&f->dir, "root/A/cur/1.x:2,RS", "root/B/cur/1.x:2,RS");
	TOLD(f, "-a cur/1.x:2,RS", "+b cur/1.x:2,RS");
	temp_unlink(&f->dir, "root/B/cur/1.x:2,RS");
	TOLD(f, "-b cur/1.x:2,RS");
}

static void many_changes_at_once_are_told_one_by_one(void **state)
{
	struct fixture *f = *state;
	const char *expected[200];
	char name[64];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "root/A/new/%d.x", i);
		temp_write_str(&f->dir, name, "");
		expected[i] = xasprintf("+a new/%d.x", i);
	}
	assert_told(f, 200, expected);
	for (int i = 0; i < 200; i++)
		free((char *)(uintptr_t)expected[i]);
}

/* --- Programs that write a message where it is to stay ---------------------------------- */

static void link_file(struct fixture *f, const char *from, const char *to)
{
	char *from_path = temp_path(&f->dir, from);
	char *to_path = temp_path(&f->dir, to);

	assert_int_equal(link(from_path, to_path), 0);
	free(from_path);
	free(to_path);
}

static void a_file_written_in_place_is_told_when_it_is_closed(void **state)
{
	struct fixture *f = *state;
	char *path = temp_path(&f->dir, "root/A/cur/1.x:2,");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs("Subject: he", file) >= 0 && fflush(file) == 0);
	forget(f);
	notice_within(f, QUIET_MS);
	assert_int_equal(f->told_count, 0);
	temp_write_str(&f->dir, "root/B/new/2.x", "another file is told meanwhile");
	TOLD(f, "+b new/2.x");
	assert_true(fputs("llo\n\n", file) >= 0 && fclose(file) == 0);
	TOLD(f, "+a cur/1.x:2,");
	free(path);
}

static void a_file_removed_while_it_is_written_is_told_only_as_gone(void **state)
{
	struct fixture *f = *state;
	char *path = temp_path(&f->dir, "root/A/cur/1.x:2,");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs("Subject: he", file) >= 0 && fflush(file) == 0);
	temp_unlink(&f->dir, "root/A/cur/1.x:2,");
	assert_int_equal(fclose(file), 0);
	TOLD(f, "-a cur/1.x:2,");
	free(path);
}

static void a_link_is_told_after_a_moment(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/tmp/1.x", "hello");
	link_file(f, "root/A/tmp/1.x", "root/A/new/1.x");
	temp_unlink(&f->dir, "root/A/tmp/1.x");
	TOLD(f, "+a new/1.x");
}

static void a_rename_by_link_and_unlink_keeps_its_order(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/new/1.x", "hello");
	TOLD(f, "+a new/1.x");
	link_file(f, "root/A/new/1.x", "root/A/cur/1.x:2,S");
	temp_unlink(&f->dir, "root/A/new/1.x");
	TOLD(f, "+a cur/1.x:2,S", "-a new/1.x");
}

static void a_file_moved_out_of_sight_is_told_after_a_while(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/cur/1.x:2,", "hello");
	temp_write_str(&f->dir, "root/A/cur/2.x:2,", "hello");
	TOLD(f, "+a cur/1.x:2,", "+a cur/2.x:2,");
	temp_rename(&f->dir, "root/A/cur/1.x:2,", "1.x");
	temp_rename(&f->dir, "root/A/cur/2.x:2,", "root/A/tmp/2.x");
	forget(f);
	notice_within(f, QUIET_MS);
	assert_int_equal(f->told_count, 0); /* the second half of a rename may be late */
	TOLD(f, "-a cur/1.x:2,", "-a cur/2.x:2,");
}

static void a_file_moved_out_and_back_is_told_in_this_order(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/cur/1.x:2,", "hello");
	TOLD(f, "+a cur/1.x:2,");
	temp_rename(&f->dir, "root/A/cur/1.x:2,", "1.x");
	temp_rename(&f->dir, "1.x", "root/A/cur/1.x:2,S");
	TOLD(f, "-a cur/1.x:2,", "+a cur/1.x:2,S");
}

static void a_file_renamed_to_a_dot_file_has_vanished_at_once(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/cur/1.x:2,", "hello");
	TOLD(f, "+a cur/1.x:2,");
	temp_rename(&f->dir, "root/A/cur/1.x:2,", "root/A/cur/.nfs1");
	forget(f);
	notice_within(f, QUIET_MS);
	assert_int_equal(f->told_count, 1);
	assert_string_equal(f->told[0], "-a cur/1.x:2,");
}

static void what_is_written_in_place_without_end_does_not_hold_up_others(void **state)
{
	struct fixture *f = *state;
	FILE *files[300];
	char name[64];

	for (int i = 0; i < 300; i++) { /* more than are held */
		(void)snprintf(name, sizeof(name), "root/A/cur/%d.x", i);
		char *path = temp_path(&f->dir, name);
		files[i] = fopen(path, "w");
		assert_non_null(files[i]);
		assert_true(fputs("x", files[i]) >= 0 && fflush(files[i]) == 0);
		free(path);
	}
	forget(f);
	for (int i = 0; i < 10; i++)
		notice_within(f, QUIET_MS);
	assert_int_equal(f->told_count, 300 - 256);
	for (int i = 0; i < 300; i++)
		assert_int_equal(fclose(files[i]), 0);
}

static void a_file_that_changes_in_place_later_is_not_told(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/cur/1.x", "hello");
	TOLD(f, "+a cur/1.x");
	temp_write_str(&f->dir, "root/A/cur/1.x", "again");
	temp_write_str(&f->dir, "root/B/cur/2.x", "hello");
	TOLD(f, "+b cur/2.x");
}

static void files_with_a_dot_and_directories_are_not_told(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/cur/.nfs1", "hello");
	temp_mkdir(&f->dir, "root/A/cur/directory");
	temp_write_str(&f->dir, "root/B/cur/2.x", "hello");
	TOLD(f, "+b cur/2.x");
}

/* --- Trees --------------------------------------------------------------------------------- */

static void a_removed_cur_is_told_as_a_changed_mailbox(void **state)
{
	struct fixture *f = *state;

	temp_rename(&f->dir, "root/A/cur", "root/A/away");
	notice(f);
	notice_within(f, QUIET_MS);
	assert_int_equal(f->changed_count, 1);
	assert_string_equal(f->changed[0], "a");
	assert_int_equal(f->tree_count, 1);
}

static void changes_in_tmp_and_ordinary_files_are_not_told(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/tmp/1.x", "hello");
	temp_write_str(&f->dir, "root/A/dovecot-keywords", "0 x\n");
	temp_write_str(&f->dir, "root/file", "hello");
	temp_write_str(&f->dir, "root/B/new/1.x", "hello");
	TOLD(f, "+b new/1.x");
}

static void new_directories_are_told_at_any_depth(void **state)
{
	struct fixture *f = *state;

	temp_mkdir(&f->dir, "root/D");
	notice(f);
	assert_int_equal(f->tree_count, 1);
	temp_mkdir(&f->dir, "root/D/E");
	notice(f);
	assert_int_equal(f->tree_count, 1);
	temp_mkdir(&f->dir, "root/D/E/cur");
	notice(f);
	assert_int_equal(f->tree_count, 1);
	temp_mkdir(&f->dir, "root/C/F"); /* C had no mailbox when the watch began */
	notice(f);
	assert_int_equal(f->tree_count, 1);
	temp_mkdir(&f->dir, "root/A/G");
	notice(f);
	assert_int_equal(f->tree_count, 1);
}

static void a_renamed_mailbox_is_told_as_a_changed_tree(void **state)
{
	struct fixture *f = *state;

	temp_rename(&f->dir, "root/A", "root/Z");
	notice(f);
	assert_int_equal(f->tree_count, 1);
	assert_int_equal(f->gone_count, 0);
}

static void a_root_that_is_moved_away_is_told(void **state)
{
	struct fixture *f = *state;

	temp_rename(&f->dir, "root", "away");
	notice(f);
	assert_int_equal(f->gone_count, 1);
}

static void a_mailbox_no_longer_watched_is_silent(void **state)
{
	struct fixture *f = *state;

	watch_remove_mailbox(f->watch, "a");
	watch_remove_mailbox(f->watch, "never there");
	temp_write_str(&f->dir, "root/A/new/1.x", "hello");
	temp_write_str(&f->dir, "root/B/new/1.x", "hello");
	TOLD(f, "+b new/1.x");
	add(f, "a", "A");
	temp_write_str(&f->dir, "root/A/new/2.x", "hello");
	TOLD(f, "+a new/2.x");
}

static void a_mailbox_may_be_removed_inside_the_callback(void **state)
{
	struct fixture *f = *state;

	f->removes_inside = true;
	temp_write_str(&f->dir, "root/A/new/1.x", "hello");
	temp_write_str(&f->dir, "root/A/new/2.x", "hello");
	temp_write_str(&f->dir, "root/B/new/1.x", "hello");
	TOLD(f, "+a new/1.x", "+b new/1.x");
	temp_write_str(&f->dir, "root/A/new/3.x", "hello");
	temp_mkdir(&f->dir, "root/D");
	notice(f);
	assert_int_equal(f->told_count, 0);
	assert_int_equal(f->tree_count, 1);
}

static void inbox_at_the_root_is_watched_beside_the_root(void **state)
{
	struct fixture *f = *state;

	temp_mkdir(&f->dir, "root/cur");
	temp_mkdir(&f->dir, "root/new");
	notice(f);
	add(f, "inbox", ".");
	temp_write_str(&f->dir, "root/new/1.x", "hello");
	TOLD(f, "+inbox new/1.x");
	temp_mkdir(&f->dir, "root/.X");
	notice(f);
	assert_int_equal(f->tree_count, 1);
}

/* More events than the kernel queues (fs.inotify.max_queued_events); like
 * events in a row count as one, so two files take turns. */
static void lost_events_mean_that_everything_may_have_changed(void **state)
{
	struct fixture *f = *state;
	char *first = temp_path(&f->dir, "root/A/new/1.x");
	char *second = temp_path(&f->dir, "root/A/new/2.x");
	FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	int max = 0;

	if (limit == NULL || fscanf(limit, "%d", &max) != 1 || max > 100000)
		max = 0;
	if (limit != NULL)
		assert_int_equal(fclose(limit), 0);
	temp_write_str(&f->dir, "root/A/new/1.x", "");
	for (int i = 0; i < max; i += 4) {
		assert_int_equal(rename(first, second), 0);
		assert_int_equal(rename(second, first), 0);
	}
	free(first);
	free(second);
	if (max == 0)
		skip();
	notice(f);
	while (f->everything_count == 0 && f->told_count > 0)
		notice(f);
	assert_int_equal(f->everything_count, 1);
}

static void what_is_not_there_cannot_be_watched(void **state)
{
	struct fixture *f = *state;
	struct watch *watch;
	char *nowhere = temp_path(&f->dir, "nowhere");

	assert_int_equal(watch_new(f->loop, nowhere, &f->user, &watch, &f->err), SYNCD_EROOT);
	assert_null(watch);
	free(nowhere);
	assert_int_equal(watch_add_mailbox(f->watch, "n", "N", &f->err), SYNCD_ENOTFOUND);
	assert_int_equal(watch_add_mailbox(f->watch, "c", "C", &f->err), SYNCD_ENOTFOUND);
	temp_write_str(&f->dir, "root/A/new/1.x", "hello");
	TOLD(f, "+a new/1.x");
}

/* Descriptors used up give the same answer as instances used up; taking all
 * of those would disturb the tests that run beside this one. */
static void a_used_up_limit_is_told_as_such(void **state)
{
	struct fixture *f = *state;
	struct watch *watch;
	struct rlimit old;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	struct rlimit none = { .rlim_cur = 0, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int code = watch_new(f->loop, f->dir.path, &f->user, &watch, &f->err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(code, SYNCD_ELIMIT);
	assert_null(watch);
	assert_non_null(strstr(f->err.text, "max_user_watches"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(deliveries_renames_and_removals_are_told_in_their_order),
		TEST(many_changes_at_once_are_told_one_by_one),
		TEST(a_file_written_in_place_is_told_when_it_is_closed),
		TEST(a_file_removed_while_it_is_written_is_told_only_as_gone),
		TEST(a_link_is_told_after_a_moment),
		TEST(a_rename_by_link_and_unlink_keeps_its_order),
		TEST(a_file_moved_out_of_sight_is_told_after_a_while),
		TEST(a_file_moved_out_and_back_is_told_in_this_order),
		TEST(a_file_renamed_to_a_dot_file_has_vanished_at_once),
		TEST(what_is_written_in_place_without_end_does_not_hold_up_others),
		TEST(a_file_that_changes_in_place_later_is_not_told),
		TEST(files_with_a_dot_and_directories_are_not_told),
		TEST(a_removed_cur_is_told_as_a_changed_mailbox),
		TEST(changes_in_tmp_and_ordinary_files_are_not_told),
		TEST(new_directories_are_told_at_any_depth),
		TEST(a_renamed_mailbox_is_told_as_a_changed_tree),
		TEST(a_root_that_is_moved_away_is_told),
		TEST(a_mailbox_no_longer_watched_is_silent),
		TEST(a_mailbox_may_be_removed_inside_the_callback),
		TEST(inbox_at_the_root_is_watched_beside_the_root),
		TEST(lost_events_mean_that_everything_may_have_changed),
		TEST(what_is_not_there_cannot_be_watched),
		TEST(a_used_up_limit_is_told_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
