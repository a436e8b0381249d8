/* What a script's `do` lines start, and the events that E: lines expect.
 * SPDX-License-Identifier: MIT */
#include "script/actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/must.h"

#define EVENTS_MAX (1 << 20)
#define BODY_MAX (1 << 22)

static void event(struct actor *actor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void event(struct actor *actor, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	must(buf_printf(&actor->events, "%s\n", text) == 0);
}

/* "fetch ok", or "fetch message: NO [CODE]: words". */
static void event_done(struct actor *actor, const char *what, int code, const struct error *err)
{
	if (code == 0)
		event(actor, "%s ok", what);
	else
		event(actor, "%s %s%s%s: %s", what, error_code_name(code),
		      err->server_code[0] != '\0' ? " " : "", err->server_code, err->text);
}

/* --- The account ------------------------------------------------------------ */

static void list_found(struct remote_list_req *req, const struct mailbox_info *info)
{
	event(container_of(req, struct actor, list), "mailbox %s%s%s", info->name,
	      info->is_selectable ? "" : " noselect", info->is_marked_unusable ? " unusable" : "");
}

static void list_done(struct port_op *op, int code)
{
	event_done(container_of(op, struct actor, list.op), "list", code, &op->err);
}

static void do_list(struct actor *actor, char *words)
{
	(void)words;
	actor->list.op.done = list_done;
	actor->list.found = list_found;
	adapter_remote_port(actor->adapter)
		->ops->list(adapter_remote_port(actor->adapter), &actor->list);
}

static void create_done(struct port_op *op, int code)
{
	event_done(container_of(op, struct actor, create.op), "create", code, &op->err);
}

static void set_name(struct actor *actor, const char *name)
{
	buf_reset(&actor->name);
	must(buf_add_str(&actor->name, name) == 0);
}

static void do_create(struct actor *actor, char *words)
{
	set_name(actor, words);
	actor->create.op.done = create_done;
	actor->create.name = buf_str(&actor->name);
	adapter_remote_port(actor->adapter)
		->ops->create(adapter_remote_port(actor->adapter), &actor->create);
}

static void open_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, open.op);

	actor->is_opening = false;
	if (code < 0) {
		event_done(actor, "open", code, &op->err);
		return;
	}
	actor->mailbox = actor->open.mailbox;
	event(actor, "open ok validity %u next %u exists %u%s", actor->open.uidvalidity,
	      actor->open.uidnext, actor->open.exists,
	      actor->open.is_read_only ? " read-only" : "");
}

static void do_open(struct actor *actor, char *words)
{
	set_name(actor, words);
	actor->open.op.done = open_done;
	actor->open.name = buf_str(&actor->name);
	actor->open.keywords = &actor->keywords;
	actor->is_opening = true;
	adapter_remote_port(actor->adapter)
		->ops->open(adapter_remote_port(actor->adapter), &actor->open);
}

static void do_close(struct actor *actor, char *words)
{
	struct remote_mailbox *mailbox = actor->mailbox;

	(void)words;
	actor->mailbox = NULL;
	mailbox->ops->close(mailbox);
}

static void do_cancel(struct actor *actor, char *words)
{
	(void)words;
	actor->mailbox->ops->cancel(actor->mailbox);
}

/* --- Looking ------------------------------------------------------------------- */

static void observe_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, observe.op);
	const struct remote_observation *result = &actor->observation;
	struct buf flags;

	if (code < 0) {
		event_done(actor, "observe", code, &op->err);
		return;
	}
	buf_init(&flags, EVENTS_MAX);
	for (size_t i = 0; i < result->count; i++) {
		buf_reset(&flags);
		must(flags_format_imap(&actor->keywords, result->items[i].flags, &flags) == 0);
		event(actor, "item %u (%s)", result->items[i].uid, buf_str(&flags));
	}
	buf_free(&flags);
	event(actor, "observe ok %s next %u", result->is_complete ? "complete" : "incomplete",
	      result->uidnext);
}

