/* POP3 sessions on a real server: each case with a maildrop of its own, many commands in the pipe
 * and one by one.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "port/port.h"
#include "port/server.h"
#include "syncd/alloc.h"
#include "syncd/pop3.h"

#define UID_MAX 80
#define BODY_MAX (1 << 20)

struct pop3_kind {
	const char *name;
	bool is_cautious;
};

static struct server server;
static unsigned users_used;

struct bench {
	const struct pop3_kind *kind;
	struct loop *loop;
	struct net_target target;
	const char *auth[2];
	char user_name[16];
	struct secret *password;
	struct net_context *net;
	struct pop3_user user;
	struct pop3_session *session; /* NULL: closed */
	bool is_decided;              /* ready or broken */
	struct error err;             /* of broken */

	bool is_done; /* the command that is waited for */
	struct pop3_stat stat;
	struct pop3_listing list;
	struct pop3_listing uidl;
	uint64_t sizes[SERVER_POP3_MESSAGES + 1];
	char uids[SERVER_POP3_MESSAGES + 1][UID_MAX];
	size_t listed;
	struct pop3_fetch fetch;
	uint32_t next;
	struct buf body;
	size_t fetched;
	size_t refused;
	struct pop3_dele dele;
	const uint32_t *to_delete; /* ends with 0 */
	size_t marked;
	struct pop3_command rset;
	struct pop3_quit quit;
};

/* --- What server.py has put there ------------------------------------------------ */

/* Message `n` in CRLF form, as server.py's `message` has it; only the header with `is_top`. */
static void render(uint32_t n, bool is_top, struct buf *out)
{
	buf_reset(out);
	must(buf_printf(out, "From: someone@example.org\r\nSubject: message %u\r\n\r\n", n) == 0);
	if (is_top)
		return;
	must(buf_printf(out, ".\r\n..\r\n.%u\r\n", n) == 0);
	for (uint32_t i = 0; i < n * n; i++)
		must(buf_printf(out, "A line of some length, %u.\r\n", n) == 0);
}

/* --- The session -------------------------------------------------------------------- */

static struct bench *bench_of(struct pop3_user *user)
{
	return container_of(user, struct bench, user);
}

static void decided(struct bench *bench, const struct error *err)
{
	assert_false(bench->is_decided);
	bench->is_decided = true;
	bench->err = *err;
	loop_stop(bench->loop);
}

static void on_ready(struct pop3_user *user)
{
	decided(bench_of(user), &(struct error){ .code = 0 });
}

static void on_broken(struct pop3_user *user, const struct error *err)
{
	decided(bench_of(user), err);
}

static void on_closed(struct pop3_user *user)
{
	bench_of(user)->session = NULL;
	loop_stop(bench_of(user)->loop);
}

static const struct pop3_user_ops user_ops = {
	.ready = on_ready,
	.broken = on_broken,
	.closed = on_closed,
};

/* Connects; the code of what came of it. */
static int open_session(struct bench *bench)
{
	struct error err;

	if (bench->net == NULL)
		bench->net = net_context_new(bench->loop, &bench->target, &err);
	must(bench->net != NULL);
	const struct pop3_settings settings = {
		.loop = bench->loop,
		.net = bench->net,
		.target = &bench->target,
		.account = "port",
		.user = bench->user_name,
		.password = bench->password,
		.auth = bench->auth[0] != NULL ? bench->auth : NULL,
		.is_cautious = bench->kind->is_cautious,
	};
	bench->is_decided = false;
	bench->user.ops = &user_ops;
	bench->session = pop3_session_new(&settings, &bench->user);
	pop3_session_start(bench->session);
	run_loop_until(bench->loop, &bench->is_decided);
	return bench->err.code;
}

static void close_session(struct bench *bench)
{
	pop3_session_close(bench->session);
	while (bench->session != NULL)
		loop_run(bench->loop);
}

static void wait_done(struct bench *bench)
{
	run_loop_until(bench->loop, &bench->is_done);
	bench->is_done = false;
}

static void done(struct bench *bench, int code)
{
	assert_int_equal(code, 0);
	bench->is_done = true;
	loop_stop(bench->loop);
}

