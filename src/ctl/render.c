/* The daemon's answers as text for people.
 * SPDX-License-Identifier: MIT */
#include "render.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "syncd/must.h"

#define BAR_MAX 30
#define ETA_AFTER_MS 1000 /* before that a rate says nothing */

/* --- Pieces ------------------------------------------------------------------------ */

/* The member's text, "" when it has none. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static void add(struct buf *out, const char *text)
{
	(void)buf_add_str(out, text); /* a text of 64 MiB is cut */
}

/* Names and servers' words come from strangers: nothing in them may drive the terminal. */
static void add_clean(struct buf *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		bool is_c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
		(void)buf_add_char(out, *p < 0x20 || *p == 0x7f || is_c1 ? '?' : (char)*p);
		p += is_c1 ? 1 : 0;
	}
}

/* Characters, not bytes; wide ones count as one. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void add_spaces(struct buf *out, size_t count)
{
	while (count-- > 0)
		(void)buf_add_char(out, ' ');
}

static void add_left(struct buf *out, const char *text, size_t width)
{
	size_t used = width_of(text);

	add_clean(out, text);
	add_spaces(out, used < width ? width - used : 0);
}

void render_bytes(uint64_t bytes, struct buf *out)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)buf_printf(out, "%" PRIu64 " B", bytes);
		return;
	}
	while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
		value /= 1024;
		unit++;
	}
	(void)buf_printf(out, "%.1f %s", value, units[unit]);
}

void render_duration(uint64_t seconds, struct buf *out)
{
	if (seconds < 60)
		(void)buf_printf(out, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		(void)buf_printf(out, "%" PRIu64 "m %" PRIu64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		(void)buf_printf(out, "%" PRIu64 "h %" PRIu64 "m", seconds / 3600,
				 seconds / 60 % 60);
	else
		(void)buf_printf(out, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400,
				 seconds / 3600 % 24);
}

/* --- Status -------------------------------------------------------------------------- */

static const char *colour_of_state(const char *state)
{
	if (strcmp(state, "idle") == 0)
		return "\033[32m";
	if (strcmp(state, "syncing") == 0 || strcmp(state, "connecting") == 0)
		return "\033[36m";
	if (strcmp(state, "paused") == 0 || strcmp(state, "held") == 0)
		return "\033[33m";
	return "\033[31m";
}

static void add_state(struct buf *out, const char *state, const struct render_options *options)
{
	if (options->has_colours)
		add(out, colour_of_state(state));
	add_clean(out, state);
	if (options->has_colours)
		add(out, "\033[0m");
}

/* "last sync 3m 2s ago", "next try in 5s". */
static void add_times(struct buf *out, const json_t *account, int64_t now_s)
{
	int64_t last = (int64_t)number_of(account, "last_sync");
	int64_t next = (int64_t)number_of(account, "next_retry");

	if (last == 0) {
		add(out, "  never synced");
	} else {
		add(out, "  synced ");
		render_duration(now_s > last ? (uint64_t)(now_s - last) : 0, out);
		add(out, " ago");
	}
	if (next != 0) {
		add(out, "  next try in ");
		render_duration(next > now_s ? (uint64_t)(next - now_s) : 0, out);
	}
}

static void add_notes(struct buf *out, const json_t *mailbox)
{
	const json_t *held = json_object_get(mailbox, "held");
	const json_t *error = json_object_get(mailbox, "error");
	const char *use = text_of(mailbox, "special_use");

	if (use[0] != '\0') {
		add(out, "  [");
		add_clean(out, use);
		add(out, "]");
	}
	if (json_is_object(held)) {
		(void)buf_printf(out, "  held: %" PRIu64 " deletions on the ",
				 number_of(held, "deletions"));
		add_clean(out, text_of(held, "side"));
		add(out, " side");
	}
	if (json_is_object(error)) {
		add(out, "  ");
		add_clean(out, text_of(error, "message"));
	}
}

/* One line each, below the mailbox: which message, and what the other side said. */
static void add_aside(struct buf *out, const json_t *mailbox)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(mailbox, "set_aside"), i, item)
	{
		add(out, "    set aside: ");
		if (json_is_integer(json_object_get(item, "uid")))
			(void)buf_printf(out, "UID %" PRIu64, number_of(item, "uid"));
		else
			add_clean(out, text_of(item, "file"));
		add(out, ": ");
		add_clean(out, text_of(item, "reason"));
		add(out, "\n");
	}
}

