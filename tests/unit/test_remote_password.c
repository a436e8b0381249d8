/* The password command: when it is run, and when it is not run again.
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

#include "support/fake_net.h"
#include "syncd/adapter_remote.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define STEPS_MAX 8

/* A server that takes certain passwords, one a connection. */
struct fixture {
	struct loop *loop;
	struct adapter_remote *adapter;
	struct remote_list_req list;
	struct port_op closing;
	struct loop_timer look;
	char runs[64]; /* the file to which the command adds a line a run */
	char script[256];
	const char *accepted[STEPS_MAX]; /* by connection; NULL: refuse */
	size_t answered;                 /* connections that got their answer to LOGIN */
	bool is_ready;
	int code;
	int calls;
};

static void look(struct loop_timer *timer);

static void answer(struct fixture *f, struct memory_stream *stream, const char *what)
{
	struct slice sent = memory_stream_written(stream);
	char text[128];
	int tag = (int)strcspn(sent.data, " ");

	(void)snprintf(text, sizeof(text), "%.*s %s\r\n", tag, sent.data, what);
	memory_stream_consume(stream, sent.len);
	memory_stream_push_str(stream, text);
	(void)f;
}

/* Plays the server on the connection that is the latest. */
static void serve(struct fixture *f)
{
	size_t n = fake_net_count();
	struct memory_stream *stream = n > 0 ? fake_net_connection(n - 1) : NULL;

	if (stream == NULL || memory_stream_is_closed(stream))
		return;
	if (!f->is_ready && f->answered < n) {
		memory_stream_push_str(stream, "* OK [CAPABILITY IMAP4rev1] hello\r\n");
		f->is_ready = true;
	}
	struct slice sent = memory_stream_written(stream);
	if (sent.len == 0)
		return;
	if (strstr(sent.data, "LOGIN") == NULL) {
		answer(f, stream, "OK done");
		return;
	}
	const char *accepted = f->accepted[f->answered++];
	f->is_ready = false;
	if (accepted != NULL && strstr(sent.data, accepted) != NULL)
		answer(f, stream, "OK [CAPABILITY IMAP4rev1] welcome");
	else
		answer(f, stream, "NO [AUTHENTICATIONFAILED] wrong");
}

static void look(struct loop_timer *timer)
{
	serve(container_of(timer, struct fixture, look));
	loop_timer_start(timer, 1);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	static char *argv[4] = { "sh", "-c", NULL, NULL };
	struct error err;

	fake_net_begin();
	f->loop = loop_new();
	(void)snprintf(f->runs, sizeof(f->runs), "/tmp/syncd-test-runs-%ld", (long)getpid());
	(void)unlink(f->runs);
	(void)snprintf(f->script, sizeof(f->script), "echo x >>%s; echo pw$(wc -l <%s | tr -d ' ')",
		       f->runs, f->runs);
	argv[2] = f->script;
	const struct adapter_remote_settings settings = {
		.account = "test",
		.target = { .host = "localhost", .port = 993, .timeout_ms = 5000 },
		.user = "me",
		.password_argv = argv,
		.connections = 4,
	};
	f->adapter = adapter_remote_new(f->loop, &settings, &err);
	loop_timer_init(f->loop, &f->look, look);
	loop_timer_start(&f->look, 1);
	*state = f;
	return 0;
}

static void closed(struct port_op *op, int code)
{
	(void)code;
	loop_stop(container_of(op, struct fixture, closing)->loop);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->closing.done = closed;
	adapter_remote_close(f->adapter, &f->closing);
	loop_run(f->loop);
	loop_timer_stop(&f->look);
	fake_net_end();
	loop_free(&f->loop);
	(void)unlink(f->runs);
	free(f);
	return 0;
}

static void found(struct remote_list_req *req, const struct mailbox_info *info)
{
	(void)req;
	(void)info;
}

static void listed(struct port_op *op, int code)
{
	struct fixture *f = container_of(op, struct fixture, list.op);

	f->code = code;
	loop_stop(f->loop);
}

static int list(struct fixture *f)
{
	f->list.op.done = listed;
	f->list.found = found;
	adapter_remote_port(f->adapter)->ops->list(adapter_remote_port(f->adapter), &f->list);
	loop_run(f->loop);
	return f->code;
}

static size_t runs(const struct fixture *f)
{
	FILE *file = fopen(f->runs, "r");
	size_t count = 0;
	int c;

	if (file == NULL)
		return 0;
	while ((c = getc(file)) != EOF)
		count += c == '\n';
	(void)fclose(file);
	return count;
}

/* The server cuts the session, so that the next request logs in anew. */
static void cut(struct fixture *f)
{
	struct memory_stream *stream = fake_net_connection(fake_net_count() - 1);

	memory_stream_break(stream, SYNCD_ENET, "reset", true);
	while (!memory_stream_is_closed(stream))
		(void)list(f);
}

static void a_password_that_works_is_asked_for_once(void **state)
{
	struct fixture *f = *state;

	f->accepted[0] = "pw1";
	f->accepted[1] = "pw1";
	assert_int_equal(list(f), 0);
	assert_int_equal(list(f), 0);
	cut(f);
	assert_int_equal(list(f), 0);
	assert_int_equal(runs(f), 1);
}

static void a_password_refused_at_once_is_not_asked_for_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(list(f), SYNCD_EAUTH);
	assert_int_equal(runs(f), 1);
	assert_int_equal(f->answered, 1);
}

static void the_next_try_after_a_refusal_asks_anew(void **state)
{
	struct fixture *f = *state;

	f->accepted[1] = "pw2";
	assert_int_equal(list(f), SYNCD_EAUTH);
	assert_int_equal(list(f), 0);
	assert_int_equal(runs(f), 2);
}

static void a_password_that_worked_and_is_refused_is_asked_for_anew(void **state)
{
	struct fixture *f = *state;

	f->accepted[0] = "pw1";
	f->accepted[2] = "pw2";
	assert_int_equal(list(f), 0);
	cut(f);
	assert_int_equal(list(f), 0);
	assert_int_equal(runs(f), 2);
}

static void what_was_asked_for_anew_and_is_refused_too_ends_it(void **state)
{
	struct fixture *f = *state;

	f->accepted[0] = "pw1";
	assert_int_equal(list(f), 0);
	memory_stream_break(fake_net_connection(0), SYNCD_ENET, "reset", true);
	int code = list(f);
	if (code == SYNCD_ENET)
		code = list(f);
	assert_int_equal(code, SYNCD_EAUTH);
	assert_int_equal(runs(f), 2);
	assert_int_equal(f->answered, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_password_that_works_is_asked_for_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_password_refused_at_once_is_not_asked_for_again,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_next_try_after_a_refusal_asks_anew, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_password_that_worked_and_is_refused_is_asked_for_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_asked_for_anew_and_is_refused_too_ends_it,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