static void do_observe(struct actor *actor, char *words)
{
	(void)words;
	remote_observation_free(&actor->observation);
	remote_observation_init(&actor->observation);
	actor->observe.op.done = observe_done;
	actor->observe.result = &actor->observation;
	actor->mailbox->ops->observe(actor->mailbox, &actor->observe);
}

static struct actor *actor_of_fetch(struct remote_fetch_req *req)
{
	return container_of(req, struct actor, fetch);
}

static int fetch_begin(struct remote_fetch_req *req, unsigned lane, uint64_t size_bytes)
{
	struct actor *actor = actor_of_fetch(req);

	must(lane == 0);
	must(!actor->is_in_body);
	actor->is_in_body = true;
	buf_reset(&actor->body);
	event(actor, "begin size %llu", (unsigned long long)size_bytes);
	return 0;
}

static int fetch_data(struct remote_fetch_req *req, unsigned lane, struct slice data)
{
	struct actor *actor = actor_of_fetch(req);

	must(lane == 0);
	must(actor->is_in_body && data.len > 0);
	must(buf_add(&actor->body, data.data, data.len) == 0);
	return actor->body_failure;
}

static int fetch_end(struct remote_fetch_req *req, unsigned lane, uint32_t uid,
		     int64_t internaldate_s)
{
	struct actor *actor = actor_of_fetch(req);

	must(lane == 0);
	must(actor->is_in_body);
	actor->is_in_body = false;
	for (size_t i = 0; i < actor->body.len; i++) {
		if (actor->body.data[i] == '\r' || actor->body.data[i] == '\n')
			actor->body.data[i] = '|';
	}
	event(actor, "end %u date %lld %s", uid, (long long)internaldate_s, buf_str(&actor->body));
	if (actor->is_pausing)
		actor->mailbox->ops->fetch_pause(actor->mailbox, req);
	return 0;
}

static void fetch_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, fetch.op);

	actor->is_in_body = false;
	event_done(actor, "fetch", code, &op->err);
}

static void set_uids(struct actor *actor, const char *words)
{
	uidset_clear(&actor->uids);
	must(uidset_parse(&actor->uids, slice_of(words), 0) == 0);
}

static void do_fetch(struct actor *actor, char *words)
{
	set_uids(actor, words);
	actor->fetch = (struct remote_fetch_req){
		.op.done = fetch_done,
		.uids = &actor->uids,
		.begin = fetch_begin,
		.data = fetch_data,
		.end = fetch_end,
	};
	actor->mailbox->ops->fetch(actor->mailbox, &actor->fetch);
}

static void do_pause(struct actor *actor, char *words)
{
	(void)words;
	actor->mailbox->ops->fetch_pause(actor->mailbox, &actor->fetch);
}

static void do_pause_at_end(struct actor *actor, char *words)
{
	(void)words;
	actor->is_pausing = true;
}

static void do_resume(struct actor *actor, char *words)
{
	(void)words;
	actor->mailbox->ops->fetch_resume(actor->mailbox, &actor->fetch);
}

static void do_fail_bodies(struct actor *actor, char *words)
{
	(void)words;
	actor->body_failure = SYNCD_ENOSPC;
}

static void identify_found(struct remote_identify_req *req, uint32_t uid,
			   const struct digest *identity, uint64_t size_bytes, uint64_t flags)
{
	event(container_of(req, struct actor, identify), "identity %u %s size %llu flags %llx", uid,
	      digest_has_message_id(identity) ? "message-id" : "no-message-id",
	      (unsigned long long)size_bytes, (unsigned long long)flags);
}

static void identify_done(struct port_op *op, int code)
{
	event_done(container_of(op, struct actor, identify.op), "identify", code, &op->err);
}