/* The same of a maildrop. */
static void add_staying(struct buf *out, const json_t *mailbox)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(mailbox, "left"), i, item)
	{
		const char *reason = text_of(item, "reason");
		const char *uid = text_of(item, "uidl");
		add(out, "    stays there: UIDL ");
		add_clean(out, uid[0] != '\0' ? uid : "unknown");
		add(out, " (");
		render_bytes(number_of(item, "bytes"), out);
		add(out, "): ");
		add_clean(out, reason[0] != '\0' ? reason : "larger than max_size");
		add(out, "\n");
	}
}

static void add_keywords(struct buf *out, const json_t *mailbox, const char *key, const char *words)
{
	const json_t *names = json_object_get(mailbox, key);
	size_t i;
	json_t *name;

	if (json_array_size(names) == 0)
		return;
	add(out, "    keywords ");
	add(out, words);
	json_array_foreach(names, i, name)
	{
		add(out, i == 0 ? ": " : ", ");
		add_clean(out, json_is_string(name) ? json_string_value(name) : "");
	}
	add(out, "\n");
}

static void add_mailboxes(struct buf *out, const json_t *mailboxes)
{
	size_t width = strlen("MAILBOX");
	size_t i;
	json_t *mailbox;

	if (json_array_size(mailboxes) == 0)
		return;
	json_array_foreach(mailboxes, i, mailbox)
	{
		size_t name = width_of(text_of(mailbox, "name"));
		width = name > width ? name : width;
	}
	add(out, "  ");
	add_left(out, "MAILBOX", width);
	add(out, "  MESSAGES   UNSEEN  PENDING\n");
	json_array_foreach(mailboxes, i, mailbox)
	{
		add(out, "  ");
		add_left(out, text_of(mailbox, "name"), width);
		(void)buf_printf(out, "  %8" PRIu64 " %8" PRIu64 " %8" PRIu64,
				 number_of(mailbox, "messages"), number_of(mailbox, "unseen"),
				 number_of(mailbox, "pending"));
		add_notes(out, mailbox);
		add(out, "\n");
		add_aside(out, mailbox);
		if (number_of(mailbox, "too_large") > 0)
			(void)buf_printf(out, "    %" PRIu64 " left on the server (max_size)\n",
					 number_of(mailbox, "too_large"));
		add_staying(out, mailbox);
		add_keywords(out, mailbox, "server_keywords",
			     "on the server only, for want of a letter");
		add_keywords(out, mailbox, "local_keywords", "here only, as the server drops them");
	}
}

void render_status_text(const json_t *status, const struct render_options *options, struct buf *out)
{
	size_t i;
	json_t *account;

	add(out, "syncd ");
	add_clean(out, text_of(status, "version"));
	add(out, ", up ");
	render_duration(number_of(status, "uptime_s"), out);
	add(out, "\n");
	json_array_foreach(json_object_get(status, "accounts"), i, account)
	{
		const json_t *error = json_object_get(account, "error");
		add(out, "\n");
		add_clean(out, text_of(account, "name"));
		add(out, " (");
		add_clean(out, text_of(account, "protocol"));
		add(out, ", ");
		add_clean(out, text_of(account, "push"));
		add(out, ")  ");
		add_state(out, text_of(account, "state"), options);
		add_times(out, account, options->now_s);
		add(out, "\n");
		if (json_is_object(error)) {
			add(out, "  error: ");
			add_clean(out, text_of(error, "message"));
			add(out, "\n");
		}
		add_mailboxes(out, json_object_get(account, "mailboxes"));
	}
}

/* --- Sync, plan, events ---------------------------------------------------------------- */

