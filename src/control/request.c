/* One request: JSON-RPC 2.0, checked, and handed to the daemon.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "control_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

enum rpc_error {
	RPC_PARSE = -32700,
	RPC_INVALID = -32600,
	RPC_UNKNOWN = -32601,
	RPC_PARAMS = -32602,
};

/* A list of strings out of a request. */
struct words {
	char **items;
	size_t count;
};

struct method {
	const char *name;
	const char *param; /* the one parameter it knows, or NULL; "account", "target" and "message"
			      are one string, the others may be lists */
	bool is_required;
	void (*run)(struct control_client *client, const struct words *words,
		    struct control_reply *reply);
};

static const struct control_ops *ops_of(const struct control_client *client)
{
	return client->control->user->ops;
}

static void answer_outcome(struct control_reply *reply, int code, const struct error *err)
{
	if (code == 0)
		control_reply_ok(reply);
	else
		control_reply_error(reply, err);
}

static void run_status(struct control_client *client, const struct words *words,
		       struct control_reply *reply)
{
	struct control_status status = { .count = 0 };
	struct error err;
	const char *account = words->count > 0 ? words->items[0] : NULL;
	int code = ops_of(client)->status(client->control->user, account, &status, &err);

	if (code == 0)
		reply_result(reply, render_status(&status));
	else
		control_reply_error(reply, &err);
	status_free(&status);
}

/* "ACCOUNT/MAILBOX" each; the words are cut in two. */
static struct control_target *targets_of(const struct words *words)
{
	struct control_target *targets = xcalloc(words->count, sizeof(*targets));

	for (size_t i = 0; i < words->count; i++) {
		char *slash = strchr(words->items[i], '/');
		targets[i].account = words->items[i];
		if (slash != NULL) {
			*slash = '\0';
			targets[i].mailbox = slash + 1;
		}
	}
	return targets;
}

static void run_sync(struct control_client *client, const struct words *words,
		     struct control_reply *reply)
{
	struct control_target *targets = targets_of(words);

	ops_of(client)->sync(client->control->user, targets, words->count, reply);
	free(targets);
}

static void run_plan(struct control_client *client, const struct words *words,
		     struct control_reply *reply)
{
	struct control_target *targets = targets_of(words);

	ops_of(client)->plan(client->control->user, targets, words->count, reply);
	free(targets);
}

static void run_decision(struct control_client *client, const struct words *words,
			 enum sync_decision decision, struct control_reply *reply)
{
	struct control_target *targets = targets_of(words);

	ops_of(client)->decide(client->control->user, targets, decision, reply);
	free(targets);
}

static void run_accept(struct control_client *client, const struct words *words,
		       struct control_reply *reply)
{
	run_decision(client, words, SYNC_ACCEPT, reply);
}

static void run_restore(struct control_client *client, const struct words *words,
			struct control_reply *reply)
{
	run_decision(client, words, SYNC_RESTORE, reply);
}

/* "ACCOUNT/UIDL" */
static void run_fetch(struct control_client *client, const struct words *words,
		      struct control_reply *reply)
{
	char *uid = strchr(words->items[0], '/');

	if (uid == NULL || uid[1] == '\0') {
		reply_fault(reply, RPC_PARAMS, "the message is not ACCOUNT/UIDL");
		return;
	}
	*uid = '\0';
	ops_of(client)->fetch(client->control->user, words->items[0], uid + 1, reply);
}

static void run_forget(struct control_client *client, const struct words *words,
		       struct control_reply *reply)
{
	ops_of(client)->forget(client->control->user, words->items[0], reply);
}

static void run_pause(struct control_client *client, const struct words *words,
		      struct control_reply *reply)
{
	struct error err;
	int code = ops_of(client)->pause(client->control->user, (const char *const *)words->items,
					 words->count, &err);

	answer_outcome(reply, code, &err);
}

static void run_resume(struct control_client *client, const struct words *words,
		       struct control_reply *reply)
{
	struct error err;
	int code = ops_of(client)->resume(client->control->user, (const char *const *)words->items,
					  words->count, &err);

	answer_outcome(reply, code, &err);
}

static void run_reload(struct control_client *client, const struct words *words,
		       struct control_reply *reply)
{
	(void)words;
	ops_of(client)->reload(client->control->user, reply);
}

