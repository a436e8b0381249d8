/* Tests of syncctl: what is rendered, and whole commands against a control server.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../src/ctl/render.h"
#include "syncd/alloc.h"
#include "syncd/control.h"
#include "syncd/ctl.h"
#include "syncd/must.h"

#define TURNS_MAX 2000000

/* --- Rendering --------------------------------------------------------------------- */

static json_t *json_of(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static const char status_json[] =
	"{\"version\":\"0.1.0\",\"uptime_s\":7380,\"accounts\":["
	"{\"name\":\"work\",\"protocol\":\"imap\",\"state\":\"offline\",\"push\":\"idle\","
	"\"last_sync\":1000,\"next_retry\":1065,\"error\":{\"code\":\"net\",\"message\":\"no "
	"route\"},\"mailboxes\":["
	"{\"name\":\"INBOX\",\"special_use\":null,\"messages\":3,\"unseen\":1,\"pending\":2,\"set_"
	"aside\":["
	"{\"uid\":7,\"file\":null,\"reason\":\"too\\nodd\",\"attempts\":1,\"next_try\":2000},"
	"{\"uid\":null,\"file\":\"17.x\",\"reason\":\"refused\",\"attempts\":2,\"next_try\":null}],"
	"\"held\":null,\"error\":null},"
	"{\"name\":\"B\u00fcro/"
	"\\u001b[2J\",\"special_use\":\"tr\\nash\",\"messages\":120,\"unseen\":0,\"pending\":7,"
	"\"held\":{\"deletions\":120,\"side\":\"remote\"},"
	"\"error\":{\"code\":\"x\",\"message\":\"no\\nway\"}}]},"
	"{\"name\":\"home\",\"protocol\":\"imap\",\"state\":\"idle\",\"push\":\"poll\","
	"\"last_sync\":null,\"next_retry\":null,\"error\":null,\"mailboxes\":[]},"
	"{\"name\":\"old\",\"protocol\":\"pop3\",\"state\":\"idle\",\"push\":\"poll\","
	"\"last_sync\":1000,\"next_retry\":null,\"error\":null,\"mailboxes\":["
	"{\"name\":\"INBOX\",\"messages\":3,\"too_large\":1,\"pending\":2,\"left\":["
	"{\"uidl\":\"A\\u001b7\",\"bytes\":2048,\"reason\":null},"
	"{\"uidl\":null,\"bytes\":7,\"reason\":\"no\\nway\"}]}]}]}";

static void status_is_an_aligned_table_without_control_characters(void **state)
{
	struct render_options options = { .now_s = 1005 };
	json_t *status = json_of(status_json);
	struct buf out;

	(void)state;
	buf_init(&out, RENDER_MAX);
	render_status_text(status, &options, &out);
	assert_string_equal(buf_str(&out),
			    "syncd 0.1.0, up 2h 3m\n"
			    "\n"
			    "work (imap, idle)  offline  synced 5s ago  next try in 1m 0s\n"
			    "  error: no route\n"
			    "  MAILBOX    MESSAGES   UNSEEN  PENDING\n"
			    "  INBOX             3        1        2\n"
			    "    set aside: UID 7: too?odd\n"
			    "    set aside: 17.x: refused\n"
			    "  B\u00fcro/?[2J       120        0        7"
			    "  [tr?ash]  held: 120 deletions on the remote side  no?way\n"
			    "\n"
			    "home (imap, poll)  idle  never synced\n"
			    "\n"
			    "old (pop3, poll)  idle  synced 5s ago\n"
			    "  MAILBOX  MESSAGES   UNSEEN  PENDING\n"
			    "  INBOX           3        0        2\n"
			    "    1 left on the server (max_size)\n"
			    "    stays there: UIDL A?7 (2.0 KiB): larger than max_size\n"
			    "    stays there: UIDL unknown (7 B): no?way\n");
	json_decref(status);
	buf_free(&out);
}

static void colours_are_only_where_they_are_wanted(void **state)
{
	struct render_options options = { .now_s = 1005 };
	json_t *status = json_of(status_json);
	struct buf out;

	(void)state;
	buf_init(&out, RENDER_MAX);
	render_status_text(status, &options, &out);
	assert_null(strchr(buf_str(&out), '\033'));
	buf_reset(&out);
	options.has_colours = true;
	render_status_text(status, &options, &out);
	assert_non_null(strstr(buf_str(&out), "\033[31moffline\033[0m"));
	json_decref(status);
	buf_free(&out);
}

static void no_word_of_an_answer_drives_the_terminal(void **state)
{
	struct render_options options = { .now_s = 0 };
	json_t *value =
		json_of("{\"version\":\"\\u001b[2J\",\"accounts\":[{\"name\":\"\\u001b\","
			"\"protocol\":\"\\u001b\",\"push\":\"\\r\",\"state\":\"\\u007f\","
			"\"mailboxes\":[{\"name\":\"\\n\",\"held\":{\"side\":\"\\u0085\"}}]}]}");
	struct buf out;

	(void)state;
	buf_init(&out, RENDER_MAX);
	render_status_text(value, &options, &out);
	assert_string_equal(buf_str(&out), "syncd ?[2J, up 0s\n"
					   "\n"
					   "? (?, ?)  ?  never synced\n"
					   "  MAILBOX  MESSAGES   UNSEEN  PENDING\n"
					   "  ?               0        0        0"
					   "  held: 0 deletions on the ? side\n");
	json_decref(value);
	buf_free(&out);
}

static void answers_of_a_strange_shape_do_no_harm(void **state)
{
	static const char *const shapes[] = {
		"{}",
		"{\"accounts\":7}",
		"{\"accounts\":[7,{\"mailboxes\":[[],{\"name\":[]}]}]}",
		"{\"failures\":[1],\"actions\":[2],\"counts\":[]}",
	};
	struct render_options options = { .now_s = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		json_t *value = json_of(shapes[i]);
		struct buf out;
		buf_init(&out, RENDER_MAX);
		render_status_text(value, &options, &out);
		render_sync_text(value, &out);
		render_plan_text(value, &out);
		render_failures_text(value, "", &out);
		render_event_text(value, &options, &out);
		assert_non_null(strstr(buf_str(&out), "nothing to do"));
		json_decref(value);
		buf_free(&out);
	}
}

static void bytes_and_durations_are_short(void **state)
{
	static const struct {
		uint64_t value;
		const char *bytes;
		const char *duration;
	} cases[] = {
		{ 0, "0 B", "0s" },
		{ 59, "59 B", "59s" },
		{ 1023, "1023 B", "17m 3s" },
		{ 1536, "1.5 KiB", "25m 36s" },
		{ 90000, "87.9 KiB", "1d 1h" },
		{ (uint64_t)5 << 40, "5.0 TiB", "63629145d 3h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		buf_init(&out, 100);
		render_bytes(cases[i].value, &out);
		assert_string_equal(buf_str(&out), cases[i].bytes);
		buf_reset(&out);
		render_duration(cases[i].value, &out);
		assert_string_equal(buf_str(&out), cases[i].duration);
		buf_free(&out);
	}
}

static void progress_fits_the_line(void **state)
{
	struct render_progress half = {
		.done = 12, .total = 24, .bytes = 1258291, .elapsed_ms = 3000
	};
	struct render_progress none = { .done = 0 };
	struct render_progress endless = { .done = 1,
					   .total = UINT64_MAX,
					   .elapsed_ms = UINT64_MAX };
	struct buf out;

	(void)state;
	buf_init(&out, 200);
	render_progress_text(&endless, 60, &out);
	assert_string_equal(buf_str(&out), "1/18446744073709551615 messages  0 B  ETA 49710d 6h");
	buf_reset(&out);
	render_progress_text(&half, 79, &out);
	assert_string_equal(buf_str(&out), "[###############               ]  50%  "
					   "12/24 messages  1.2 MiB  ETA 4s");
	buf_reset(&out);
	render_progress_text(&half, 40, &out);
	assert_string_equal(buf_str(&out), "12/24 messages  1.2 MiB  ETA 4s");
	buf_reset(&out);
	render_progress_text(&half, 10, &out);
	assert_string_equal(buf_str(&out), "12/24 mess");
	buf_reset(&out);
	render_progress_text(&none, 40, &out);
	assert_string_equal(buf_str(&out), "0/0 messages  0 B");
	buf_free(&out);
}

static void events_are_one_line_each(void **state)
{
	static const struct {
		const char *event;
		const char *line;
	} cases[] = {
		{ "{\"type\":\"state\",\"account\":\"work\",\"state\":\"auth-failed\","
		  "\"error\":{\"code\":\"auth\",\"message\":\"wrong\"}}",
		  "work: auth-failed: wrong\n" },
		{ "{\"type\":\"progress\",\"account\":\"work\",\"mailbox\":\"a\",\"done\":1,"
		  "\"total\":2}",
		  "work/a: progress 1/2\n" },
		{ "{\"type\":\"sync-end\",\"account\":\"work\",\"mailbox\":\"a\","
		  "\"counts\":{\"fetched\":2,\"fetched_bytes\":10,\"removed\":1}}",
		  "work/a: sync-end 2 fetched, 1 removed here (10 B)\n" },
		{ "{\"type\":\"reloaded\"}", "reloaded\n" },
	};
	struct render_options options = { .now_s = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *event = json_of(cases[i].event);
		struct buf out;
		buf_init(&out, 1000);
		render_event_text(event, &options, &out);
		assert_string_equal(buf_str(&out), cases[i].line);
		json_decref(event);
		buf_free(&out);
	}
}

/* --- Whole commands ------------------------------------------------------------------- */

struct fixture {
	struct control_user user;
	struct loop *loop;
	struct control *control;
	char dir[64];
	char path[96];
	char out[4096];
	char err[4096];
	bool is_stopped;
};

static int op_status(struct control_user *user, const char *account, struct control_status *status,
		     struct error *err)
{
	(void)user;
	if (account != NULL && strcmp(account, "work") != 0)
		return error_set(err, SYNCD_EUSAGE, "no such account: %s", account);
	control_status_add_account(status, "work");
	return 0;
}

static void op_sync(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	struct error err;
	struct control_failure failure = { .account = "work", .mailbox = "a/b", .err = &err };
	struct control_sync_result result = { .counts = { .fetched = 7 } };

	(void)user;
	error_set(&err, SYNCD_ESERVER, "it said NO");
	if (count == 1 && targets[0].mailbox != NULL) {
		result.exit_status = 1;
		result.failures = &failure;
		result.failure_count = 1;
	}
	control_reply_sync(reply, &result);
}

static void op_decide(struct control_user *user, const struct control_target *target,
		      enum sync_decision decision, struct control_reply *reply)
{
	(void)decision;
	op_sync(user, target, 1, reply);
}

static void op_fetch(struct control_user *user, const char *account, const char *uid,
		     struct control_reply *reply)
{
	op_sync(user, &(struct control_target){ account, uid }, 1, reply);
}

static void op_forget(struct control_user *user, const char *account, struct control_reply *reply)
{
	op_sync(user, &(struct control_target){ account, NULL }, 1, reply);
}

static void op_plan(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	const char *const lines[] = { "work/INBOX: fetch 1" };
	struct control_sync_result result = { .exit_status = 0 };

	(void)user, (void)targets, (void)count;
	control_reply_plan(reply, lines, 1, &result);
}

static int op_pause(struct control_user *user, const char *const *accounts, size_t count,
		    struct error *err)
{
	(void)user, (void)accounts, (void)count, (void)err;
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
	(void)user;
}

static const struct control_ops ops = {
	.status = op_status,
	.sync = op_sync,
	.plan = op_plan,
	.decide = op_decide,
	.fetch = op_fetch,
	.forget = op_forget,
	.pause = op_pause,
	.resume = op_pause,
	.reload = op_reload,
	.stop = op_stop,
};

static void control_stopped(struct control_user *user)
{
	container_of(user, struct fixture, user)->is_stopped = true;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/syncd-ctl-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	f->user.ops = &ops;
	f->loop = loop_new();
	f->control = control_start(f->loop, f->path, &f->user, &err);
	assert_non_null(f->control);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	control_stop(f->control, control_stopped);
	while (!f->is_stopped)
		(void)uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
	loop_free(&f->loop);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void redirect(const struct fixture *f, const char *name, int to)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || dup2(fd, to) < 0)
		_exit(99);
}

static void read_back(const struct fixture *f, const char *name, char *text, size_t size)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	assert_int_equal(fclose(file), 0);
}

