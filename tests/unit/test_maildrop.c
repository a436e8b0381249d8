/* The maildrop port over POP3: how two listings become one, how it logs in, and what is left when
 * the session is gone.
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
#include "syncd/adapter_maildrop.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define LOGINS_MAX 8
#define TOLD_MAX 512

/* A server with these answers; the n-th connection takes the n-th password. */
struct fixture {
	struct loop *loop;
	struct adapter_maildrop *adapter;
	struct maildrop *maildrop;
	struct loop_timer look;
	const char *passwords[LOGINS_MAX]; /* NULL: refused whatever it is */
	size_t logins;
	const char *list;
	const char *uidl;
	const char *quit; /* NULL: the connection is cut */
	const char *login_delay;
	size_t served; /* connections that were greeted */
	char runs[64]; /* the file to which the command adds a line a run */
	char script[256];
	bool is_done;
	struct maildrop_open_req open;
	struct maildrop_list_req listing;
	struct maildrop_fetch_req fetch;
	struct maildrop_delete_req remove;
	struct maildrop_quit_req quitting;
	struct port_op closing;
	char told[TOLD_MAX];
	uint32_t next;
};

/* --- The server -------------------------------------------------------------------- */

static const char *answer_to(struct fixture *f, const char *line)
{
	if (strncmp(line, "CAPA", 4) == 0)
		return f->login_delay != NULL ? f->login_delay
					      : "+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n";
	if (strncmp(line, "PASS ", 5) == 0) {
		const char *password = f->passwords[f->logins++];
		bool is_right =
			password != NULL && strncmp(line + 5, password, strlen(password)) == 0;
		return is_right ? "+OK\r\n" : "-ERR [AUTH] wrong\r\n";
	}
	if (strncmp(line, "LIST", 4) == 0)
		return f->list;
	if (strncmp(line, "UIDL", 4) == 0)
		return f->uidl;
	if (strncmp(line, "RETR 2", 6) == 0)
		return "-ERR no such message\r\n";
	if (strncmp(line, "RETR", 4) == 0)
		return "+OK\r\nSubject: x\r\n\r\n..\r\n.\r\n";
	if (strncmp(line, "TOP", 3) == 0)
		return "+OK\r\nSubject: x\r\n\r\n.\r\n";
	if (strncmp(line, "DELE 2", 6) == 0)
		return "-ERR no such message\r\n";
	return strncmp(line, "QUIT", 4) == 0 ? f->quit : "+OK\r\n";
}

static void serve(struct fixture *f, struct memory_stream *stream)
{
	for (;;) {
		struct slice sent = memory_stream_written(stream);
		const char *end = sent.len > 0 ? memchr(sent.data, '\n', sent.len) : NULL;
		char line[64] = "";
		if (end == NULL)
			return;
		size_t len = (size_t)(end - sent.data) + 1;
		memcpy(line, sent.data, len < sizeof(line) ? len : sizeof(line) - 1);
		memory_stream_consume(stream, len);
		const char *answer = answer_to(f, line);
		if (answer != NULL)
			memory_stream_push_str(stream, answer);
		else
			memory_stream_break(stream, SYNCD_ENET, "reset", false);
	}
}

