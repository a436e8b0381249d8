/* Tests of the control socket: good and bad requests, good and bad clients.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>
#include <jansson.h>

#include "syncd/alloc.h"
#include "syncd/control.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define TURNS_MAX 100000
#define LINE_MAX_HERE (4 * 1024 * 1024)
#define HELD_MAX 128

/* The daemon's side. Syncs are answered when the test says so. */
struct fixture {
	struct control_user user;
	struct loop *loop;
	struct control *control;
	char dir[64];
	char path[96];
	struct control_reply *held[HELD_MAX];
	size_t held_count;
	char seen[256]; /* what the last op was called with */
	bool is_stopped;
	struct error err;
};

static struct fixture *fixture_of(struct control_user *user)
{
	return container_of(user, struct fixture, user);
}

static int op_status(struct control_user *user, const char *account, struct control_status *status,
		     struct error *err)
{
	struct fixture *f = fixture_of(user);

	if (account != NULL && strcmp(account, "work") != 0)
		return error_set(err, SYNCD_EUSAGE, "no such account: %s", account);
	(void)snprintf(f->seen, sizeof(f->seen), "status %s", account != NULL ? account : "-");
	status->uptime_s = 12;
	struct control_account_status *a = control_status_add_account(status, "work");
	a->state = CONTROL_AUTH_FAILED;
	a->push = CONTROL_PUSH_NOTIFY;
	a->last_sync_s = 1700000000;
	error_set(&a->err, SYNCD_EAUTH, "wrong password");
	struct control_mailbox_status *m = control_status_add_mailbox(a, "INBOX");
	m->use = SPECIAL_USE_TRASH;
	m->messages = 3;
	m->unseen = 1;
	m = control_status_add_mailbox(a, "odd \xff name");
	control_status_add_left(m, "UID7", 9000, NULL);
	control_status_add_left(m, "", 12, "no");
	m->held_deletions = 120;
	m->held_is_remote = true;
	return 0;
}

static void hold(struct control_user *user, const char *what, const struct control_target *targets,
		 size_t count, struct control_reply *reply)
{
	struct fixture *f = fixture_of(user);
	size_t used = (size_t)snprintf(f->seen, sizeof(f->seen), "%s", what);

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(f->seen + used, sizeof(f->seen) - used, " %s|%s",
					 targets[i].account,
					 targets[i].mailbox != NULL ? targets[i].mailbox : "-");
	assert_true(f->held_count < HELD_MAX);
	f->held[f->held_count++] = reply;
}

static void op_sync(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	hold(user, "sync", targets, count, reply);
}

static void op_plan(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	hold(user, "plan", targets, count, reply);
}

static void op_decide(struct control_user *user, const struct control_target *target,
		      enum sync_decision decision, struct control_reply *reply)
{
	assert_true(decision == SYNC_ACCEPT || decision == SYNC_RESTORE);
	hold(user, decision == SYNC_ACCEPT ? "accept" : "restore", target, 1, reply);
}

static void op_fetch(struct control_user *user, const char *account, const char *uid,
		     struct control_reply *reply)
{
	hold(user, "fetch", &(struct control_target){ account, uid }, 1, reply);
}

static void op_forget(struct control_user *user, const char *account, struct control_reply *reply)
{
	hold(user, "forget", &(struct control_target){ account, NULL }, 1, reply);
}

static int op_pause(struct control_user *user, const char *const *accounts, size_t count,
		    struct error *err)
{
	struct fixture *f = fixture_of(user);

	if (count > 0 && strcmp(accounts[0], "work") != 0)
		return error_set(err, SYNCD_EUSAGE, "no such account: %s", accounts[0]);
	(void)snprintf(f->seen, sizeof(f->seen), "pause %zu", count);
	return 0;
}

static int op_resume(struct control_user *user, const char *const *accounts, size_t count,
		     struct error *err)
{
	(void)accounts, (void)err;
	(void)snprintf(fixture_of(user)->seen, sizeof(fixture_of(user)->seen), "resume %zu", count);
	return 0;
}