static void add_counts(struct buf *out, const json_t *counts)
{
	static const struct {
		const char *key;
		const char *words;
	} parts[] = {
		{ "fetched", "fetched" },
		{ "linked", "moved here" },
		{ "appended", "sent" },
		{ "flags_local", "flag changes here" },
		{ "flags_remote", "flag changes on the server" },
		{ "removed", "removed here" },
		{ "expunged", "removed on the server" },
		{ "set_aside", "set aside" },
	};
	uint64_t bytes = number_of(counts, "fetched_bytes") + number_of(counts, "appended_bytes");
	bool is_first = true;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		uint64_t count = number_of(counts, parts[i].key);
		if (count == 0)
			continue;
		(void)buf_printf(out, "%s%" PRIu64 " %s", is_first ? "" : ", ", count,
				 parts[i].words);
		is_first = false;
	}
	if (is_first)
		add(out, "nothing to do");
	if (bytes > 0) {
		add(out, " (");
		render_bytes(bytes, out);
		add(out, ")");
	}
}

void render_sync_text(const json_t *result, struct buf *out)
{
	add_counts(out, json_object_get(result, "counts"));
	add(out, "\n");
}

void render_plan_text(const json_t *result, struct buf *out)
{
	size_t i;
	json_t *line;

	json_array_foreach(json_object_get(result, "actions"), i, line)
	{
		const char *text = json_string_value(line);
		add_clean(out, text != NULL ? text : "");
		add(out, "\n");
	}
}

/* "work/INBOX" or what there is of it. */
static void add_target(struct buf *out, const json_t *object)
{
	const char *mailbox = text_of(object, "mailbox");

	add_clean(out, text_of(object, "account"));
	if (mailbox[0] != '\0') {
		add(out, "/");
		add_clean(out, mailbox);
	}
}

void render_failures_text(const json_t *result, const char *prefix, struct buf *out)
{
	size_t i;
	json_t *failure;

	json_array_foreach(json_object_get(result, "failures"), i, failure)
	{
		add(out, prefix);
		add_target(out, failure);
		add(out, ": ");
		add_clean(out, text_of(json_object_get(failure, "error"), "message"));
		add(out, "\n");
	}
}

void render_event_text(const json_t *event, const struct render_options *options, struct buf *out)
{
	const char *type = text_of(event, "type");
	const json_t *error = json_object_get(event, "error");

	add_target(out, event);
	add(out, out->len > 0 ? ": " : "");
	if (strcmp(type, "state") == 0)
		add_state(out, text_of(event, "state"), options);
	else
		add_clean(out, type);
	if (strcmp(type, "progress") == 0)
		(void)buf_printf(out, " %" PRIu64 "/%" PRIu64, number_of(event, "done"),
				 number_of(event, "total"));
	if (strcmp(type, "sync-end") == 0) {
		add(out, " ");
		add_counts(out, json_object_get(event, "counts"));
	}
	if (json_is_object(error)) {
		add(out, ": ");
		add_clean(out, text_of(error, "message"));
	}
	add(out, "\n");
}

/* --- Progress ---------------------------------------------------------------------------- */

static void add_bar(struct buf *out, unsigned percent, size_t width)
{
	size_t filled = width * percent / 100;

	(void)buf_add_char(out, '[');
	for (size_t i = 0; i < width; i++)
		(void)buf_add_char(out, i < filled ? '#' : ' ');
	(void)buf_printf(out, "] %3u%%  ", percent);
}

void render_progress_text(const struct render_progress *p, size_t columns, struct buf *out)
{
	uint64_t done = p->done < p->total ? p->done : p->total;
	unsigned percent = p->total > 0 ? (unsigned)(100 * done / p->total) : 0;
	size_t start = out->len;

	if (columns > 2 * BAR_MAX)
		add_bar(out, percent, BAR_MAX);
	(void)buf_printf(out, "%" PRIu64 "/%" PRIu64 " messages  ", done, p->total);
	render_bytes(p->bytes, out);
	if (done > 0 && done < p->total && p->elapsed_ms >= ETA_AFTER_MS) {
		double left_s = (double)p->elapsed_ms / 1000 * (double)(p->total - done);
		left_s = left_s / (double)done + 1;
		add(out, "  ETA ");
		render_duration(left_s < UINT32_MAX ? (uint64_t)left_s : UINT32_MAX, out);
	}
	if (out->len - start > columns) {
		out->len = start + columns;
		out->data[out->len] = '\0';
	}
}
