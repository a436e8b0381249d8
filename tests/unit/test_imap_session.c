/* An IMAP session and what a line of it can carry, over a memory stream.
 * What the remote port does with sessions is in tests/script.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fake_net.h"
#include "syncd/alloc.h"
#include "syncd/imap.h"
#include "syncd/must.h"

struct fixture {
	struct loop *loop;
	struct net_context *net;
	struct net_target target;
	struct secret *password;
	struct imap_user user;
	struct imap_session *session;
	struct keyword_table keywords;
	struct uidset uids;
	struct imap_command commands[3];
	struct imap_select select;
	struct imap_uid_run run;
	int ready;
	int news;
	int broken;
	int closed;
	int done;
	int codes[8];
	int order[8]; /* which of the commands */
};

static struct fixture *fixture_of(struct imap_user *user)
{
	return container_of(user, struct fixture, user);
}

static void on_ready(struct imap_user *user)
{
	fixture_of(user)->ready++;
}

static void on_news(struct imap_user *user)
{
	fixture_of(user)->news++;
}

static void on_broken(struct imap_user *user, const struct error *err)
{
	fixture_of(user)->broken = err->code;
}

static void on_closed(struct imap_user *user)
{
	fixture_of(user)->closed++;
	fixture_of(user)->session = NULL;
}

static const struct imap_user_ops user_ops = {
	.ready = on_ready,
	.news = on_news,
	.broken = on_broken,
	.closed = on_closed,
};

static struct fixture *current; /* whose commands complete */

static void on_done(struct imap_command *command, int code)
{
	current->order[current->done] = (int)(command - current->commands);
	current->codes[current->done++] = code;
}

static void on_selected(struct imap_command *command, int code)
{
	(void)command;
	current->codes[current->done++] = code;
}

static void on_run_done(struct imap_uid_run *run, int code)
{
	struct fixture *f = container_of(run, struct fixture, run);

	f->codes[f->done++] = code;
}

static void turn(struct fixture *f)
{
	loop_fake_advance(f->loop, 0);
}

static void say(struct fixture *f, const char *text)
{
	memory_stream_push_str(fake_net_connection(0), text);
	turn(f);
}

/* What the client sent since the last time. */
static void assert_sent(struct fixture *f, const char *text)
{
	turn(f);
	struct slice sent = memory_stream_written(fake_net_connection(0));
	assert_string_equal(sent.data, text);
	memory_stream_consume(fake_net_connection(0), sent.len);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err;

	fake_net_begin();
	f->loop = loop_new_fake();
	f->target = (struct net_target){ .host = "localhost", .timeout_ms = 60000 };
	f->net = net_context_new(f->loop, &f->target, &err);
	f->password = secret_new("pw", 2);
	f->user.ops = &user_ops;
	keyword_table_init(&f->keywords);
	const struct imap_settings settings = {
		.loop = f->loop,
		.net = f->net,
		.target = &f->target,
		.account = "test",
		.user = "me",
		.password = f->password,
	};
	f->session = imap_session_new(&settings, &f->user);
	current = f;
	*state = f;
	return 0;
}

static void start_select(struct fixture *f, const char *name)
{
	f->select = (struct imap_select){ .name = slice_of(name), .keywords = &f->keywords };
	imap_select_start(f->session, &f->select, on_selected);
}

static void log_in(struct fixture *f)
{
	imap_session_start(f->session);
	turn(f);
	say(f, "* PREAUTH [CAPABILITY IMAP4rev1 NAMESPACE] hello\r\n");
	say(f, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nA1 OK done\r\n");
	assert_int_equal(f->ready, 1);
	memory_stream_consume(fake_net_connection(0),
			      memory_stream_written(fake_net_connection(0)).len);
	start_select(f, "INBOX");
	assert_sent(f, "A2 SELECT \"INBOX\"\r\n");
	say(f, "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nA2 OK [READ-WRITE] done\r\n");
	assert_int_equal(f->done, 1);
	f->done = 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->session != NULL)
		imap_session_close(f->session);
	turn(f);
	assert_int_equal(f->closed, 1);
	secret_free(&f->password);
	net_context_free(&f->net);
	fake_net_end();
	loop_free(&f->loop);
	keyword_table_free(&f->keywords);
	uidset_free(&f->uids);
	free(f);
	return 0;
}

static void commands_are_in_flight_together_and_answered_in_any_order(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	for (int i = 0; i < 3; i++)
		imap_noop_start(f->session, &f->commands[i], on_done);
	assert_int_equal(f->done, 0);
	assert_sent(f, "A3 NOOP\r\nA4 NOOP\r\nA5 NOOP\r\n");
	say(f, "A4 OK x\r\nA3 NO x\r\nA5 BAD x\r\n");
	assert_int_equal(f->done, 3);
	assert_int_equal(f->order[0], 1);
	assert_int_equal(f->codes[0], 0);
	assert_int_equal(f->order[1], 0);
	assert_int_equal(f->codes[1], SYNCD_ESERVER);
	assert_int_equal(f->codes[2], SYNCD_ESERVER);
}