/* --- Commands -------------------------------------------------------------------------- */

static void list_sized(struct pop3_listing *listing, uint32_t number, uint64_t size_bytes)
{
	struct bench *bench = container_of(listing, struct bench, list);

	assert_in_range(number, 1, SERVER_POP3_MESSAGES);
	bench->sizes[number] = size_bytes;
	bench->listed++;
}

static void uidl_named(struct pop3_listing *listing, uint32_t number, struct slice uid)
{
	struct bench *bench = container_of(listing, struct bench, uidl);

	assert_in_range(number, 1, SERVER_POP3_MESSAGES);
	assert_in_range(uid.len, 1, UID_MAX - 1);
	(void)snprintf(bench->uids[number], UID_MAX, "%.*s", (int)uid.len, uid.data);
}

static void stat_done(struct pop3_command *command, int code)
{
	(void)command;
	assert_int_equal(code, 0);
}

static void list_done(struct pop3_command *command, int code)
{
	(void)command;
	assert_int_equal(code, 0);
}

static void uidl_done(struct pop3_command *command, int code)
{
	done(container_of(command, struct bench, uidl.command), code);
}

/* STAT, LIST and UIDL together, which agree. */
static void look(struct bench *bench)
{
	uint64_t bytes = 0;

	bench->listed = 0;
	memset(bench->sizes, 0, sizeof(bench->sizes));
	bench->list.sized = list_sized;
	bench->uidl.named = uidl_named;
	pop3_stat_start(bench->session, &bench->stat, stat_done);
	pop3_list_start(bench->session, &bench->list, list_done);
	pop3_uidl_start(bench->session, &bench->uidl, uidl_done);
	wait_done(bench);
	assert_false(bench->list.is_damaged);
	assert_false(bench->uidl.is_damaged);
	assert_int_equal(bench->listed, bench->stat.count);
	for (size_t i = 0; i <= SERVER_POP3_MESSAGES; i++)
		bytes += bench->sizes[i];
	assert_int_equal(bytes, bench->stat.size_bytes);
}

static bool fetch_next(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes)
{
	struct bench *bench = container_of(fetch, struct bench, fetch);

	if (bench->next == SERVER_POP3_MESSAGES)
		return false;
	*number = ++bench->next;
	*size_bytes = bench->sizes[*number];
	return true;
}

static int fetch_begin(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes)
{
	struct bench *bench = container_of(fetch, struct bench, fetch);

	assert_int_equal(size_bytes, bench->sizes[number]);
	buf_reset(&bench->body);
	return 0;
}

static int fetch_data(struct pop3_fetch *fetch, struct slice data)
{
	struct bench *bench = container_of(fetch, struct bench, fetch);

	return buf_add(&bench->body, data.data, data.len);
}

static int fetch_end(struct pop3_fetch *fetch, uint32_t number)
{
	struct bench *bench = container_of(fetch, struct bench, fetch);
	struct buf expected;

	buf_init(&expected, BODY_MAX);
	render(number, fetch->is_top, &expected);
	assert_string_equal(buf_str(&bench->body), buf_str(&expected));
	if (!fetch->is_top && number < SERVER_POP3_MESSAGES)
		assert_int_equal(bench->body.len, bench->sizes[number]);
	buf_free(&expected);
	bench->fetched++;
	return 0;
}

static int fetch_refused(struct pop3_fetch *fetch, uint32_t number, const struct error *err)
{
	(void)number;
	assert_int_equal(err->code, SYNCD_EMESSAGE);
	container_of(fetch, struct bench, fetch)->refused++;
	return 0;
}

static void fetch_done(struct pop3_fetch *fetch, int code)
{
	done(container_of(fetch, struct bench, fetch), code);
}

static void fetch_all(struct bench *bench, bool is_top)
{
	bench->next = 0;
	bench->fetched = 0;
	bench->refused = 0;
	bench->fetch.is_top = is_top;
	bench->fetch.next = fetch_next;
	bench->fetch.begin = fetch_begin;
	bench->fetch.data = fetch_data;
	bench->fetch.end = fetch_end;
	bench->fetch.refused = fetch_refused;
	bench->fetch.done = fetch_done;
	pop3_fetch_start(bench->session, &bench->fetch);
	wait_done(bench);
}

