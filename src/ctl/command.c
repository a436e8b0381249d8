/* syncctl's commands.
 * SPDX-License-Identifier: MIT */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "progress.h"
#include "render.h"
#include "syncd/alloc.h"
#include "syncd/ctl.h"
#include "syncd/must.h"

#define EXIT_USAGE 64
#define EXIT_INTERNAL 70
#define SUBSCRIBE_ID 1
#define REQUEST_ID 2

#define ANY_COUNT 10000 /* of arguments */

struct command {
	const char *name;
	const char *param; /* what its arguments are to the daemon */
	size_t min_arguments;
	size_t max_arguments;
	bool has_progress;
	const char *usage;
	/* Prints the result for people; NULL: nothing is to be said. Returns the exit status. */
	int (*show)(const json_t *result);
};

static void print(FILE *file, struct buf *text)
{
	(void)fputs(buf_str(text), file);
	buf_free(text);
}

static struct render_options render_options_here(void)
{
	return (struct render_options){
		.has_colours = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL,
		.now_s = (int64_t)time(NULL),
	};
}

static int exit_of(const json_t *result)
{
	return (int)json_integer_value(json_object_get(result, "exit"));
}

static int show_status(const json_t *result)
{
	struct render_options options = render_options_here();
	struct buf text;

	buf_init(&text, RENDER_MAX);
	render_status_text(result, &options, &text);
	print(stdout, &text);
	return 0;
}

static void show_failures(const json_t *result)
{
	struct buf text;

	buf_init(&text, RENDER_MAX);
	render_failures_text(result, "syncctl: ", &text);
	print(stderr, &text);
}

static int show_sync(const json_t *result)
{
	struct buf text;

	buf_init(&text, RENDER_MAX);
	render_sync_text(result, &text);
	print(stdout, &text);
	show_failures(result);
	return exit_of(result);
}

static int show_plan(const json_t *result)
{
	struct buf text;

	buf_init(&text, RENDER_MAX);
	render_plan_text(result, &text);
	print(stdout, &text);
	show_failures(result);
	return exit_of(result);
}

static const struct command commands[] = {
	{ "status", "account", 0, 1, false, "status [ACCOUNT]", show_status },
	{ "sync", "targets", 0, ANY_COUNT, true, "sync [ACCOUNT[/MAILBOX]...]", show_sync },
	{ "watch", NULL, 0, 0, false, "watch", NULL },
	{ "pause", "accounts", 0, ANY_COUNT, false, "pause [ACCOUNT...]", NULL },
	{ "resume", "accounts", 0, ANY_COUNT, false, "resume [ACCOUNT...]", NULL },
	{ "plan", "targets", 0, 1, false, "plan [ACCOUNT[/MAILBOX]]", show_plan },
	{ "accept", "target", 1, 1, true, "accept ACCOUNT[/MAILBOX]", show_sync },
	{ "restore", "target", 1, 1, true, "restore ACCOUNT[/MAILBOX]", show_sync },
	{ "fetch", "message", 2, 2, true, "fetch ACCOUNT UIDL", show_sync },
	{ "forget", "account", 1, 1, true, "forget ACCOUNT", show_sync },
	{ "reload", NULL, 0, 0, false, "reload", NULL },
	{ "stop", NULL, 0, 0, false, "stop", NULL },
};

/* The contract's other commands, not in this version. */
static const char *const later[] = { "check", "sendmail", "outbox" };

void ctl_print_commands(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)printf("  %s\n", commands[i].usage);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int refuse_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		if (strcmp(later[i], name) == 0) {
			(void)fprintf(stderr, "syncctl: %s is not available yet in this version\n",
				      name);
			return EXIT_USAGE;
		}
	}
	(void)fprintf(stderr, "syncctl: no such command: %s (see syncctl --help)\n", name);
	return EXIT_USAGE;
}

/* What is not UTF-8 names nothing the daemon knows. */
static json_t *word_of(const char *argument)
{
	json_t *word = json_string(argument);

	return word != NULL ? word : json_string("?");
}

/* "ACCOUNT/UIDL" */
static json_t *message_of(char *const *arguments)
{
	char *joined = xasprintf("%s/%s", arguments[0], arguments[1]);
	json_t *params = json_pack("{s:o}", "message", word_of(joined));

	free(joined);
	return params;
}

/* The arguments as the daemon wants them; NULL when there are none. */
static json_t *params_of(const struct command *command, char *const *arguments)
{
	json_t *list;

	if (arguments[0] == NULL)
		return NULL;
	if (strcmp(command->param, "message") == 0)
		return message_of(arguments);
	list = json_array();
	for (size_t i = 0; arguments[i] != NULL; i++)
		must(json_array_append_new(list, word_of(arguments[i])) == 0);
	if (command->max_arguments > 1 || strcmp(command->param, "targets") == 0)
		return json_pack("{s:o}", command->param, list);
	json_t *single = json_incref(json_array_get(list, 0));
	json_decref(list);
	return json_pack("{s:o}", command->param, single);
}

/* --- Answers --------------------------------------------------------------------------- */

