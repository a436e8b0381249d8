/* A POP3 session under a user that does things from inside of callbacks, over a memory stream. What
 * is said on the wire is in tests/script.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fake_net.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/pop3.h"

/* Where the user closes the session. */
enum place {
	NOWHERE,
	IN_READY,
	IN_STAT_DONE,
	IN_SIZED,
	IN_NAMED,
	IN_LIST_DONE,
	IN_NEXT,
	IN_BEGIN,
	IN_DATA,
	IN_END,
	IN_REFUSED,
	IN_FETCH_DONE,
	IN_DELE_NEXT,
	IN_ANSWERED,
	IN_DELE_DONE,
	IN_QUIT_DONE,
	IN_BROKEN,
	PLACES
};

struct fixture {
	struct loop *loop;
	struct net_context *net;
	struct net_target target;
	struct secret *password;
	struct pop3_user user;
	struct pop3_session *session;
	struct pop3_stat stat;
	struct pop3_listing list;
	struct pop3_listing uidl;
	struct pop3_fetch fetch;
	struct pop3_dele dele;
	struct pop3_command noop;
	struct pop3_quit quit;
	enum place place;
	uint32_t asked;
	uint32_t deles_asked;
	int begun;
	int ended;
	int refused;
	int done; /* commands that completed */
	int broken;
	int closed;
	bool is_inside; /* of a start: no callback may come */
};

static struct fixture *current;

static void be_at(enum place place)
{
	struct fixture *f = current;

	assert_false(f->is_inside);
	if (f->place == place && f->session != NULL) {
		pop3_session_close(f->session);
		f->session = NULL;
	}
}

static void on_ready(struct pop3_user *user)
{
	assert_ptr_equal(user, &current->user);
	be_at(IN_READY);
}

static void on_broken(struct pop3_user *user, const struct error *err)
{
	assert_ptr_equal(user, &current->user);
	assert_true(err->code < 0);
	current->broken = err->code;
	be_at(IN_BROKEN);
}

static void on_closed(struct pop3_user *user)
{
	assert_ptr_equal(user, &current->user);
	current->closed++;
}

static const struct pop3_user_ops user_ops = {
	.ready = on_ready,
	.broken = on_broken,
	.closed = on_closed,
};

static void on_stat_done(struct pop3_command *command, int code)
{
	(void)command;
	(void)code;
	current->done++;
	be_at(IN_STAT_DONE);
}

static void on_sized(struct pop3_listing *listing, uint32_t number, uint64_t size_bytes)
{
	(void)listing;
	(void)number;
	(void)size_bytes;
	be_at(IN_SIZED);
}

static void on_named(struct pop3_listing *listing, uint32_t number, struct slice uid)
{
	(void)listing;
	(void)number;
	(void)uid;
	be_at(IN_NAMED);
}

static void on_list_done(struct pop3_command *command, int code)
{
	(void)command;
	(void)code;
	current->done++;
	be_at(IN_LIST_DONE);
}

static bool on_next(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes)
{
	(void)fetch;
	*number = ++current->asked;
	*size_bytes = 10;
	be_at(IN_NEXT);
	return current->asked <= 2;
}

static int on_begin(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes)
{
	(void)fetch;
	(void)number;
	(void)size_bytes;
	current->begun++;
	be_at(IN_BEGIN);
	return 0;
}

static int on_data(struct pop3_fetch *fetch, struct slice data)
{
	(void)fetch;
	assert_true(data.len > 0);
	be_at(IN_DATA);
	return 0;
}

static int on_end(struct pop3_fetch *fetch, uint32_t number)
{
	(void)fetch;
	(void)number;
	current->ended++;
	be_at(IN_END);
	return 0;
}

static int on_refused(struct pop3_fetch *fetch, uint32_t number, const struct error *err)
{
	(void)fetch;
	(void)number;
	(void)err;
	current->refused++;
	be_at(IN_REFUSED);
	return 0;
}

static void on_fetch_done(struct pop3_fetch *fetch, int code)
{
	assert_int_equal(fetch->command.err.code, code);
	current->done++;
	be_at(IN_FETCH_DONE);
}

static bool on_dele_next(struct pop3_dele *dele, uint32_t *number)
{
	(void)dele;
	*number = ++current->deles_asked;
	be_at(IN_DELE_NEXT);
	return current->deles_asked <= 2;
}

static void on_answered(struct pop3_dele *dele, uint32_t number, const struct error *refusal)
{
	(void)dele;
	(void)number;
	(void)refusal;
	be_at(IN_ANSWERED);
}

static void on_dele_done(struct pop3_command *command, int code)
{
	(void)command;
	(void)code;
	current->done++;
	be_at(IN_DELE_DONE);
}

