/* Tests of password commands.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "syncd/must.h"
#include "syncd/sasl.h"

struct asked {
	struct password_request req;
	int calls;
	struct secret *password;
	struct error err;
};

static void asked_done(struct password_request *req, struct secret *password,
		       const struct error *err)
{
	struct asked *asked = container_of(req, struct asked, req);

	asked->calls++;
	asked->password = password;
	if (err != NULL)
		asked->err = *err;
}

static struct asked ask(char *const argv[], bool cancels)
{
	struct loop *loop = loop_new();
	struct asked asked = { .calls = 0 };

	assert_int_equal(password_request_start(loop, &asked.req, argv, PASSWORD_COMMAND_TIMEOUT_MS,
						asked_done, &asked.err),
			 0);
	if (cancels)
		password_request_cancel(&asked.req);
	assert_int_equal(asked.calls, 0);
	loop_run(loop);
	assert_int_equal(asked.calls, 1);
	loop_free(&loop);
	return asked;
}

struct command_case {
	const char *script;
	const char *password; /* NULL: refused */
	const char *text;     /* in the error */
};

static const struct command_case command_cases[] = {
	{ "echo secret", "secret", NULL },
	{ "printf 'secret\\r\\nuser: me\\n'", "secret", NULL },
	{ "printf 'no newline'", "no newline", NULL },
	{ "false", NULL, "command false ended with status 1" },
	{ "echo secret; exit 3", NULL, "command echo ended with status 3" },
	{ "true", NULL, "command true printed nothing" },
	{ "printf '\\nsecond line\\n'", NULL, "printed nothing" },
	{ "printf 'a\\0b\\n'", NULL, "NUL byte" },
};

static void first_line_is_the_password_and_failures_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(command_cases); i++) {
		const struct command_case *c = &command_cases[i];
		char *argv[] = { (char *)"sh", (char *)"-c", (char *)c->script, NULL };
		struct asked asked = ask(argv, false);

		if (c->password != NULL) {
			assert_non_null(asked.password);
			assert_string_equal(secret_bytes(asked.password), c->password);
		} else {
			assert_null(asked.password);
			assert_int_equal(asked.err.code, SYNCD_EAUTH);
			assert_non_null(strstr(asked.err.text, c->text));
		}
		secret_free(&asked.password);
	}
}

static void command_given_as_a_list_runs_without_a_shell(void **state)
{
	char *argv[] = { (char *)"echo", (char *)"$HOME; x", NULL };
	struct asked asked = ask(argv, false);

	(void)state;
	assert_string_equal(secret_bytes(asked.password), "$HOME; x");
	secret_free(&asked.password);
}

static void cancelled_request_is_done_as_cancelled(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"60", NULL };
	struct asked asked = ask(argv, true);

	(void)state;
	assert_null(asked.password);
	assert_int_equal(asked.err.code, SYNCD_ECANCELLED);
}

/* Also one that does not want to end, and what it has printed is no password. */
static void command_that_hangs_is_ended_and_named(void **state)
{
	char pid_file[] = "/tmp/syncd-password-XXXXXX";
	char script[200];
	char *argv[] = { (char *)"sh", (char *)"-c", script, NULL };
	struct loop *loop = loop_new();
	struct asked asked = { .calls = 0 };
	int pid_fd = mkstemp(pid_file);
	char pid[32] = "";

	(void)state;
	assert_true(pid_fd >= 0);
	(void)snprintf(script, sizeof(script),
		       "trap '' TERM; echo $$ >%s; echo secret; while :; do sleep 1; done",
		       pid_file);
	assert_int_equal(
		password_request_start(loop, &asked.req, argv, 500, asked_done, &asked.err), 0);
	loop_run(loop);
	loop_free(&loop);
	assert_int_equal(asked.calls, 1);
	assert_null(asked.password);
	assert_int_equal(asked.err.code, SYNCD_EAUTH);
	assert_string_equal(asked.err.text,
			    "the password command trap did not end within 0.5 s and was stopped");
	assert_true(read(pid_fd, pid, sizeof(pid) - 1) > 0);
	assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), 0), -1);
	assert_int_equal(errno, ESRCH);
	(void)close(pid_fd);
	(void)unlink(pid_file);
}

static void command_that_does_not_exist_is_econfig_at_once(void **state)
{
	char *argv[] = { (char *)"/nonexistent/pass", NULL };
	struct loop *loop = loop_new();
	struct asked asked = { .calls = 0 };

	(void)state;
	assert_int_equal(password_request_start(loop, &asked.req, argv, PASSWORD_COMMAND_TIMEOUT_MS,
						asked_done, &asked.err),
			 SYNCD_ECONFIG);
	loop_run(loop);
	assert_int_equal(asked.calls, 0);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_line_is_the_password_and_failures_are_named),
		cmocka_unit_test(command_given_as_a_list_runs_without_a_shell),
		cmocka_unit_test(cancelled_request_is_done_as_cancelled),
		cmocka_unit_test(command_that_hangs_is_ended_and_named),
		cmocka_unit_test(command_that_does_not_exist_is_econfig_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
