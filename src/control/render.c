/* The daemon's structs as JSON (CONTRACT 1.3).
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "control_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

static const char *const state_words[] = {
	[CONTROL_IDLE] = "idle",       [CONTROL_CONNECTING] = "connecting",
	[CONTROL_SYNCING] = "syncing", [CONTROL_OFFLINE] = "offline",
	[CONTROL_HELD] = "held",       [CONTROL_AUTH_FAILED] = "auth-failed",
	[CONTROL_PAUSED] = "paused",
};

static const char *const push_words[] = {
	[CONTROL_PUSH_POLL] = "poll",
	[CONTROL_PUSH_IDLE] = "idle",
	[CONTROL_PUSH_NOTIFY] = "notify",
};

static const char *const event_words[] = {
	[CONTROL_EVENT_STATE] = "state",       [CONTROL_EVENT_SYNC_BEGIN] = "sync-begin",
	[CONTROL_EVENT_PROGRESS] = "progress", [CONTROL_EVENT_SYNC_END] = "sync-end",
	[CONTROL_EVENT_RELOADED] = "reloaded",
};

json_t *render_text(const char *text)
{
	json_t *value = json_string(text);

	if (value != NULL)
		return value;
	char *ascii = xstrdup(text);
	for (char *p = ascii; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(ascii);
	free(ascii);
	must(value != NULL);
	return value;
}

static json_t *render_count(uint64_t count)
{
	return json_integer((json_int_t)count);
}

static json_t *render_time(int64_t wall_s)
{
	return wall_s != 0 ? json_integer((json_int_t)wall_s) : json_null();
}

json_t *render_error(const struct error *err)
{
	char text[ERROR_FORMAT_MAX];

	if (err == NULL || err->code == 0)
		return json_null();
	return json_pack("{s:s, s:o}", "code", error_code_name(err->code), "message",
			 render_text(error_format(err, text, sizeof(text))));
}

static json_t *render_counts(const struct sync_counts *counts)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "fetched",
		render_count(counts->fetched), "fetched_bytes", render_count(counts->fetched_bytes),
		"linked", render_count(counts->linked), "appended", render_count(counts->appended),
		"appended_bytes", render_count(counts->appended_bytes), "flags_remote",
		render_count(counts->flags_remote), "flags_local",
		render_count(counts->flags_local), "expunged", render_count(counts->expunged),
		"removed", render_count(counts->removed), "set_aside",
		render_count(counts->set_aside), "too_large", render_count(counts->too_large));
}

static json_t *render_held(const struct control_mailbox_status *mailbox)
{
	if (mailbox->held_deletions == 0)
		return json_null();
	return json_pack("{s:o, s:s}", "deletions", render_count(mailbox->held_deletions), "side",
			 mailbox->held_is_remote ? "remote" : "local");
}

static json_t *render_aside(const struct control_mailbox_status *mailbox)
{
	json_t *list = json_array();

	for (size_t i = 0; i < mailbox->aside_count; i++) {
		const struct setaside_record *record = &mailbox->aside[i];
		bool is_final = record->next_try_s == INT64_MAX;
		json_t *item = json_pack(
			"{s:o, s:o, s:o, s:o, s:o}", "uid",
			record->uid != 0 ? render_count(record->uid) : json_null(), "file",
			record->uid == 0 ? render_text(record->name) : json_null(), "reason",
			render_text(record->reason), "attempts", render_count(record->attempts),
			"next_try", is_final ? json_null() : render_time(record->next_try_s));
		must(json_array_append_new(list, item) == 0);
	}
	return list;
}

static json_t *render_left(const struct control_mailbox_status *mailbox)
{
	json_t *list = json_array();

	for (size_t i = 0; i < mailbox->left_count; i++) {
		const struct control_left *left = &mailbox->left[i];
		json_t *item =
			json_pack("{s:o, s:o, s:o}", "uidl",
				  left->uid[0] != '\0' ? render_text(left->uid) : json_null(),
				  "bytes", render_count(left->size_bytes), "reason",
				  left->reason != NULL ? render_text(left->reason) : json_null());
		must(json_array_append_new(list, item) == 0);
	}
	return list;
}

static json_t *render_names(const struct control_names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->count; i++)
		must(json_array_append_new(list, render_text(names->items[i])) == 0);
	return list;
}

static json_t *render_mailbox(const struct control_mailbox_status *mailbox)
{
	const char *use = special_use_name(mailbox->use);

	return json_pack("{s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			 render_text(mailbox->name), "special_use", use, "messages",
			 render_count(mailbox->messages), "unseen", render_count(mailbox->unseen),
			 "pending", render_count(mailbox->pending), "set_aside",
			 render_aside(mailbox), "too_large", render_count(mailbox->too_large),
			 "left", render_left(mailbox), "server_keywords",
			 render_names(&mailbox->server_keywords), "local_keywords",
			 render_names(&mailbox->local_keywords), "held", render_held(mailbox),
			 "error", render_error(&mailbox->err));
}

static json_t *render_account(const struct control_account_status *account)
{
	json_t *mailboxes = json_array();

	for (size_t i = 0; i < account->count; i++)
		must(json_array_append_new(mailboxes, render_mailbox(&account->mailboxes[i])) == 0);
	return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name",
			 render_text(account->name), "protocol", account->is_pop3 ? "pop3" : "imap",
			 "state", state_words[account->state], "push", push_words[account->push],
			 "last_sync", render_time(account->last_sync_s), "next_retry",
			 render_time(account->next_retry_s), "error", render_error(&account->err),
			 "mailboxes", mailboxes);
}

json_t *render_status(const struct control_status *status)
{
	json_t *accounts = json_array();

	for (size_t i = 0; i < status->count; i++)
		must(json_array_append_new(accounts, render_account(&status->accounts[i])) == 0);
	return json_pack("{s:s, s:o, s:o}", "version", SYNCD_VERSION, "uptime_s",
			 render_count(status->uptime_s), "accounts", accounts);
}

static json_t *render_failure(const struct control_failure *failure)
{
	return json_pack("{s:o, s:o, s:o}", "account", render_text(failure->account), "mailbox",
			 failure->mailbox != NULL ? render_text(failure->mailbox) : json_null(),
			 "error", render_error(failure->err));
}

json_t *render_sync(const struct control_sync_result *result)
{
	json_t *failures = json_array();

	for (size_t i = 0; i < result->failure_count; i++)
		must(json_array_append_new(failures, render_failure(&result->failures[i])) == 0);
	return json_pack("{s:i, s:o, s:o}", "exit", result->exit_status, "counts",
			 render_counts(&result->counts), "failures", failures);
}

static void set(json_t *object, const char *key, json_t *value)
{
	must(value != NULL && json_object_set_new(object, key, value) == 0);
}

json_t *render_event(const struct control_event *event)
{
	json_t *params = json_pack("{s:s}", "type", event_words[event->kind]);

	if (event->account != NULL)
		set(params, "account", render_text(event->account));
	if (event->mailbox != NULL)
		set(params, "mailbox", render_text(event->mailbox));
	if (event->kind == CONTROL_EVENT_STATE)
		set(params, "state", json_string(state_words[event->state]));
	if (event->kind == CONTROL_EVENT_PROGRESS || event->kind == CONTROL_EVENT_SYNC_END)
		set(params, "counts", render_counts(&event->counts));
	if (event->kind == CONTROL_EVENT_PROGRESS) {
		set(params, "done", render_count(event->done));
		set(params, "total", render_count(event->total));
	}
	if (event->kind == CONTROL_EVENT_STATE || event->kind == CONTROL_EVENT_SYNC_END)
		set(params, "error", render_error(event->err));
	return params;
}