static void op_reload(struct control_user *user, struct control_reply *reply)
{
	struct error err;

	(void)user;
	error_set(&err, SYNCD_ECONFIG, "line 3 is wrong");
	control_reply_error(reply, &err);
}

static void op_stop(struct control_user *user)
{
	(void)snprintf(fixture_of(user)->seen, sizeof(fixture_of(user)->seen), "stop");
}

static const struct control_ops ops = {
	.status = op_status,
	.sync = op_sync,
	.plan = op_plan,
	.decide = op_decide,
	.fetch = op_fetch,
	.forget = op_forget,
	.pause = op_pause,
	.resume = op_resume,
	.reload = op_reload,
	.stop = op_stop,
};

static void swallow_log(enum log_level level, const char *line, void *context)
{
	(void)level, (void)line, (void)context;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	log_set_sink(swallow_log, NULL);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/syncd-control-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	f->user.ops = &ops;
	f->loop = loop_new();
	f->control = control_start(f->loop, f->path, &f->user, &f->err);
	assert_non_null(f->control);
	*state = f;
	return 0;
}

static void control_stopped(struct control_user *user)
{
	fixture_of(user)->is_stopped = true;
}

static void turn(struct fixture *f)
{
	(void)uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
}

static void stop_control(struct fixture *f)
{
	control_stop(f->control, control_stopped);
	assert_false(f->is_stopped);
	for (int i = 0; i < TURNS_MAX && !f->is_stopped; i++)
		turn(f);
	assert_true(f->is_stopped);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (!f->is_stopped)
		stop_control(f);
	loop_free(&f->loop);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	log_set_sink(NULL, NULL);
	free(f);
	return 0;
}

/* --- Clients ---------------------------------------------------------------------- */

