/* What a script's `do` lines start, and the events that E: lines expect.
 * SPDX-License-Identifier: MIT */
#include "script/actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/must.h"

#define BODY_MAX (1 << 22)

void actor_tell(struct actor *actor, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	must(buf_printf(&actor->events, "%s\n", text) == 0);
}

void actor_tell_done(struct actor *actor, const char *what, int code, const struct error *err)
{
	if (code == 0)
		actor_tell(actor, "%s ok", what);
	else
		actor_tell(actor, "%s %s%s%s: %s", what, error_code_name(code),
			   err->server_code[0] != '\0' ? " " : "", err->server_code, err->text);
}

void actor_set_uids(struct actor *actor, const char *words)
{
	uidset_clear(&actor->uids);
	must(uidset_parse(&actor->uids, slice_of(words), 0) == 0);
}

/* --- The account ------------------------------------------------------------ */

/* "mailbox INBOX", with a status "mailbox INBOX status 77 next 10 messages 3 modseq 100", with an
 * id "mailbox INBOX id 4711", with a special use "mailbox Bin is trash". */
static void list_found(struct remote_list_req *req, const struct mailbox_info *info)
{
	const struct mailbox_status *status = &info->status;
	char text[96] = "";
	char id[32] = "";

	if (info->lasting_id != 0)
		(void)snprintf(id, sizeof(id), " id %llx", (unsigned long long)info->lasting_id);
	if (status->uidvalidity != 0)
		(void)snprintf(text, sizeof(text), " status %u next %u messages %u modseq %llu",
			       status->uidvalidity, status->uidnext, status->messages,
			       (unsigned long long)status->highestmodseq);
	const char *use = special_use_name(info->use);
	actor_tell(container_of(req, struct actor, list), "mailbox %s%s%s%s%s%s%s%s", info->name,
		   info->is_selectable ? "" : " noselect",
		   info->is_marked_unusable ? " unusable" : "",
		   info->is_left_alone ? " left alone" : "", text, id, use != NULL ? " is " : "",
		   use != NULL ? use : "");
}

static bool list_selects(struct remote_list_req *req, const char *name)
{
	(void)req;
	return strcmp(name, "Junk") != 0;
}

static void list_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, list.op), "list", code, &op->err);
}

/* list [status] [subscribed]: the status of all but Junk. */
static void do_list(struct actor *actor, char *words)
{
	actor->list.selects = strstr(words, "status") != NULL ? list_selects : NULL;
	actor->list.wants_subscribed = strstr(words, "subscribed") != NULL;
	actor->list.op.done = list_done;
	actor->list.found = list_found;
	adapter_remote_port(actor->adapter)
		->ops->list(adapter_remote_port(actor->adapter), &actor->list);
}

static void create_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, create.op), "create", code, &op->err);
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
		actor_tell_done(actor, "open", code, &op->err);
		return;
	}
	actor->mailbox = actor->open.mailbox;
	actor_tell(actor, "open ok validity %u next %u exists %u%s", actor->open.uidvalidity,
		   actor->open.uidnext, actor->open.exists,
		   actor->open.is_read_only ? " read-only" : "");
}

/* known UIDVALIDITY MODSEQ: what the state has, for every open from now on. */
static void do_known(struct actor *actor, char *words)
{
	char *rest;

	actor->open.known_uidvalidity = (uint32_t)strtoul(words, &rest, 10);
	actor->open.known_modseq = strtoull(rest, NULL, 10);
	actor->open.wants_uidnext = true;
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
		actor_tell_done(append->actor, append->req.is_unclear ? "append unclear" : "append",
				code, &op->err);
	else
		actor_tell(append->actor, "append ok uid %u", append->req.uid);
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

/* append SIZE [nul|unreadable|alone] [FLAG...]: x's, dated 1-Jan-2001. */
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
	} else if (strncmp(rest, " alone", 6) == 0) {
		req->is_alone = true;
		rest += 6;
	}
	req->flags = parse_flags(actor, rest);
	actor->mailbox->ops->append(actor->mailbox, req);
}

static void store_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, store.op), "store", code, &op->err);
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
	actor_set_uids(actor, words);
	actor->store.op.done = store_done;
	actor->store.uids = &actor->uids;
	actor->store.add = add != NULL ? parse_flags(actor, add + 2) : 0;
	actor->store.remove = remove != NULL ? parse_flags(actor, remove + 2) : 0;
	actor->mailbox->ops->store(actor->mailbox, &actor->store);
}

static void expunge_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, expunge.op), "expunge", code, &op->err);
}

static void do_expunge(struct actor *actor, char *words)
{
	actor_set_uids(actor, words);
	actor->expunge.op.done = expunge_done;
	actor->expunge.uids = &actor->uids;
	actor->mailbox->ops->expunge(actor->mailbox, &actor->expunge);
}

/* --- The whole ------------------------------------------------------------------------ */

static void do_drop_idle(struct actor *actor, char *words)
{
	(void)words;
	adapter_remote_drop_idle(actor->adapter);
}

static void shutdown_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, shutdown), "shutdown", code, &op->err);
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
	{ "rename", actor_rename },
	{ "remove", actor_remove },
	{ "status", actor_status },
	{ "known", do_known },
	{ "open", do_open },
	{ "close", do_close },
	{ "cancel", do_cancel },
	{ "observe", actor_observe },
	{ "search", actor_search },
	{ "settle", actor_settle },
	{ "fetch", actor_fetch },
	{ "pause", actor_pause },
	{ "pause-at-end", actor_pause_at_end },
	{ "resume", actor_resume },
	{ "fail-bodies", actor_fail_bodies },
	{ "append", do_append },
	{ "identify", actor_identify },
	{ "email-ids", actor_email_ids },
	{ "store", do_store },
	{ "expunge", do_expunge },
	{ "move", actor_move },
	{ "copy", actor_copy },
	{ "push", actor_push },
	{ "push-more", actor_push_more },
	{ "push-stop", actor_push_stop },
	{ "drop-idle", do_drop_idle },
	{ "shutdown", do_shutdown },
};

bool actor_do(struct actor *actor, char *words)
{
	struct error err;
	size_t len = strcspn(words, " ");

	if (strncmp(words, "pop3 ", 5) == 0)
		return actor_pop3_do(actor, words + 5);
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
	buf_init(&actor->target, EVENTS_MAX);
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++)
		buf_init(&actor->bodies[i], BODY_MAX);
	uidset_init(&actor->uids);
	uidset_init(&actor->present);
	remote_observation_init(&actor->observation);
}

void actor_free(struct actor *actor)
{
	actor_pop3_free(actor);
	if (actor->adapter != NULL && !actor->is_shut)
		do_shutdown(actor, NULL);
	loop_fake_advance(actor->loop, 0);
	if (actor->mailbox != NULL)
		do_close(actor, NULL);
	loop_fake_advance(actor->loop, 60000);
	keyword_table_free(&actor->keywords);
	buf_free(&actor->events);
	buf_free(&actor->name);
	buf_free(&actor->target);
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++)
		buf_free(&actor->bodies[i]);
	uidset_free(&actor->uids);
	uidset_free(&actor->present);
	remote_observation_free(&actor->observation);
}