static void run_stop(struct control_client *client, const struct words *words,
		     struct control_reply *reply)
{
	struct control_user *user = client->control->user;

	(void)words;
	control_reply_ok(reply);
	user->ops->stop(user);
}

static void run_subscribe(struct control_client *client, const struct words *words,
			  struct control_reply *reply)
{
	(void)words;
	client->is_subscribed = true;
	control_reply_ok(reply);
}

static const struct method methods[] = {
	{ "status", "account", false, run_status },  { "sync", "targets", false, run_sync },
	{ "plan", "targets", false, run_plan },      { "accept", "target", true, run_accept },
	{ "restore", "target", true, run_restore },  { "fetch", "message", true, run_fetch },
	{ "forget", "account", true, run_forget },   { "pause", "accounts", false, run_pause },
	{ "resume", "accounts", false, run_resume }, { "reload", NULL, false, run_reload },
	{ "stop", NULL, false, run_stop },           { "subscribe", NULL, false, run_subscribe },
};

static void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
}

/* A string, or an array of strings, none of them empty. */
static bool words_read(const json_t *value, struct words *words)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;

	words->items = xcalloc(count, sizeof(*words->items));
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		const char *text = json_string_value(item);
		/* A NUL inside could hide the rest. */
		if (text == NULL || text[0] == '\0' || text[0] == '/' ||
		    strlen(text) != json_string_length(item))
			return false;
		words->items[words->count++] = xstrdup(text);
	}
	return true;
}

static bool is_single(const struct method *method)
{
	return strcmp(method->param, "account") == 0 || strcmp(method->param, "target") == 0 ||
	       strcmp(method->param, "message") == 0;
}

/* False when there is anything but the method's own parameter, or that is missing. */
static bool params_read(const struct method *method, const json_t *params, struct words *words)
{
	size_t known = 0;

	if (params == NULL)
		return !method->is_required;
	if (!json_is_object(params))
		return false;
	if (method->param != NULL) {
		const json_t *value = json_object_get(params, method->param);
		known = value != NULL ? 1 : 0;
		if (value != NULL && !json_is_null(value) &&
		    ((is_single(method) && !json_is_string(value)) || !words_read(value, words)))
			return false;
	}
	return json_object_size(params) == known && (words->count > 0 || !method->is_required);
}

static void request_run(struct control_client *client, const struct method *method,
			const json_t *params, struct control_reply *reply)
{
	struct words words = { .count = 0 };

	if (params_read(method, params, &words))
		method->run(client, &words, reply);
	else
		reply_fault(reply, RPC_PARAMS, "the parameters are not what the method takes");
	words_free(&words);
}

static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

static void request_dispatch(struct control_client *client, const json_t *request)
{
	json_t *id = json_object_get(request, "id");
	const char *name = json_string_value(json_object_get(request, "method"));
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	bool is_valid = json_is_object(request) && name != NULL && version != NULL &&
			strcmp(version, "2.0") == 0 && (id == NULL || is_id(id));

	if (!is_valid) {
		reply_fault(reply_new(client, is_id(id) ? json_incref(id) : json_null()),
			    RPC_INVALID, "not a JSON-RPC 2.0 request (batches are not taken)");
		return;
	}
	struct control_reply *reply = reply_new(client, id != NULL ? json_incref(id) : NULL);
	if (client->reply_count > CLIENT_REPLIES_MAX) {
		struct error err;
		error_set(&err, SYNCD_EBUSY, "too many requests wait for their answers");
		control_reply_error(reply, &err);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, name) == 0) {
			request_run(client, &methods[i], json_object_get(request, "params"), reply);
			return;
		}
	}
	reply_fault(reply, RPC_UNKNOWN, "no such method");
}

void request_handle(struct control_client *client, struct slice line)
{
	json_error_t error;

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		return;
	json_t *request =
		json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (request == NULL) {
		reply_fault(reply_new(client, json_null()), RPC_PARSE, "not JSON");
		return;
	}
	request_dispatch(client, request);
	json_decref(request);
}

void request_too_long(struct control_client *client)
{
	reply_fault(reply_new(client, json_null()), RPC_INVALID,
		    "the request is longer than 65536 bytes");
}