static int client_open(struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, f->path, strlen(f->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn(f);
	return fd;
}

static void client_say(struct fixture *f, int fd, const char *text)
{
	size_t len = strlen(text);
	size_t sent = 0;

	for (int i = 0; i < TURNS_MAX && sent < len; i++) {
		ssize_t n = send(fd, text + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		turn(f);
	}
	assert_int_equal(sent, len);
}

/* A line without its end; NULL when the server closed. Freed by the caller. */
static char *client_line(struct fixture *f, int fd)
{
	struct buf line;
	char c;

	buf_init(&line, LINE_MAX_HERE);
	for (int i = 0; i < TURNS_MAX;) {
		ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
		if (n == 0 || (n == 1 && c == '\n')) {
			if (n == 0) {
				buf_free(&line);
				return NULL;
			}
			return line.data;
		}
		if (n == 1) {
			assert_int_equal(buf_add_char(&line, c), 0);
			continue;
		}
		turn(f);
		i++;
	}
	buf_free(&line);
	fail_msg("no answer");
	return NULL;
}

static json_t *client_json(struct fixture *f, int fd)
{
	char *line = client_line(f, fd);

	assert_non_null(line);
	json_t *value = json_loads(line, 0, NULL);
	assert_non_null(value);
	free(line);
	return value;
}

static json_t *ask(struct fixture *f, int fd, const char *request)
{
	client_say(f, fd, request);
	return client_json(f, fd);
}

static long error_code(const json_t *answer)
{
	return (long)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static void assert_works(struct fixture *f, int fd)
{
	json_t *answer = ask(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"pause\"}\n");

	assert_string_equal(json_string_value(json_object_get(answer, "id")), "x");
	assert_true(json_is_true(json_object_get(json_object_get(answer, "result"), "ok")));
	json_decref(answer);
}

static void answer_held(struct fixture *f)
{
	struct error err;
	struct control_failure failure = { .account = "work", .mailbox = "INBOX", .err = &err };
	struct control_sync_result result = { .exit_status = 1,
					      .counts = { .fetched = 7, .fetched_bytes = 70 },
					      .failures = &failure,
					      .failure_count = 1 };

	error_set(&err, SYNCD_ESERVER, "it said NO");
	for (size_t i = 0; i < f->held_count; i++)
		control_reply_sync(f->held[i], &result);
	f->held_count = 0;
}

/* --- Requests ----------------------------------------------------------------------- */

static void status_has_what_the_contract_says(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	char *line;

	client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
	line = client_line(f, fd);
	assert_string_equal(
		line,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":\"" SYNCD_VERSION
		"\",\"uptime_s\":12,\"accounts\":[{\"name\":\"work\",\"protocol\":\"imap\","
		"\"state\":\"auth-failed\",\"push\":\"notify\",\"last_sync\":1700000000,"
		"\"next_retry\":null,\"error\":{\"code\":\"auth\",\"message\":\"wrong password\"},"
		"\"mailboxes\":[{\"name\":\"INBOX\",\"special_use\":\"trash\",\"messages\":3,"
		"\"unseen\":1,\"pending\":0,"
		"\"set_aside\":[],\"too_large\":0,\"left\":[],\"server_keywords\":[],\"local_"
		"keywords\":[],"
		"\"held\":null,"
		"\"error\":null},{\"name\":\"odd ? name\","
		"\"special_use\":null,\"messages\":0,\"unseen\":0,\"pending\":0,\"set_aside\":[],"
		"\"too_large\":0,\"left\":[{\"uidl\":\"UID7\",\"bytes\":9000,\"reason\":null},"
		"{\"uidl\":null,\"bytes\":12,\"reason\":\"no\"}],"
		"\"server_keywords\":[],\"local_keywords\":[],"
		"\"held\":{\"deletions\":120,\"side\":\"remote\"},\"error\":null}]}]}}");
	free(line);
	(void)close(fd);
}

static void bad_requests_get_the_codes_of_json_rpc(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *request;
		long code;
	} cases[] = {
		{ "nonsense\n", -32700 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\n", -32700 },
		{ "\xff\xfe\n", -32700 },
		{ "\"text\"\n", -32700 },
		{ "[]\n", -32600 },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}]\n", -32600 },
		{ "{}\n", -32600 },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}\n", -32600 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}\n", -32600 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}\n", -32600 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dance\"}\n", -32601 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":[1]}\n", -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"x\":1}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\","
		  "\"params\":{\"account\":[\"work\"]}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\",\"params\":{\"targets\":[7]}}"
		  "\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\","
		  "\"params\":{\"targets\":[\"/INBOX\"]}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\","
		  "\"params\":{\"targets\":[\"a\\u0000b\"]}}\n",
		  -32602 },
		/* A decision is about something, and one thing. */
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"forget\"}\n", -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fetch\","
		  "\"params\":{\"message\":\"work\"}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fetch\","
		  "\"params\":{\"message\":\"work/\"}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fetch\","
		  "\"params\":{\"message\":[\"work/7\"]}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"accept\"}\n", -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"restore\",\"params\":{}}\n", -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"accept\","
		  "\"params\":{\"target\":null}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"accept\","
		  "\"params\":{\"target\":[\"work\"]}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"accept\","
		  "\"params\":{\"targets\":\"work\"}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\",\"params\":{\"x\":1}}\n",
		  -32602 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\","
		  "\"params\":{\"accounts\":[\"home\"]}}\n",
		  -32000 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"reload\"}\n", -32000 },
	};
	int fd = client_open(f);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *answer = ask(f, fd, cases[i].request);
		if (error_code(answer) != cases[i].code)
			fail_msg("%ld for %s", error_code(answer), cases[i].request);
		json_decref(answer);
		assert_works(f, fd);
	}
	(void)close(fd);
}

static void an_error_carries_its_name_and_exit_status(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"reload\"}\n");
	char *line = client_line(f, fd);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"code\":-32000,"
				  "\"message\":\"line 3 is wrong\",\"data\":{\"code\":\"config\","
				  "\"exit\":78}}}");
	free(line);
	(void)close(fd);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	const char *request = "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"status\"}\r\n";
	int fd = client_open(f);

	for (const char *p = request; *p != '\0'; p++) {
		char byte[2] = { *p, '\0' };
		client_say(f, fd, byte);
	}
	json_t *answer = client_json(f, fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 3);
	json_decref(answer);
	(void)close(fd);
}