static int fail(const struct ctl_options *options, const struct error *err)
{
	char text[ERROR_FORMAT_MAX];

	(void)error_format(err, text, sizeof(text));
	if (options->is_json) {
		json_t *object = json_pack("{s:{s:s, s:s}}", "error", "code",
					   error_code_name(err->code), "message", text);
		if (object != NULL)
			(void)json_dumpf(object, stdout, JSON_COMPACT);
		(void)printf("\n");
		json_decref(object);
	}
	(void)fprintf(stderr, "syncctl: %s\n", text);
	return error_exit_status(err->code);
}

static void print_json(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	(void)printf("\n");
	(void)fflush(stdout);
}

static int show_rpc_error(const struct ctl_options *options, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_t *status = json_object_get(json_object_get(error, "data"), "exit");
	struct error clean; /* its text has no control characters */

	if (options->is_json) {
		json_t *object = json_pack("{s:O}", "error", error);
		print_json(object);
		json_decref(object);
	}
	error_set(&clean, SYNCD_EBUG, "%s", message != NULL ? message : "syncd refused");
	(void)fprintf(stderr, "syncctl: %s\n", clean.text);
	return json_is_integer(status) ? (int)json_integer_value(status) : EXIT_INTERNAL;
}

static int show_answer(const struct ctl_options *options, const struct command *command,
		       const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const json_t *result = json_object_get(answer, "result");

	if (error != NULL)
		return show_rpc_error(options, error);
	if (options->is_json) {
		print_json(result);
		return exit_of(result);
	}
	return command->show != NULL ? command->show(result) : 0;
}

static void show_event(const struct ctl_options *options, const json_t *event)
{
	struct render_options rendering = render_options_here();
	struct buf text;

	if (options->is_json) {
		print_json(event);
		return;
	}
	buf_init(&text, RENDER_MAX);
	render_event_text(event, &rendering, &text);
	print(stdout, &text);
	(void)fflush(stdout);
}

/* --- Running ------------------------------------------------------------------------------ */

static bool is_answer_to(const json_t *message, int id)
{
	return json_integer_value(json_object_get(message, "id")) == id;
}

/* Until interrupted, or the daemon ends. */
static int watch(const struct ctl_options *options, struct connection *connection,
		 struct error *err)
{
	json_t *message;
	int code = connection_request(connection, SUBSCRIBE_ID, "subscribe", NULL, err);

	while (code == 0 && (code = connection_read(connection, &message, err)) == 0) {
		const json_t *event = json_object_get(message, "params");
		if (event != NULL)
			show_event(options, event);
		json_decref(message);
	}
	return code;
}

/* Asks, follows the progress meanwhile, and shows the answer. */
static int ask(const struct ctl_options *options, const struct command *command,
	       struct connection *connection, json_t *params, int *status, struct error *err)
{
	struct progress progress;
	bool is_shown = !options->is_json && command->has_progress && isatty(STDERR_FILENO) == 1;
	json_t *message;
	int code = 0;

	progress_init(&progress);
	if (is_shown)
		code = connection_request(connection, SUBSCRIBE_ID, "subscribe", NULL, err);
	if (code == 0)
		code = connection_request(connection, REQUEST_ID, command->name,
					  json_incref(params), err);
	while (code == 0 && (code = connection_read(connection, &message, err)) == 0) {
		bool is_over = is_answer_to(message, REQUEST_ID);
		if (is_over) {
			progress_clear(&progress);
			*status = show_answer(options, command, message);
		} else if (is_shown) {
			progress_event(&progress, json_object_get(message, "params"));
		}
		json_decref(message);
		if (is_over)
			break;
	}
	progress_free(&progress);
	return code;
}

static int run(const struct ctl_options *options, const struct command *command,
	       char *const *arguments)
{
	char *path =
		options->socket_path != NULL ? xstrdup(options->socket_path) : ctl_default_socket();
	json_t *params = params_of(command, arguments);
	struct connection connection;
	struct error err;
	int status = 0;

	int code = connection_open(&connection, path, &err);
	if (code == 0 && strcmp(command->name, "watch") == 0)
		code = watch(options, &connection, &err);
	else if (code == 0)
		code = ask(options, command, &connection, params, &status, &err);
	if (code != 0)
		status = fail(options, &err);
	connection_close(&connection);
	json_decref(params);
	free(path);
	return status;
}

int ctl_run(const struct ctl_options *options, char *const *arguments)
{
	const struct command *command = command_find(arguments[0]);
	size_t count = 0;

	if (command == NULL)
		return refuse_command(arguments[0]);
	while (arguments[1 + count] != NULL)
		count++;
	if (count < command->min_arguments || count > command->max_arguments) {
		(void)fprintf(stderr, "usage: syncctl %s\n", command->usage);
		return EXIT_USAGE;
	}
	return run(options, command, arguments + 1);
}

char *ctl_default_socket(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (runtime != NULL && runtime[0] == '/')
		return xasprintf("%s/syncd.sock", runtime);
	if (state != NULL && state[0] == '/')
		return xasprintf("%s/syncd/syncd.sock", state);
	if (home == NULL || home[0] == '\0') {
		const struct passwd *user = getpwuid(getuid());
		home = user != NULL ? user->pw_dir : "";
	}
	return xasprintf("%s/.local/state/syncd/syncd.sock", home);
}