static bool dele_next(struct pop3_dele *dele, uint32_t *number)
{
	struct bench *bench = container_of(dele, struct bench, dele);

	*number = *bench->to_delete;
	bench->to_delete += *number != 0;
	return *number != 0;
}

static void dele_answered(struct pop3_dele *dele, uint32_t number, const struct error *refusal)
{
	(void)number;
	container_of(dele, struct bench, dele)->marked += refusal == NULL;
}

static void dele_done(struct pop3_command *command, int code)
{
	done(container_of(command, struct bench, dele.command), code);
}

/* Marks these; the last number is 0. How many were. */
static size_t delete (struct bench *bench, const uint32_t *numbers)
{
	bench->to_delete = numbers;
	bench->marked = 0;
	bench->dele.next = dele_next;
	bench->dele.answered = dele_answered;
	pop3_dele_start(bench->session, &bench->dele, dele_done);
	wait_done(bench);
	return bench->marked;
}

static void quit_done(struct pop3_command *command, int code)
{
	done(container_of(command, struct bench, quit.command), code);
}

static void quit(struct bench *bench)
{
	pop3_quit_start(bench->session, &bench->quit, quit_done);
	wait_done(bench);
	assert_int_equal(bench->quit.outcome, POP3_QUIT_DONE);
	close_session(bench);
}

/* --- Fixtures ------------------------------------------------------------------------------ */

static int setup(void **state)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));

	bench->kind = *state;
	bench->loop = loop_new();
	bench->target = (struct net_target){
		.host = "localhost",
		.port = server.tls_port,
		.tls = NET_TLS_IMPLICIT,
		.tls_ca_file = server.ca_file,
		.timeout_ms = 10000,
	};
	bench->password = secret_new(SERVER_PASSWORD, strlen(SERVER_PASSWORD));
	must(++users_used <= SERVER_POP3_USERS);
	(void)snprintf(bench->user_name, sizeof(bench->user_name), "me%u", users_used);
	buf_init(&bench->body, BODY_MAX);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	if (bench->session != NULL)
		close_session(bench);
	net_context_free(&bench->net);
	secret_free(&bench->password);
	buf_free(&bench->body);
	loop_free(&bench->loop);
	free(bench);
	return 0;
}

/* --- Cases ----------------------------------------------------------------------------------- */

static void every_message_comes_as_it_was(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(open_session(bench), 0);
	look(bench);
	assert_int_equal(bench->stat.count, SERVER_POP3_MESSAGES);
	fetch_all(bench, false);
	assert_int_equal(bench->fetched, SERVER_POP3_MESSAGES);
	quit(bench);
}

static void headers_come_alone(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(open_session(bench), 0);
	assert_true(pop3_session_can(bench->session, POP3_CAP_TOP));
	fetch_all(bench, true);
	assert_int_equal(bench->fetched, SERVER_POP3_MESSAGES);
	quit(bench);
}

static void what_is_marked_is_gone_behind_quit(void **state)
{
	static const uint32_t numbers[] = { 2, 3, 3, 20, 21, 0 };
	struct bench *bench = *state;
	char third[UID_MAX];

	assert_int_equal(open_session(bench), 0);
	look(bench);
	memcpy(third, bench->uids[4], UID_MAX);
	assert_int_equal(delete (bench, numbers),
			 3); /* twice the same, and one that is not there */
	fetch_all(bench, false);
	assert_int_equal(bench->refused, 3);
	quit(bench);
	assert_int_equal(open_session(bench), 0);
	look(bench);
	assert_int_equal(bench->stat.count, SERVER_POP3_MESSAGES - 3);
	assert_string_equal(bench->uids[2], third); /* the fourth is the second now */
	quit(bench);
}

static void nothing_is_gone_without_quit(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 0 };
	struct bench *bench = *state;

	assert_int_equal(open_session(bench), 0);
	assert_int_equal(delete (bench, numbers), 2);
	close_session(bench);
	assert_int_equal(open_session(bench), 0);
	look(bench);
	assert_int_equal(bench->stat.count, SERVER_POP3_MESSAGES);
	quit(bench);
}