static void look(struct loop_timer *timer)
{
	struct fixture *f = container_of(timer, struct fixture, look);
	size_t n = fake_net_count();

	if (n > 0 && !memory_stream_is_closed(fake_net_connection(n - 1))) {
		if (f->served < n)
			memory_stream_push_str(fake_net_connection(n - 1), "+OK hello\r\n");
		f->served = n;
		serve(f, fake_net_connection(n - 1));
	}
	loop_timer_start(timer, 1);
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

/* --- Requests ------------------------------------------------------------------------ */

static struct fixture *awaited;

static void done(struct port_op *op, int code)
{
	assert_int_equal(op->err.code, code);
	awaited->is_done = true;
	loop_stop(awaited->loop);
}

static int await(struct fixture *f, struct port_op *op)
{
	assert_false(f->is_done); /* nothing completes inside the call that started it */
	while (!f->is_done)
		loop_run(f->loop);
	f->is_done = false;
	return op->err.code;
}

static int open_it(struct fixture *f)
{
	f->open.op.done = done;
	f->maildrop->ops->open(f->maildrop, &f->open);
	return await(f, &f->open.op);
}

static int close_it(struct fixture *f)
{
	f->closing.done = done;
	f->maildrop->ops->close(f->maildrop, &f->closing);
	return await(f, &f->closing);
}

static void tell(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct fixture *f, const char *format, ...)
{
	size_t used = strlen(f->told);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(f->told + used, TOLD_MAX - used, format, args);
	va_end(args);
}

static void found(struct maildrop_list_req *req, uint32_t number, uint64_t size_bytes,
		  struct slice uid)
{
	tell(container_of(req, struct fixture, listing), "%u:%u:%.*s ", number,
	     (unsigned)size_bytes, (int)uid.len, uid.data);
}

static int list_it(struct fixture *f)
{
	f->told[0] = '\0';
	f->listing.op.done = done;
	f->listing.found = found;
	f->maildrop->ops->list(f->maildrop, &f->listing);
	return await(f, &f->listing.op);
}

static bool fetch_next(struct maildrop_fetch_req *req, uint32_t *number)
{
	*number = ++container_of(req, struct fixture, fetch)->next;
	return *number <= 3;
}

static int fetch_begin(struct maildrop_fetch_req *req, uint32_t number)
{
	tell(container_of(req, struct fixture, fetch), "<%u:", number);
	return 0;
}

static int fetch_data(struct maildrop_fetch_req *req, struct slice data)
{
	tell(container_of(req, struct fixture, fetch), "%.*s", (int)data.len, data.data);
	return 0;
}

static int fetch_end(struct maildrop_fetch_req *req, uint32_t number)
{
	tell(container_of(req, struct fixture, fetch), "%u>", number);
	return 0;
}

static int fetch_refused(struct maildrop_fetch_req *req, uint32_t number, const struct error *err)
{
	tell(container_of(req, struct fixture, fetch), "(%u %s)", number,
	     error_code_name(err->code));
	return 0;
}

static int fetch_it(struct fixture *f, bool is_header)
{
	f->told[0] = '\0';
	f->next = 0;
	f->fetch = (struct maildrop_fetch_req){
		.op.done = done,
		.is_header = is_header,
		.next = fetch_next,
		.begin = fetch_begin,
		.data = fetch_data,
		.end = fetch_end,
		.refused = fetch_refused,
	};
	f->maildrop->ops->fetch(f->maildrop, &f->fetch);
	return await(f, &f->fetch.op);
}

static bool remove_next(struct maildrop_delete_req *req, uint32_t *number)
{
	*number = ++container_of(req, struct fixture, remove)->next;
	return *number <= 3;
}

static void removed(struct maildrop_delete_req *req, uint32_t number, const struct error *refusal)
{
	tell(container_of(req, struct fixture, remove), "%u%s ", number,
	     refusal != NULL ? " not" : "");
}

static int remove_it(struct fixture *f)
{
	f->told[0] = '\0';
	f->next = 0;
	f->remove.op.done = done;
	f->remove.next = remove_next;
	f->remove.answered = removed;
	f->maildrop->ops->remove(f->maildrop, &f->remove);
	return await(f, &f->remove.op);
}

static int quit_it(struct fixture *f)
{
	f->quitting.op.done = done;
	f->maildrop->ops->quit(f->maildrop, &f->quitting);
	return await(f, &f->quitting.op);
}

/* --- Fixtures ---------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	static char *argv[4] = { "sh", "-c", NULL, NULL };
	struct error err;

	fake_net_begin();
	f->loop = loop_new();
	(void)snprintf(f->runs, sizeof(f->runs), "/tmp/syncd-test-drop-%ld", (long)getpid());
	(void)unlink(f->runs);
	(void)snprintf(f->script, sizeof(f->script), "echo x >>%s; echo pw$(wc -l <%s | tr -d ' ')",
		       f->runs, f->runs);
	argv[2] = f->script;
	const struct adapter_maildrop_settings settings = {
		.account = "test",
		.target = { .host = "localhost", .port = 995, .timeout_ms = 5000 },
		.user = "me",
		.password_argv = argv,
		.allow_plaintext = true,
	};
	f->passwords[0] = "pw1";
	f->list = "+OK\r\n1 100\r\n2 200\r\n3 300\r\n.\r\n";
	f->uidl = "+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n";
	f->quit = "+OK\r\n";
	f->adapter = adapter_maildrop_new(f->loop, &settings, &err);
	f->maildrop = adapter_maildrop_port(f->adapter);
	loop_timer_init(f->loop, &f->look, look);
	loop_timer_start(&f->look, 1);
	awaited = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(close_it(f), 0);
	adapter_maildrop_free(&f->adapter);
	loop_timer_stop(&f->look);
	fake_net_end();
	loop_free(&f->loop);
	(void)unlink(f->runs);
	free(f);
	return 0;
}

/* --- Listing ------------------------------------------------------------------------------- */

static void two_listings_become_one_in_the_order_of_numbers(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *list;
		const char *uidl;
		const char *told;
		bool is_complete;
	} cases[] = {
		{ "+OK\r\n1 10\r\n2 20\r\n.\r\n", "+OK\r\n1 a\r\n2 b\r\n.\r\n", "1:10:a 2:20:b ",
		  true },
		{ "+OK\r\n.\r\n", "+OK\r\n.\r\n", "", true },
		{ "+OK\r\n3 30\r\n1 10\r\n.\r\n", "+OK\r\n1 a\r\n3 c\r\n.\r\n", "1:10:a 3:30:c ",
		  true },
		/* Two messages may have one unique-id (RFC 1939 §7). */
		{ "+OK\r\n1 10\r\n2 10\r\n.\r\n", "+OK\r\n1 a\r\n2 a\r\n.\r\n", "1:10:a 2:10:a ",
		  true },
		/* Without a size it can be fetched, without a name it cannot be told from others.
		 */
		{ "+OK\r\n1 10\r\n.\r\n", "+OK\r\n1 a\r\n2 b\r\n.\r\n", "1:10:a 2:0:b ", true },
		{ "+OK\r\n1 10\r\n2 20\r\n.\r\n", "+OK\r\n1 a\r\n.\r\n", "1:10:a ", false },
		/* A number twice. */
		{ "+OK\r\n1 10\r\n1 11\r\n.\r\n", "+OK\r\n1 a\r\n.\r\n", "1:10:a ", true },
		{ "+OK\r\n1 10\r\n.\r\n", "+OK\r\n1 a\r\n1 a\r\n.\r\n", "1:10:a ", true },
		{ "+OK\r\n1 10\r\n.\r\n", "+OK\r\n1 a\r\n1 b\r\n.\r\n", "1:10:a ", false },
		/* Lines that say nothing. */
		{ "+OK\r\n1 ten\r\n2 20\r\n.\r\n", "+OK\r\n1 a\r\n2 b\r\n.\r\n", "1:0:a 2:20:b ",
		  false },
		{ "+OK\r\n1 10\r\n2 20\r\n.\r\n", "+OK\r\n1 \r\n2 b\r\n.\r\n", "2:20:b ", false },
	};

	assert_int_equal(open_it(f), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("  %s", cases[i].list);
		f->list = cases[i].list;
		f->uidl = cases[i].uidl;
		assert_int_equal(list_it(f), 0);
		assert_string_equal(f->told, cases[i].told);
		assert_true(f->listing.has_uids);
		assert_int_equal(f->listing.is_complete, cases[i].is_complete);
	}
}