/* Runs one command in a child while the server turns; its exit status. */
static int run(struct fixture *f, bool is_json, char *const *arguments)
{
	struct ctl_options options = { .socket_path = f->path, .is_json = is_json };
	int status;

	(void)fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		redirect(f, "out", STDOUT_FILENO);
		redirect(f, "err", STDERR_FILENO);
		int code = ctl_run(&options, arguments);
		(void)fflush(NULL);
		_exit(code);
	}
	int turns = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_true(++turns < TURNS_MAX);
		(void)uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
	}
	assert_true(WIFEXITED(status));
	read_back(f, "out", f->out, sizeof(f->out));
	read_back(f, "err", f->err, sizeof(f->err));
	return WEXITSTATUS(status);
}

static void commands_print_and_exit_as_promised(void **state)
{
	struct fixture *f = *state;
	static const struct {
		char *const arguments[4];
		bool is_json;
		int status;
		const char *out;
		const char *err;
	} cases[] = {
		{ { "status" }, false, 0, "work (imap, poll)  idle", "" },
		{ { "status", "work" }, true, 0, "{\"version\":", "" },
		{ { "status", "home" }, false, 64, "", "syncctl: no such account: home\n" },
		{ { "status", "home" },
		  true,
		  64,
		  "{\"error\":{\"code\":-32000,",
		  "syncctl: no such account: home\n" },
		{ { "sync" }, false, 0, "7 fetched\n", "" },
		{ { "sync", "work/a/b" },
		  false,
		  1,
		  "7 fetched\n",
		  "syncctl: work/a/b: it said NO\n" },
		{ { "sync", "work/a/b" }, true, 1, "{\"exit\":1,", "" },
		{ { "sync", "/x" }, false, 64, "", "syncctl: the parameters" },
		{ { "plan", "work" }, false, 0, "work/INBOX: fetch 1\n", "" },
		{ { "accept", "work" }, false, 0, "7 fetched\n", "" },
		{ { "restore", "work/a/b" },
		  false,
		  1,
		  "7 fetched\n",
		  "syncctl: work/a/b: it said NO\n" },
		{ { "restore", "work/a/b" }, true, 1, "{\"exit\":1,", "" },
		{ { "fetch", "work", "a/b" },
		  false,
		  1,
		  "7 fetched\n",
		  "syncctl: work/a/b: it said NO\n" },
		{ { "fetch", "work" }, false, 64, "", "usage: syncctl fetch ACCOUNT UIDL\n" },
		{ { "forget", "work" }, false, 0, "7 fetched\n", "" },
		{ { "forget" }, false, 64, "", "usage: syncctl forget ACCOUNT\n" },
		{ { "accept" }, false, 64, "", "usage: syncctl accept ACCOUNT[/MAILBOX]\n" },
		{ { "accept", "a", "b" }, false, 64, "", "usage: syncctl accept" },
		{ { "pause", "work", "home" }, false, 0, "", "" },
		{ { "resume" }, true, 0, "{\"ok\":true}\n", "" },
		{ { "reload" }, false, 78, "", "syncctl: line 3 is wrong\n" },
		{ { "stop" }, false, 0, "", "" },
		{ { "stop", "now" }, false, 64, "", "usage: syncctl stop\n" },
		{ { "plan", "a", "b" }, false, 64, "", "usage: syncctl plan" },
		{ { "dance" }, false, 64, "", "syncctl: no such command: dance" },
		{ { "sendmail", "-t" },
		  false,
		  64,
		  "",
		  "syncctl: sendmail is not available yet in this version\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int status = run(f, cases[i].is_json, cases[i].arguments);
		if (status != cases[i].status || strstr(f->out, cases[i].out) == NULL ||
		    strncmp(f->err, cases[i].err, strlen(cases[i].err)) != 0 ||
		    (cases[i].err[0] == '\0' && f->err[0] != '\0'))
			fail_msg("case %zu (%s): %d\n%s\n%s", i, cases[i].arguments[0], status,
				 f->out, f->err);
	}
}

static void without_a_daemon_it_says_so(void **state)
{
	struct fixture *f = *state;
	char *const arguments[] = { "status", NULL };
	char path[96];

	memcpy(path, f->path, sizeof(path));
	(void)snprintf(f->path, sizeof(f->path), "%s/nobody", f->dir);
	assert_int_equal(run(f, false, arguments), 75);
	assert_non_null(strstr(f->err, "syncctl: no syncd is running: nothing answers on "));
	assert_int_equal(run(f, true, arguments), 75);
	assert_non_null(strstr(f->out, "{\"error\":{\"code\":\"busy\","));
	memcpy(f->path, path, sizeof(path));
}

static void the_default_socket_follows_the_environment(void **state)
{
	char *path;

	(void)state;
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/1", 1), 0);
	path = ctl_default_socket();
	assert_string_equal(path, "/run/user/1/syncd.sock");
	free(path);
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
	assert_int_equal(setenv("HOME", "/home/me", 1), 0);
	path = ctl_default_socket();
	assert_string_equal(path, "/home/me/.local/state/syncd/syncd.sock");
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_an_aligned_table_without_control_characters),
		cmocka_unit_test(colours_are_only_where_they_are_wanted),
		cmocka_unit_test(no_word_of_an_answer_drives_the_terminal),
		cmocka_unit_test(answers_of_a_strange_shape_do_no_harm),
		cmocka_unit_test(bytes_and_durations_are_short),
		cmocka_unit_test(progress_fits_the_line),
		cmocka_unit_test(events_are_one_line_each),
		cmocka_unit_test_setup_teardown(commands_print_and_exit_as_promised, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_a_daemon_it_says_so, setup, teardown),
		cmocka_unit_test(the_default_socket_follows_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