static void rset_done(struct pop3_command *command, int code)
{
	done(container_of(command, struct bench, rset), code);
}

static void rset_takes_marks_back(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 0 };
	struct bench *bench = *state;

	assert_int_equal(open_session(bench), 0);
	assert_int_equal(delete (bench, numbers), 2);
	pop3_rset_start(bench->session, &bench->rset, rset_done);
	wait_done(bench);
	quit(bench);
	assert_int_equal(open_session(bench), 0);
	look(bench);
	assert_int_equal(bench->stat.count, SERVER_POP3_MESSAGES);
	quit(bench);
}

static void every_mechanism_logs_in(void **state)
{
	static const char *const mechanisms[] = { "plain",       "login",         "cram-md5",
						  "scram-sha-1", "scram-sha-256", "apop" };
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		print_message("  %s\n", mechanisms[i]);
		bench->auth[0] = mechanisms[i];
		assert_int_equal(open_session(bench), 0);
		quit(bench);
	}
}

static void stls_secures_the_login(void **state)
{
	struct bench *bench = *state;

	bench->target.tls = NET_TLS_STARTTLS;
	bench->target.port = server.port;
	bench->auth[0] = "plain";
	assert_int_equal(open_session(bench), 0);
	look(bench);
	assert_int_equal(bench->stat.count, SERVER_POP3_MESSAGES);
	quit(bench);
}

static void wrong_password_is_eauth(void **state)
{
	static const char *const mechanisms[] = { "plain", "cram-md5", "scram-sha-256", "apop" };
	struct bench *bench = *state;

	secret_free(&bench->password);
	bench->password = secret_new("wrong", 5);
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		print_message("  %s\n", mechanisms[i]);
		bench->auth[0] = mechanisms[i];
		assert_int_equal(open_session(bench), SYNCD_EAUTH);
		assert_string_equal(bench->err.server_code, "AUTH");
		close_session(bench);
	}
}

/* Dovecot waits ten seconds for the lock before it says so. */
static void maildrop_in_use_is_ebusy(void **state)
{
	struct bench *bench = *state;
	struct bench other = { .kind = bench->kind, .target = bench->target };

	assert_int_equal(open_session(bench), 0);
	other.target.timeout_ms = 30000;
	other.loop = bench->loop;
	other.password = bench->password;
	memcpy(other.user_name, bench->user_name, sizeof(other.user_name));
	assert_int_equal(open_session(&other), SYNCD_EBUSY);
	assert_string_equal(other.err.server_code, "IN-USE");
	close_session(&other);
	net_context_free(&other.net);
	quit(bench);
}

static void there_is_no_pop3_here(void **state)
{
	(void)state;
	skip();
}

void pop3_tests_add(struct port_tests *tests)
{
	static struct pop3_kind kinds[] = {
		{ .name = "pop3" },
		{ .name = "pop3 one by one", .is_cautious = true },
	};
	static const struct port_case cases[] = {
		PORT_CASE(every_message_comes_as_it_was),
		PORT_CASE(headers_come_alone),
		PORT_CASE(what_is_marked_is_gone_behind_quit),
		PORT_CASE(nothing_is_gone_without_quit),
		PORT_CASE(rset_takes_marks_back),
		PORT_CASE(every_mechanism_logs_in),
		PORT_CASE(stls_secures_the_login),
		PORT_CASE(wrong_password_is_eauth),
	};
	static const struct port_case single[] = { PORT_CASE(maildrop_in_use_is_ebusy) };
	static const struct port_case missing[] = { PORT_CASE(there_is_no_pop3_here) };

	server_start_pop3(&server);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (server.port != 0)
			port_tests_add(tests, kinds[i].name, &kinds[i], cases, ARRAY_LEN(cases),
				       setup, teardown);
		else
			port_tests_add(tests, kinds[i].name, NULL, missing, 1, NULL, NULL);
	}
	if (server.port != 0)
		port_tests_add(tests, kinds[0].name, &kinds[0], single, ARRAY_LEN(single), setup,
			       teardown);
}

void pop3_tests_end(void)
{
	server_stop(&server);
}