static void do_identify(struct actor *actor, char *words)
{
	set_uids(actor, words);
	actor->identify.op.done = identify_done;
	actor->identify.uids = &actor->uids;
	actor->identify.found = identify_found;
	actor->mailbox->ops->identify(actor->mailbox, &actor->identify);
}

/* --- Changing ---------------------------------------------------------------------- */

static int append_read(struct remote_append_req *req, char *out, size_t size, size_t *len)
{
	struct actor_append *append = container_of(req, struct actor_append, req);
	uint64_t left = req->size_bytes - append->sent;

	if (append->is_unreadable)
		return SYNCD_EMESSAGE;
	*len = left < size ? (size_t)left : size;
	memset(out, 'x', *len);
	append->sent += *len;
	return 0;
}

static void append_done(struct port_op *op, int code)
{
	struct actor_append *append = container_of(op, struct actor_append, req.op);

	if (code < 0)
		event_done(append->actor, "append", code, &op->err);
	else
		event(append->actor, "append ok uid %u", append->req.uid);
}

static uint64_t parse_flags(struct actor *actor, const char *words)
{
	uint64_t flags = 0;
	size_t len;

	for (; *words != '\0'; words += len) {
		words += strspn(words, " ");
		len = strcspn(words, " ");
		flags |= flags_from_imap(&actor->keywords, (struct slice){ words, len });
	}
	return flags;
}

/* append SIZE [nul|unreadable] [FLAG...]: x's, dated 1-Jan-2001. */
static void do_append(struct actor *actor, char *words)
{
	char *rest = NULL;

	must(actor->append_count < ACTOR_APPENDS_MAX);
	struct actor_append *append = &actor->appends[actor->append_count++];
	struct remote_append_req *req = &append->req;
	append->actor = actor;
	*req = (struct remote_append_req){
		.op.done = append_done,
		.size_bytes = strtoull(words, &rest, 10),
		.internaldate_s = 978307200,
		.read = append_read,
	};
	if (strncmp(rest, " nul", 4) == 0) {
		req->has_nul = true;
		rest += 4;
	} else if (strncmp(rest, " unreadable", 11) == 0) {
		append->is_unreadable = true;
		rest += 11;
	}
	req->flags = parse_flags(actor, rest);
	actor->mailbox->ops->append(actor->mailbox, req);
}

static void store_done(struct port_op *op, int code)
{
	event_done(container_of(op, struct actor, store.op), "store", code, &op->err);
}

/* store SET + FLAG... - FLAG... */
static void do_store(struct actor *actor, char *words)
{
	char *add = strstr(words, " +");
	char *remove = strstr(words, " -");

	if (remove != NULL)
		*remove = '\0';
	if (add != NULL)
		*add = '\0';
	set_uids(actor, words);
	actor->store.op.done = store_done;
	actor->store.uids = &actor->uids;
	actor->store.add = add != NULL ? parse_flags(actor, add + 2) : 0;
	actor->store.remove = remove != NULL ? parse_flags(actor, remove + 2) : 0;
	actor->mailbox->ops->store(actor->mailbox, &actor->store);
}

static void expunge_done(struct port_op *op, int code)
{
	event_done(container_of(op, struct actor, expunge.op), "expunge", code, &op->err);
}

static void do_expunge(struct actor *actor, char *words)
{
	set_uids(actor, words);
	actor->expunge.op.done = expunge_done;
	actor->expunge.uids = &actor->uids;
	actor->mailbox->ops->expunge(actor->mailbox, &actor->expunge);
}

/* --- Push ---------------------------------------------------------------------------- */

static void push_ready(struct adapter_remote_push *push)
{
	event(container_of(push, struct actor, push), "push ready");
}

static void push_news(struct adapter_remote_push *push)
{
	event(container_of(push, struct actor, push), "push news");
}

static void push_over(struct adapter_remote_push *push, const struct error *err)
{
	struct actor *actor = container_of(push, struct actor, push);

	actor->is_pushing = false;
	event_done(actor, "push", err->code, err);
}

