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

#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define PATIENCE_MS 5000
#define CHANGED_MAX 8

struct fixture {
	struct temp_dir dir;
	struct loop *loop;
	struct watch *watch;
	struct watch_user user;
	struct loop_timer patience;
	struct error err;
	char changed[CHANGED_MAX][16];
	size_t changed_count;
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

	watch_free(&f->watch);
	loop_run(f->loop);
	loop_free(&f->loop);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* Runs until something was noticed. */
static void notice(struct fixture *f)
{
	f->changed_count = f->tree_count = f->everything_count = f->gone_count = 0;
	loop_timer_start(&f->patience, PATIENCE_MS);
	loop_run(f->loop);
	loop_timer_stop(&f->patience);
}

static void assert_only_changed(struct fixture *f, const char *name)
{
	notice(f);
	assert_int_equal(f->changed_count, 1);
	assert_string_equal(f->changed[0], name);
	assert_int_equal(f->tree_count + f->everything_count + f->gone_count, 0);
}

static void deliveries_renames_and_removals_name_their_mailbox(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/tmp/1.x", "hello");
	temp_rename(&f->dir, "root/A/tmp/1.x", "root/A/new/1.x");
	assert_only_changed(f, "a");
	temp_rename(&f->dir, "root/A/new/1.x", "root/A/cur/1.x:2,S");
	assert_only_changed(f, "a");
	temp_rename(&f->dir, "root/A/cur/1.x:2,S", "root/B/cur/1.x:2,S");
	notice(f);
	assert_int_equal(f->changed_count, 2);
	temp_unlink(&f->dir, "root/B/cur/1.x:2,S");
	assert_only_changed(f, "b");
}

static void many_changes_at_once_are_told_once(void **state)
{
	struct fixture *f = *state;
	char name[64];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "root/A/new/%d.x", i);
		temp_write_str(&f->dir, name, "");
	}
	assert_only_changed(f, "a");
}

static void changes_in_tmp_and_ordinary_files_are_not_told(void **state)
{
	struct fixture *f = *state;

	temp_write_str(&f->dir, "root/A/tmp/1.x", "hello");
	temp_write_str(&f->dir, "root/A/dovecot-keywords", "0 x\n");
	temp_write_str(&f->dir, "root/file", "hello");
	temp_write_str(&f->dir, "root/B/new/1.x", "hello");
	assert_only_changed(f, "b");
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
	assert_only_changed(f, "b");
	add(f, "a", "A");
	temp_write_str(&f->dir, "root/A/new/2.x", "hello");
	assert_only_changed(f, "a");
}

static void a_mailbox_may_be_removed_inside_the_callback(void **state)
{
	struct fixture *f = *state;

	f->removes_inside = true;
	temp_write_str(&f->dir, "root/A/new/1.x", "hello");
	temp_write_str(&f->dir, "root/B/new/1.x", "hello");
	notice(f);
	assert_int_equal(f->changed_count, 2);
	temp_write_str(&f->dir, "root/A/new/2.x", "hello");
	temp_mkdir(&f->dir, "root/D");
	notice(f);
	assert_int_equal(f->changed_count, 0);
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
	assert_only_changed(f, "inbox");
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
	while (f->everything_count == 0 && f->changed_count > 0)
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
	assert_only_changed(f, "a");
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
		TEST(deliveries_renames_and_removals_name_their_mailbox),
		TEST(many_changes_at_once_are_told_once),
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