static void on_quit_done(struct pop3_command *command, int code)
{
	(void)command;
	(void)code;
	current->done++;
	be_at(IN_QUIT_DONE);
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

static void assert_sent(struct fixture *f, const char *text)
{
	turn(f);
	struct slice sent = memory_stream_written(fake_net_connection(0));
	assert_string_equal(sent.len > 0 ? sent.data : "", text);
	memory_stream_consume(fake_net_connection(0), sent.len);
}

/* A session that has done nothing yet. */
static void begin(struct fixture *f)
{
	struct error err;

	fake_net_begin();
	f->loop = loop_new_fake();
	f->target = (struct net_target){ .host = "localhost", .timeout_ms = 60000 };
	f->net = net_context_new(f->loop, &f->target, &err);
	f->password = secret_new("secret", 6);
	f->user.ops = &user_ops;
	f->list.sized = on_sized;
	f->uidl.named = on_named;
	f->fetch.next = on_next;
	f->fetch.begin = on_begin;
	f->fetch.data = on_data;
	f->fetch.end = on_end;
	f->fetch.refused = on_refused;
	f->fetch.done = on_fetch_done;
	f->dele.next = on_dele_next;
	f->dele.answered = on_answered;
	current = f;
	const struct pop3_settings settings = {
		.loop = f->loop,
		.net = f->net,
		.target = &f->target,
		.account = "unit",
		.user = "me",
		.password = f->password,
	};
	f->session = pop3_session_new(&settings, &f->user);
}

static void log_in(struct fixture *f)
{
	pop3_session_start(f->session);
	turn(f);
	say(f, "+OK\r\n");
	say(f, "+OK\r\nPIPELINING\r\nUIDL\r\nTOP\r\nSASL PLAIN\r\n.\r\n");
	say(f, "+OK\r\n");
	struct slice sent = memory_stream_written(fake_net_connection(0));
	memory_stream_consume(fake_net_connection(0), sent.len);
}

static void end(struct fixture *f)
{
	if (f->session != NULL)
		pop3_session_close(f->session);
	f->session = NULL;
	turn(f);
	assert_int_equal(f->closed, 1);
	secret_free(&f->password);
	net_context_free(&f->net);
	fake_net_end();
	loop_free(&f->loop);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	begin(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	end(*state);
	free(*state);
	return 0;
}

/* Everything at once; how many commands. */
static int start_all(struct fixture *f)
{
	if (f->session == NULL)
		return 0;
	f->is_inside = true;
	pop3_stat_start(f->session, &f->stat, on_stat_done);
	pop3_list_start(f->session, &f->list, on_list_done);
	pop3_uidl_start(f->session, &f->uidl, on_stat_done);
	pop3_fetch_start(f->session, &f->fetch);
	pop3_dele_start(f->session, &f->dele, on_dele_done);
	pop3_quit_start(f->session, &f->quit, on_quit_done);
	f->is_inside = false;
	return 6;
}

static void session_may_be_closed_in_any_callback(void **state)
{
	/* STAT, LIST, UIDL, RETR 1, DELE 1, RETR 2, DELE 2, QUIT */
	static const char answers[] = "+OK 1 10\r\n+OK\r\n1 10\r\n.\r\n+OK\r\n1 a\r\n.\r\n"
				      "+OK\r\nbody\r\n.\r\n+OK\r\n-ERR no\r\n-ERR no\r\n+OK\r\n";

	(void)state;
	for (enum place place = NOWHERE; place < PLACES; place++) {
		struct fixture f = { .place = place };
		begin(&f);
		log_in(&f);
		int started = start_all(&f);
		turn(&f);
		if (place == IN_BROKEN)
			memory_stream_break(fake_net_connection(0), SYNCD_ENET, "cut", true);
		else
			say(&f, answers);
		turn(&f);
		print_message("  %d\n", (int)place);
		assert_int_equal(f.done, started);
		assert_int_equal(f.session == NULL, place != NOWHERE);
		assert_int_equal(f.broken != 0, place == IN_BROKEN);
		end(&f);
	}
}

static void commands_go_together_in_one_write_and_in_order(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	(void)start_all(f);
	assert_sent(f, "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n");
	assert_false(pop3_session_is_live(f->session));
}

static void noop_done_starts_another(struct pop3_command *command, int code)
{
	assert_int_equal(code, 0);
	current->done++;
	if (current->done == 1)
		pop3_noop_start(current->session, command, noop_done_starts_another);
}

static void completed_command_may_be_started_again(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	pop3_noop_start(f->session, &f->noop, noop_done_starts_another);
	assert_sent(f, "NOOP\r\n");
	say(f, "+OK\r\n");
	assert_sent(f, "NOOP\r\n");
	say(f, "+OK\r\n");
	assert_int_equal(f->done, 2);
}

static void pause_reaches_the_stream(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	pop3_fetch_start(f->session, &f->fetch);
	turn(f);
	say(f, "+OK\r\nbody");
	assert_int_equal(f->begun, 1);
	pop3_fetch_pause(&f->fetch);
	pop3_session_pause(f->session);
	assert_false(memory_stream_is_reading(fake_net_connection(0)));
	say(f, "\r\n.\r\n");
	pop3_fetch_resume(&f->fetch);
	turn(f);
	assert_int_equal(f->ended, 0); /* pauses nest */
	pop3_session_resume(f->session);
	turn(f);
	assert_int_equal(f->ended, 1);
}

static void commands_of_a_broken_session_complete_with_its_error(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	memory_stream_break(fake_net_connection(0), SYNCD_ENET, "cut", true);
	turn(f);
	assert_int_equal(f->broken, SYNCD_ENET);
	pop3_noop_start(f->session, &f->noop, on_stat_done);
	assert_int_equal(f->done, 0);
	turn(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->noop.err.code, SYNCD_ENET);
}

static void session_that_failed_reads_no_more(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	assert_true(memory_stream_is_reading(fake_net_connection(0)));
	say(f, "gibberish\r\n");
	assert_int_equal(f->broken, SYNCD_EPROTO);
	assert_false(memory_stream_is_reading(fake_net_connection(0)));
}

static void session_that_has_quit_reads_no_more(void **state)
{
	struct fixture *f = *state;

	log_in(f);
	pop3_quit_start(f->session, &f->quit, on_quit_done);
	turn(f);
	say(f, "+OK\r\n");
	assert_int_equal(f->done, 1);
	assert_false(memory_stream_is_reading(fake_net_connection(0)));
}

/* As much as is told of it is held, whatever its size. */
static void large_message_passes_through(void **state)
{
	struct fixture *f = *state;
	static char piece[65536];

	log_in(f);
	pop3_fetch_start(f->session, &f->fetch);
	turn(f);
	say(f, "+OK\r\n");
	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 200; i++) {
		memory_stream_push(fake_net_connection(0), (struct slice){ piece, sizeof(piece) });
		turn(f);
	}
	say(f, "\r\n.\r\n");
	assert_int_equal(f->ended, 1);
}

/* Pushes `piece` until the session has had enough; how many bytes that took. */
static uint64_t push_without_end(struct fixture *f, struct slice piece)
{
	uint64_t pushed = 0;

	while (f->broken == 0 && pushed < (uint64_t)UINT32_MAX + 2 * piece.len) {
		memory_stream_push(fake_net_connection(0), piece);
		turn(f);
		pushed += piece.len;
	}
	return pushed;
}

static void listing_without_end_ends_the_session(void **state)
{
	struct fixture *f = *state;
	static char lines[1 << 20];

	log_in(f);
	pop3_list_start(f->session, &f->list, on_list_done);
	turn(f);
	say(f, "+OK\r\n");
	memset(lines, '\n', sizeof(lines));
	assert_in_range(push_without_end(f, (struct slice){ lines, sizeof(lines) }), 1,
			POP3_LISTING_MAX / 32 + sizeof(lines));
	assert_int_equal(f->broken, SYNCD_ELIMIT);
	assert_int_equal(f->list.command.err.code, SYNCD_ELIMIT);
}

static void message_without_end_ends_the_session(void **state)
{
	struct fixture *f = *state;
	static char piece[1 << 20];

	log_in(f);
	pop3_fetch_start(f->session, &f->fetch);
	turn(f);
	say(f, "+OK\r\n");
	memset(piece, 'x', sizeof(piece));
	assert_in_range(push_without_end(f, (struct slice){ piece, sizeof(piece) }),
			POP3_MESSAGE_MAX, (uint64_t)POP3_MESSAGE_MAX + sizeof(piece));
	assert_int_equal(f->broken, SYNCD_ELIMIT);
	assert_int_equal(f->ended, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_may_be_closed_in_any_callback),
		TEST(commands_go_together_in_one_write_and_in_order),
		TEST(completed_command_may_be_started_again),
		TEST(pause_reaches_the_stream),
		TEST(commands_of_a_broken_session_complete_with_its_error),
		TEST(session_that_failed_reads_no_more),
		TEST(session_that_has_quit_reads_no_more),
		TEST(listing_without_end_ends_the_session),
		TEST(message_without_end_ends_the_session),
		TEST(large_message_passes_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