static void without_UIDL_the_messages_have_no_names(void **state)
{
	struct fixture *f = *state;

	f->uidl = "-ERR what is that\r\n";
	assert_int_equal(open_it(f), 0);
	assert_int_equal(list_it(f), 0);
	assert_string_equal(f->told, "1:100: 2:200: 3:300: ");
	assert_false(f->listing.has_uids);
	assert_true(f->listing.is_complete);
}

static void a_listing_refused_for_now_is_none(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_it(f), 0);
	f->uidl = "-ERR [SYS/TEMP] later\r\n";
	assert_int_equal(list_it(f), SYNCD_EBUSY);
	assert_string_equal(f->told, "");
	f->uidl = "+OK\r\n1 a\r\n.\r\n";
	f->list = "-ERR no\r\n";
	assert_int_equal(list_it(f), SYNCD_ESERVER);
	assert_string_equal(f->told, "");
}

static void a_cut_in_a_listing_is_no_lack_of_UIDL(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_it(f), 0);
	f->uidl = NULL;
	assert_int_equal(list_it(f), SYNCD_ENET);
	assert_string_equal(f->told, "");
}

/* --- Messages ------------------------------------------------------------------------------- */

static void messages_come_or_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_it(f), 0);
	assert_true(f->open.has_top);
	assert_int_equal(list_it(f), 0);
	assert_int_equal(fetch_it(f, false), 0);
	assert_string_equal(f->told,
			    "<1:Subject: x\r\n\r\n.\r\n1>(2 message)<3:Subject: x\r\n\r\n.\r\n3>");
	assert_int_equal(fetch_it(f, true), 0);
	assert_string_equal(f->told, "<1:Subject: x\r\n\r\n1><2:Subject: x\r\n\r\n2><3:Subject: "
				     "x\r\n\r\n3>");
}

