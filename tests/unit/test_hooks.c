/* When hooks run and what they are given: children are played by this file, in place of the
 * loop's, so that the clock can be a fake one.
 * SPDX-License-Identifier: MIT */
#include "syncd/hooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/log.h"
#include "syncd/must.h"

/* What was run, and the child that is running. */
static struct {
	char text[512]; /* "command;account;mailboxes;new " a run */
	struct loop_child *child;
	loop_child_done done;
	int cancels;
	int warnings;
	int closed;
	struct loop *loop;
} world;

int loop_child_start(struct loop *loop, struct loop_child *child, char *const argv[],
		     char *const env[], uint64_t timeout_ms, loop_child_done done,
		     struct error *err)
{
	size_t len = strlen(world.text);

	(void)err;
	assert_null(world.child);
	assert_int_equal(timeout_ms, HOOKS_RUN_MAX_MS);
	assert_string_equal(argv[1], "-c");
	child->loop = loop;
	world.child = child;
	world.done = done;
	(void)snprintf(world.text + len, sizeof(world.text) - len, "%s;%s;%s;%s ", argv[2],
		       strchr(env[0], '=') + 1, strchr(env[1], '=') + 1, strchr(env[2], '=') + 1);
	return 0;
}

static void child_ends(int code, int status)
{
	struct loop_child *child = world.child;

	world.child = NULL;
	world.done(child, code, status, "", 0);
	loop_fake_advance(world.loop, 0);
}

void loop_child_cancel(struct loop_child *child)
{
	assert_ptr_equal(child, world.child);
	world.cancels++;
}

static void warned(enum log_level level, const char *line, void *context)
{
	(void)line;
	(void)context;
	world.warnings += level == LOG_LEVEL_WARN;
}

static void closed(struct hooks_close *close)
{
	(void)close;
	world.closed++;
}

static struct hooks *start(const char *on_new, const char *on_change)
{
	memset(&world, 0, sizeof(world));
	log_set_sink(warned, NULL);
	world.loop = loop_new_fake();
	return hooks_new(world.loop, "work", on_new, on_change);
}

static void end(void)
{
	assert_int_equal(world.closed, 1);
	assert_null(world.child);
	loop_free(&world.loop);
	log_set_sink(NULL, NULL);
}

static void notes_close_together_make_one_run(void **state)
{
	struct hooks_close close;
	struct hooks *hooks = start("n", "c");

	(void)state;
	hooks_note(hooks, "INBOX", 2, true);
	loop_fake_advance(world.loop, HOOKS_QUIET_MS - 1);
	hooks_note(hooks, "a\nb", 0, true);
	hooks_note(hooks, "INBOX", 1, false);
	hooks_note(hooks, "nothing", 0, false);
	loop_fake_advance(world.loop, HOOKS_QUIET_MS - 1);
	assert_string_equal(world.text, "");
	loop_fake_advance(world.loop, 1);
	assert_string_equal(world.text, "n;work;INBOX;3 ");
	child_ends(0, 0);
	assert_string_equal(world.text, "n;work;INBOX;3 c;work;INBOX\na?b;3 ");
	child_ends(0, 1);
	assert_int_equal(world.warnings, 1);
	hooks_close(&hooks, &close, closed);
	assert_int_equal(world.closed, 0);
	loop_fake_advance(world.loop, 0);
	end();
}

static void endless_notes_do_not_put_a_run_off(void **state)
{
	struct hooks_close close;
	struct hooks *hooks = start(NULL, "c");
	uint64_t at = 0;

	(void)state;
	for (; world.child == NULL && at < 5000; at += 100) {
		hooks_note(hooks, "x", 0, true);
		loop_fake_advance(world.loop, 100);
	}
	assert_int_equal(at, HOOKS_DELAY_MAX_MS);
	child_ends(0, 0);
	hooks_close(&hooks, &close, closed);
	loop_fake_advance(world.loop, 0);
	end();
}

static void what_is_noted_during_a_run_is_run_after_it(void **state)
{
	struct hooks_close close;
	struct hooks *hooks = start("n", "");

	(void)state;
	hooks_note(hooks, "a", 1, false);
	loop_fake_advance(world.loop, HOOKS_QUIET_MS);
	hooks_note(hooks, "b", 4, false);
	loop_fake_advance(world.loop, 60000);
	assert_string_equal(world.text, "n;work;a;1 ");
	child_ends(0, 0);
	assert_string_equal(world.text, "n;work;a;1 n;work;b;4 ");
	child_ends(SYNCD_ETIMEOUT, 143);
	assert_int_equal(world.warnings, 1);
	hooks_close(&hooks, &close, closed);
	loop_fake_advance(world.loop, 0);
	end();
}

static void close_waits_a_little_then_kills(void **state)
{
	struct hooks_close close;
	struct hooks *hooks = start("n", NULL);

	(void)state;
	hooks_note(hooks, "a", 1, false);
	loop_fake_advance(world.loop, HOOKS_QUIET_MS);
	hooks_note(hooks, "b", 1, false);
	hooks_close(&hooks, &close, closed);
	assert_null(hooks);
	loop_fake_advance(world.loop, HOOKS_CLOSE_MS - 1);
	assert_int_equal(world.cancels, 0);
	loop_fake_advance(world.loop, 1);
	assert_int_equal(world.cancels, 1);
	assert_int_equal(world.closed, 0);
	child_ends(SYNCD_ECANCELLED, 143);
	assert_string_equal(world.text, "n;work;a;1 ");
	end();
}

static void flush_runs_all_before_the_close(void **state)
{
	struct hooks_close close;
	struct hooks *hooks = start("n", "c");

	(void)state;
	hooks_note(hooks, "a", 1, false);
	hooks_flush(hooks);
	hooks_close(&hooks, &close, closed);
	loop_fake_advance(world.loop, 60000);
	assert_int_equal(world.cancels, 0);
	child_ends(0, 0);
	assert_int_equal(world.closed, 0);
	child_ends(0, 0);
	assert_string_equal(world.text, "n;work;a;1 c;work;a;1 ");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_close_together_make_one_run),
		cmocka_unit_test(endless_notes_do_not_put_a_run_off),
		cmocka_unit_test(what_is_noted_during_a_run_is_run_after_it),
		cmocka_unit_test(close_waits_a_little_then_kills),
		cmocka_unit_test(flush_runs_all_before_the_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