static void several_requests_in_one_piece_are_all_answered(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_say(f, fd,
		   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\"}\n\n"
		   "{\"jsonrpc\":\"2.0\",\"method\":\"pause\"}\n"
		   "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resume\"}\n");
	for (int id = 1; id <= 2; id++) {
		json_t *answer = client_json(f, fd);
		assert_int_equal(json_integer_value(json_object_get(answer, "id")), id);
		json_decref(answer);
	}
	(void)close(fd);
}

static void a_request_of_the_limit_is_taken_and_a_longer_one_skipped(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	char *text = xmalloc(CONTROL_REQUEST_MAX + 8);
	const char *head = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\"";

	memset(text, ' ', CONTROL_REQUEST_MAX);
	memcpy(text, head, strlen(head));
	(void)snprintf(text + CONTROL_REQUEST_MAX - 1, 8, "}\n");
	json_t *answer = ask(f, fd, text);
	assert_int_equal(error_code(answer), 0);
	json_decref(answer);

	memset(text, ' ', CONTROL_REQUEST_MAX);
	memcpy(text, head, strlen(head));
	(void)snprintf(text + CONTROL_REQUEST_MAX, 8, "}\n");
	answer = ask(f, fd, text);
	assert_int_equal(error_code(answer), -32600);
	json_decref(answer);
	free(text);
	assert_works(f, fd);
	(void)close(fd);
}

static void targets_are_accounts_and_mailboxes(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_say(f, fd,
		   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\",\"params\":"
		   "{\"targets\":[\"work/a/b\",\"home\"]}}\n");
	turn(f);
	assert_string_equal(f->seen, "sync work|a/b home|-");
	answer_held(f);
	char *line = client_line(f, fd);
	assert_string_equal(
		line,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"exit\":1,\"counts\":{\"fetched\":7,"
		"\"fetched_bytes\":70,\"linked\":0,\"appended\":0,\"appended_bytes\":0,"
		"\"flags_remote\":0,"
		"\"flags_local\":0,\"expunged\":0,\"removed\":0,\"set_aside\":0,\"too_large\":0},"
		"\"failures\":"
		"[{\"account\":\"work\",\"mailbox\":\"INBOX\",\"error\":{\"code\":\"server\","
		"\"message\":\"it said NO\"}}]}}");
	free(line);
	(void)close(fd);
}

static void decisions_are_about_one_target_and_answered_as_sync(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_say(f, fd,
		   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"accept\",\"params\":"
		   "{\"target\":\"work/a/b\"}}\n");
	turn(f);
	assert_string_equal(f->seen, "accept work|a/b");
	client_say(f, fd,
		   "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"restore\",\"params\":"
		   "{\"target\":\"home\"}}\n");
	turn(f);
	assert_string_equal(f->seen, "restore home|-");
	client_say(f, fd,
		   "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"fetch\",\"params\":"
		   "{\"message\":\"home/a/b c\"}}\n");
	turn(f);
	assert_string_equal(f->seen, "fetch home|a/b c");
	client_say(f, fd,
		   "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"forget\",\"params\":"
		   "{\"account\":\"home\"}}\n");
	turn(f);
	assert_string_equal(f->seen, "forget home|-");
	answer_held(f);
	char *line = client_line(f, fd);
	json_t *answer = json_loads(line, 0, NULL);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(answer, "result"), "exit")), 1);
	json_decref(answer);
	free(line);
	(void)close(fd);
}

static void a_plan_is_a_list_of_lines(void **state)
{
	struct fixture *f = *state;
	const char *const lines[] = { "fetch 1", "append \xfc" };
	struct control_sync_result result = { .exit_status = 0 };
	int fd = client_open(f);

	client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"plan\"}\n");
	turn(f);
	assert_int_equal(f->held_count, 1);
	control_reply_plan(f->held[0], lines, 2, &result);
	char *line = client_line(f, fd);
	assert_string_equal(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"exit\":0,"
				  "\"failures\":[],\"actions\":[\"fetch 1\",\"append ?\"]}}");
	free(line);
	(void)close(fd);
}