static void do_push(struct actor *actor, char *words)
{
	actor->push = (struct adapter_remote_push){
		.ready = push_ready,
		.news = push_news,
		.over = push_over,
	};
	actor->is_pushing = true;
	adapter_remote_push_start(actor->adapter, &actor->push, words);
}

static void do_push_stop(struct actor *actor, char *words)
{
	(void)words;
	adapter_remote_push_stop(&actor->push);
}

static void do_drop_idle(struct actor *actor, char *words)
{
	(void)words;
	adapter_remote_drop_idle(actor->adapter);
}

/* --- The whole ------------------------------------------------------------------------ */

static void shutdown_done(struct port_op *op, int code)
{
	event_done(container_of(op, struct actor, shutdown), "shutdown", code, &op->err);
}

static void do_shutdown(struct actor *actor, char *words)
{
	(void)words;
	actor->is_shut = true;
	actor->shutdown.done = shutdown_done;
	adapter_remote_close(actor->adapter, &actor->shutdown);
}

static const struct {
	const char *verb;
	void (*start)(struct actor *actor, char *words);
} verbs[] = {
	{ "list", do_list },
	{ "create", do_create },
	{ "open", do_open },
	{ "close", do_close },
	{ "cancel", do_cancel },
	{ "observe", do_observe },
	{ "fetch", do_fetch },
	{ "pause", do_pause },
	{ "pause-at-end", do_pause_at_end },
	{ "resume", do_resume },
	{ "fail-bodies", do_fail_bodies },
	{ "append", do_append },
	{ "identify", do_identify },
	{ "store", do_store },
	{ "expunge", do_expunge },
	{ "push", do_push },
	{ "push-stop", do_push_stop },
	{ "drop-idle", do_drop_idle },
	{ "shutdown", do_shutdown },
};

bool actor_do(struct actor *actor, char *words)
{
	struct error err;
	size_t len = strcspn(words, " ");

	if (actor->adapter == NULL)
		actor->adapter = adapter_remote_new(actor->loop, &actor->settings, &err);
	char *rest = words + len + strspn(words + len, " ");
	words[len] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(words, verbs[i].verb) == 0) {
			verbs[i].start(actor, rest);
			return true;
		}
	}
	return false;
}

bool actor_event(struct actor *actor, struct buf *line)
{
	char *end;

	if (actor->events.len == 0)
		return false;
	end = memchr(actor->events.data, '\n', actor->events.len);
	size_t len = (size_t)(end - actor->events.data);
	buf_reset(line);
	must(buf_add(line, actor->events.data, len) == 0);
	buf_consume(&actor->events, len + 1);
	return true;
}

void actor_init(struct actor *actor, struct loop *loop)
{
	*actor = (struct actor){ .loop = loop };
	actor->settings = (struct adapter_remote_settings){
		.account = "script",
		.target = { .host = "localhost",
			    .port = 993,
			    .tls = NET_TLS_IMPLICIT,
			    .timeout_ms = 60000 },
		.user = "me",
		.password = "secret",
		.connections = 1,
	};
	keyword_table_init(&actor->keywords);
	buf_init(&actor->events, EVENTS_MAX);
	buf_init(&actor->name, EVENTS_MAX);
	buf_init(&actor->body, BODY_MAX);
	uidset_init(&actor->uids);
	remote_observation_init(&actor->observation);
}

void actor_free(struct actor *actor)
{
	if (actor->adapter != NULL && !actor->is_shut)
		do_shutdown(actor, NULL);
	loop_fake_advance(actor->loop, 0);
	if (actor->mailbox != NULL)
		do_close(actor, NULL);
	loop_fake_advance(actor->loop, 60000);
	keyword_table_free(&actor->keywords);
	buf_free(&actor->events);
	buf_free(&actor->name);
	buf_free(&actor->body);
	uidset_free(&actor->uids);
	remote_observation_free(&actor->observation);
}
