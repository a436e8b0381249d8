/* Answers: JSON-RPC 2.0 responses, now or later.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "control_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define RPC_SERVER_ERROR (-32000)

struct control_reply *reply_new(struct control_client *client, json_t *id)
{
	struct control_reply *reply = xcalloc(1, sizeof(*reply));

	reply->control = client->control;
	reply->client = client;
	reply->id = id;
	list_append(&client->replies, &reply->link);
	client->reply_count++;
	client->control->owed++;
	return reply;
}

/* Sends {"jsonrpc", "id", KEY: value} and frees the reply. Takes `value`. */
static void reply_end(struct control_reply *reply, const char *key, json_t *value)
{
	struct control_client *client = reply->client;
	json_t *id = reply->id;

	must(value != NULL);
	reply->control->owed--;
	list_remove(&reply->link);
	free(reply);
	if (client != NULL)
		client->reply_count--;
	if (client == NULL || id == NULL) {
		json_decref(value);
		json_decref(id);
		if (client != NULL)
			client_end_if_done(client);
		return;
	}
	client_send(client, json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", id, key, value));
}

void reply_result(struct control_reply *reply, json_t *result)
{
	reply_end(reply, "result", result);
}

void reply_fault(struct control_reply *reply, int code, const char *message)
{
	reply_end(reply, "error",
		  json_pack("{s:i, s:s, s:{s:s, s:i}}", "code", code, "message", message, "data",
			    "code", error_code_name(SYNCD_EUSAGE), "exit",
			    error_exit_status(SYNCD_EUSAGE)));
}

void control_reply_ok(struct control_reply *reply)
{
	reply_result(reply, json_pack("{s:b}", "ok", 1));
}

void control_reply_error(struct control_reply *reply, const struct error *err)
{
	char text[ERROR_FORMAT_MAX];
	json_t *message = render_text(error_format(err, text, sizeof(text)));

	reply_end(reply, "error",
		  json_pack("{s:i, s:o, s:{s:s, s:i}}", "code", RPC_SERVER_ERROR, "message",
			    message, "data", "code", error_code_name(err->code), "exit",
			    error_exit_status(err->code)));
}

void control_reply_sync(struct control_reply *reply, const struct control_sync_result *result)
{
	reply_result(reply, render_sync(result));
}

void control_reply_plan(struct control_reply *reply, const char *const *lines, size_t line_count,
			const struct control_sync_result *result)
{
	json_t *rendered = render_sync(result);
	json_t *actions = json_array();

	for (size_t i = 0; i < line_count; i++)
		must(json_array_append_new(actions, render_text(lines[i])) == 0);
	must(json_object_del(rendered, "counts") == 0);
	must(json_object_set_new(rendered, "actions", actions) == 0);
	reply_result(reply, rendered);
}