static void quit_says_what_became_of_the_marks(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *quit;
		int code;
		enum maildrop_outcome outcome;
	} cases[] = {
		{ "+OK\r\n", 0, MAILDROP_GONE },
		{ "-ERR some are left\r\n", SYNCD_ESERVER, MAILDROP_UNKNOWN },
		{ NULL, SYNCD_ENET, MAILDROP_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->passwords[i] = "pw1";
		f->quit = cases[i].quit;
		assert_int_equal(open_it(f), 0);
		assert_int_equal(remove_it(f), 0);
		assert_string_equal(f->told, "1 2 not 3 ");
		assert_int_equal(quit_it(f), cases[i].code);
		assert_int_equal(f->quitting.outcome, cases[i].outcome);
		assert_int_equal(close_it(f), 0);
	}
}

static void without_a_session_all_is_refused_and_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_it(f), 0);
	assert_int_equal(remove_it(f), 0);
	f->list = NULL;
	assert_int_equal(list_it(f), SYNCD_ENET);
	assert_int_equal(list_it(f), SYNCD_ENET);
	assert_int_equal(fetch_it(f, false), SYNCD_ENET);
	assert_int_equal(quit_it(f), SYNCD_ENET);
	assert_int_equal(f->quitting.outcome, MAILDROP_KEPT);
}

/* --- Logging in ------------------------------------------------------------------------------ */

static void the_servers_wish_for_a_pause_is_told(void **state)
{
	struct fixture *f = *state;

	f->login_delay = "+OK\r\nUSER\r\nLOGIN-DELAY 600\r\nPIPELINING\r\nUIDL\r\n.\r\n";
	assert_int_equal(open_it(f), 0);
	assert_int_equal(f->open.login_delay_s, 600);
	assert_false(f->open.has_top);
}

static void a_password_that_worked_and_is_refused_is_asked_for_anew_once(void **state)
{
	struct fixture *f = *state;

	f->passwords[1] = NULL;
	f->passwords[2] = "pw2";
	assert_int_equal(open_it(f), 0);
	assert_int_equal(close_it(f), 0);
	assert_int_equal(open_it(f), 0);
	assert_int_equal(runs(f), 2);
	assert_int_equal(f->logins, 3);
}

static void a_password_refused_at_once_is_not_tried_again(void **state)
{
	struct fixture *f = *state;

	f->passwords[0] = NULL;
	assert_int_equal(open_it(f), SYNCD_EAUTH);
	assert_int_equal(runs(f), 1);
	assert_int_equal(f->logins, 1);
	assert_int_equal(close_it(f), 0);
	f->passwords[1] = "pw2";
	assert_int_equal(open_it(f), 0);
	assert_int_equal(runs(f), 2);
}

static void pause_over(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

static void a_cancelled_opening_ends_soon(void **state)
{
	struct fixture *f = *state;
	struct loop_timer pause;

	loop_timer_init(f->loop, &pause, pause_over);
	(void)snprintf(f->script, sizeof(f->script), "exec sleep 100");
	f->open.op.done = done;
	f->maildrop->ops->open(f->maildrop, &f->open);
	f->maildrop->ops->cancel(f->maildrop); /* before it has begun */
	assert_int_equal(await(f, &f->open.op), SYNCD_ECANCELLED);
	assert_int_equal(close_it(f), 0);
	f->maildrop->ops->open(f->maildrop, &f->open);
	loop_timer_start(&pause, 20); /* while the password is asked for */
	loop_run(f->loop);
	f->maildrop->ops->cancel(f->maildrop);
	assert_int_equal(await(f, &f->open.op), SYNCD_ECANCELLED);
}

#define MAILDROP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MAILDROP_TEST(two_listings_become_one_in_the_order_of_numbers),
		MAILDROP_TEST(without_UIDL_the_messages_have_no_names),
		MAILDROP_TEST(a_listing_refused_for_now_is_none),
		MAILDROP_TEST(a_cut_in_a_listing_is_no_lack_of_UIDL),
		MAILDROP_TEST(messages_come_or_are_refused),
		MAILDROP_TEST(quit_says_what_became_of_the_marks),
		MAILDROP_TEST(without_a_session_all_is_refused_and_kept),
		MAILDROP_TEST(the_servers_wish_for_a_pause_is_told),
		MAILDROP_TEST(a_password_that_worked_and_is_refused_is_asked_for_anew_once),
		MAILDROP_TEST(a_password_refused_at_once_is_not_tried_again),
		MAILDROP_TEST(a_cancelled_opening_ends_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
