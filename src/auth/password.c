/* Password commands: the first line that a child prints.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "syncd/must.h"
#include "syncd/sasl.h"

/* The command's first word, for messages: of what sh -c runs, the word within. */
static void name_command(struct password_request *req, char *const argv[])
{
	const char *command = argv[0];

	if (strcmp(argv[0], "sh") == 0 && argv[1] != NULL && strcmp(argv[1], "-c") == 0 &&
	    argv[2] != NULL)
		command = argv[2] + strspn(argv[2], " \t\n");
	(void)snprintf(req->name, sizeof(req->name), "%.*s", (int)strcspn(command, " \t\n"),
		       command);
}

static size_t first_line_len(const char *output, size_t len)
{
	const char *newline = memchr(output, '\n', len);

	if (newline != NULL)
		len = (size_t)(newline - output);
	if (len > 0 && output[len - 1] == '\r')
		len--;
	return len;
}

static int judge(const struct password_request *req, int code, int status, const char *output,
		 size_t line_len, struct error *err)
{
	if (code == SYNCD_ECANCELLED)
		return error_set(err, code, "cancelled");
	if (code != 0)
		return error_set(err, SYNCD_EAUTH,
				 "the password command %s did not end within %g s and was stopped",
				 req->name, (double)req->timeout_ms / 1000);
	if (status != 0)
		return error_set(err, SYNCD_EAUTH, "the password command %s ended with status %d",
				 req->name, status);
	if (line_len == 0)
		return error_set(err, SYNCD_EAUTH, "the password command %s printed nothing",
				 req->name);
	if (memchr(output, '\0', line_len) != NULL)
		return error_set(err, SYNCD_EAUTH, "the password command %s printed a NUL byte",
				 req->name);
	return 0;
}

static void password_came(struct loop_child *child, int code, int status, const char *output,
			  size_t output_len)
{
	struct password_request *req = container_of(child, struct password_request, child);
	size_t len = first_line_len(output, output_len);
	struct error err;

	if (judge(req, code, status, output, len, &err) != 0)
		req->done(req, NULL, &err);
	else
		req->done(req, secret_new(output, len), NULL);
}

int password_request_start(struct loop *loop, struct password_request *req, char *const argv[],
			   uint64_t timeout_ms, password_done done, struct error *err)
{
	req->done = done;
	req->timeout_ms = timeout_ms;
	name_command(req, argv);
	int rc = loop_child_start(loop, &req->child, argv, NULL, timeout_ms, password_came, err);
	if (rc != 0)
		error_context(err, "password command");
	return rc;
}

void password_request_cancel(struct password_request *req)
{
	loop_child_cancel(&req->child);
}