static void an_exclusive_command_waits_for_those_before_it(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	imap_noop_start(f->session, &f->commands[0], on_done);
	start_select(f, "a");
	imap_noop_start(f->session, &f->commands[2], on_done);
	assert_sent(f, "A3 NOOP\r\n");
	say(f, "A3 OK x\r\n");
	assert_sent(f, "A4 SELECT \"a\"\r\n");
	say(f, "A4 OK x\r\n");
	assert_sent(f, "A5 NOOP\r\n");
	say(f, "A5 OK x\r\n");
	assert_int_equal(f->done, 3);
}

static void a_cut_completes_each_command_once_and_later_ones_too(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	imap_noop_start(f->session, &f->commands[0], on_done);
	imap_noop_start(f->session, &f->commands[1], on_done);
	turn(f);
	memory_stream_break(fake_net_connection(0), SYNCD_ENET, "reset", true);
	turn(f);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->codes[0], SYNCD_ENET);
	assert_int_equal(f->codes[1], SYNCD_ENET);
	assert_int_equal(f->broken, SYNCD_ENET);
	imap_noop_start(f->session, &f->commands[2], on_done);
	assert_int_equal(f->done, 2);
	turn(f);
	assert_int_equal(f->done, 3);
	assert_int_equal(f->codes[2], SYNCD_ENET);
}

static void closing_completes_commands_as_cancelled(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	imap_noop_start(f->session, &f->commands[0], on_done);
	imap_session_close(f->session);
	assert_int_equal(f->done, 0);
	turn(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->codes[0], SYNCD_ECANCELLED);
	assert_int_equal(f->broken, 0);
}

static void closing_while_dialling_is_clean(void **state)
{
	struct fixture *f = *state;

	imap_session_start(f->session);
	imap_session_close(f->session);
	turn(f);
	assert_int_equal(f->closed, 1);
	assert_int_equal(fake_net_count(), 0);
}

static void a_server_that_never_greets_times_out(void **state)
{
	struct fixture *f = *state;

	imap_session_start(f->session);
	turn(f);
	loop_fake_advance(f->loop, 59999);
	assert_int_equal(f->broken, 0);
	loop_fake_advance(f->loop, 1);
	assert_int_equal(f->broken, SYNCD_ETIMEOUT);
}

static void an_idle_session_has_no_timer(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	loop_fake_advance(f->loop, 3600 * 1000);
	assert_int_equal(f->broken, 0);
}

static void untagged_data_nobody_asked_for_is_news(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	say(f, "* 4 EXISTS\r\n");
	assert_int_equal(f->news, 1);
	assert_int_equal(imap_session_mailbox(f->session)->exists, 4);
	say(f, "* 4 EXISTS\r\n* 0 RECENT\r\n* OK still here\r\n");
	assert_int_equal(f->news, 1);
	say(f, "* 2 EXPUNGE\r\n");
	assert_int_equal(f->news, 2);
	assert_int_equal(imap_session_mailbox(f->session)->exists, 3);
	say(f, "* 1 FETCH (FLAGS (\\Seen))\r\n");
	assert_int_equal(f->news, 3);
}

static void a_set_too_long_for_a_line_is_sent_in_several(void **state)
{
	struct fixture *f = *state;
	int lines = 0;

	log_in(f);
	for (uint32_t uid = 1; uid < 20000; uid += 2)
		assert_int_equal(uidset_add(&f->uids, uid), 0);
	f->run = (struct imap_uid_run){ .uids = &f->uids, .done = on_run_done };
	imap_store_start(f->session, &f->run, true, FLAG_SEEN);
	for (turn(f); f->done == 0; lines++) {
		struct slice sent = memory_stream_written(fake_net_connection(0));
		char answer[64];
		assert_in_range(sent.len, 1, 8002);
		(void)snprintf(answer, sizeof(answer), "%.*s OK x\r\n",
			       (int)strcspn(sent.data, " "), sent.data);
		memory_stream_consume(fake_net_connection(0), sent.len);
		say(f, answer);
	}
	assert_int_equal(f->codes[0], 0);
	assert_in_range(lines, 7, 10);
}

static void logout_waits_a_moment_only(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	imap_session_logout(f->session);
	assert_sent(f, "A3 LOGOUT\r\n");
	assert_int_equal(f->closed, 0);
	loop_fake_advance(f->loop, 3000);
	assert_int_equal(f->closed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(commands_are_in_flight_together_and_answered_in_any_order),
		TEST(an_exclusive_command_waits_for_those_before_it),
		TEST(a_cut_completes_each_command_once_and_later_ones_too),
		TEST(closing_completes_commands_as_cancelled),
		TEST(closing_while_dialling_is_clean),
		TEST(a_server_that_never_greets_times_out),
		TEST(an_idle_session_has_no_timer),
		TEST(untagged_data_nobody_asked_for_is_news),
		TEST(a_set_too_long_for_a_line_is_sent_in_several),
		TEST(logout_waits_a_moment_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