static void too_many_open_requests_are_refused(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	for (int i = 0; i < 64; i++)
		client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\"}\n");
	json_t *answer = ask(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sync\"}\n");
	assert_int_equal(error_code(answer), -32000);
	json_decref(answer);
	assert_int_equal(f->held_count, 64);
	answer_held(f);
	(void)close(fd);
}

static void stop_is_answered_before_it_is_done(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	struct stat st;

	json_t *answer = ask(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}\n");
	assert_int_equal(error_code(answer), 0);
	json_decref(answer);
	assert_string_equal(f->seen, "stop");
	stop_control(f);
	assert_null(client_line(f, fd));
	assert_int_equal(stat(f->path, &st), -1);
	(void)close(fd);
}

/* --- Clients that misbehave ------------------------------------------------------------ */

static void a_client_that_left_does_no_harm_to_its_answer(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);
	int other = client_open(f);

	client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\"}\n");
	turn(f);
	(void)close(fd);
	turn(f);
	turn(f);
	assert_int_equal(f->held_count, 1);
	answer_held(f);
	assert_works(f, other);
	(void)close(other);
}

static void a_half_closed_client_gets_its_answer_and_the_end(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sync\"}\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < 5; i++)
		turn(f);
	answer_held(f);
	json_t *answer = client_json(f, fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 1);
	json_decref(answer);
	assert_null(client_line(f, fd));
	(void)close(fd);
}

static void a_half_closed_client_without_questions_is_closed(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f);

	client_say(f, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"pause\"}\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_null(client_line(f, fd));
	(void)close(fd);
}

static struct control_event progress_event(void)
{
	return (struct control_event){ .kind = CONTROL_EVENT_PROGRESS,
				       .account = "work",
				       .mailbox = "INBOX",
				       .done = 2,
				       .total = 5 };
}

static void events_reach_those_who_subscribed(void **state)
{
	struct fixture *f = *state;
	struct control_event event = progress_event();
	int listener = client_open(f);
	int other = client_open(f);

	assert_false(control_has_subscribers(f->control));
	json_decref(ask(f, listener, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n"));
	assert_true(control_has_subscribers(f->control));
	control_emit(f->control, &event);
	json_t *message = client_json(f, listener);
	const json_t *params = json_object_get(message, "params");
	assert_string_equal(json_string_value(json_object_get(message, "method")), "event");
	assert_null(json_object_get(message, "id"));
	assert_string_equal(json_string_value(json_object_get(params, "type")), "progress");
	assert_string_equal(json_string_value(json_object_get(params, "mailbox")), "INBOX");
	assert_int_equal(json_integer_value(json_object_get(params, "done")), 2);
	assert_int_equal(json_integer_value(json_object_get(params, "total")), 5);
	json_decref(message);
	assert_works(f, other);
	(void)close(listener);
	(void)close(other);
}

static void a_client_that_does_not_read_is_dropped_and_the_others_served(void **state)
{
	struct fixture *f = *state;
	struct control_event event = progress_event();
	int stuck = client_open(f);
	int other = client_open(f);
	size_t emitted = 0;

	json_decref(ask(f, stuck, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n"));
	while (control_has_subscribers(f->control)) {
		assert_true(++emitted < 100000);
		control_emit(f->control, &event);
		turn(f);
	}
	assert_true(emitted > CONTROL_OUTPUT_MAX / 400);
	assert_works(f, other);
	(void)close(stuck);
	(void)close(other);
}

static void many_clients_at_once_are_served_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	int fds[CONTROL_CLIENTS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = client_open(f);
	for (int i = 0; i < 10; i++)
		turn(f);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		assert_works(f, fds[i]);
	int one_more = client_open(f);
	assert_null(client_line(f, one_more));
	(void)close(one_more);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	for (int i = 0; i < 10; i++)
		turn(f);
	int again = client_open(f);
	assert_works(f, again);
	(void)close(again);
}

static void those_who_subscribed_and_left_make_room(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * CONTROL_CLIENTS_MAX; i++) {
		int fd = client_open(f);
		json_decref(
			ask(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n"));
		if (i % 2 == 0)
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
		turn(f);
		(void)close(fd);
		turn(f);
	}
	int fd = client_open(f);
	assert_works(f, fd);
	(void)close(fd);
}

/* --- The socket's file -------------------------------------------------------------------- */

static void the_socket_is_the_users_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_daemon_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_null(control_start(f->loop, f->path, &f->user, &f->err));
	assert_int_equal(f->err.code, SYNCD_EBUSY);
	turn(f);
	int fd = client_open(f);
	assert_works(f, fd);
	(void)close(fd);
}

static void a_socket_nobody_answers_on_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	stop_control(f);
	f->is_stopped = false;
	memcpy(address.sun_path, f->path, strlen(f->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd); /* as a daemon that was killed leaves it */
	f->control = control_start(f->loop, f->path, &f->user, &f->err);
	assert_non_null(f->control);
	fd = client_open(f);
	assert_works(f, fd);
	(void)close(fd);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/file", f->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_null(control_start(f->loop, path, &f->user, &f->err));
	assert_int_equal(f->err.code, SYNCD_EIO);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
}

static void a_missing_directory_is_made(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	stop_control(f);
	f->is_stopped = false;
	(void)snprintf(path, sizeof(path), "%s/a/b/sock", f->dir);
	f->control = control_start(f->loop, path, &f->user, &f->err);
	assert_non_null(f->control);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	stop_control(f);
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

static void a_path_that_cannot_be_bound_is_an_error(void **state)
{
	struct fixture *f = *state;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/sock/below", f->path);
	assert_null(control_start(f->loop, path, &f->user, &f->err));
	assert_int_equal(f->err.code, SYNCD_EIO);
	memset(path, 'x', 200);
	path[0] = '/';
	path[200] = '\0';
	assert_null(control_start(f->loop, path, &f->user, &f->err));
	assert_non_null(strstr(f->err.text, "longer than"));
	turn(f);
}

int main(void)
{
#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(status_has_what_the_contract_says),
		CONTROL_TEST(bad_requests_get_the_codes_of_json_rpc),
		CONTROL_TEST(an_error_carries_its_name_and_exit_status),
		CONTROL_TEST(a_request_may_come_byte_by_byte),
		CONTROL_TEST(several_requests_in_one_piece_are_all_answered),
		CONTROL_TEST(a_request_of_the_limit_is_taken_and_a_longer_one_skipped),
		CONTROL_TEST(targets_are_accounts_and_mailboxes),
		CONTROL_TEST(decisions_are_about_one_target_and_answered_as_sync),
		CONTROL_TEST(a_plan_is_a_list_of_lines),
		CONTROL_TEST(too_many_open_requests_are_refused),
		CONTROL_TEST(stop_is_answered_before_it_is_done),
		CONTROL_TEST(a_client_that_left_does_no_harm_to_its_answer),
		CONTROL_TEST(a_half_closed_client_gets_its_answer_and_the_end),
		CONTROL_TEST(a_half_closed_client_without_questions_is_closed),
		CONTROL_TEST(events_reach_those_who_subscribed),
		CONTROL_TEST(a_client_that_does_not_read_is_dropped_and_the_others_served),
		CONTROL_TEST(many_clients_at_once_are_served_up_to_the_limit),
		CONTROL_TEST(those_who_subscribed_and_left_make_room),
		CONTROL_TEST(the_socket_is_the_users_alone),
		CONTROL_TEST(a_second_daemon_is_refused),
		CONTROL_TEST(a_socket_nobody_answers_on_is_replaced),
		CONTROL_TEST(a_file_that_is_no_socket_is_left_alone),
		CONTROL_TEST(a_missing_directory_is_made),
		CONTROL_TEST(a_path_that_cannot_be_bound_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
