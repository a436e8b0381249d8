/* A POP3 session against any bytes a server may say: every request completes once, each message
 * that was asked for is told in order, nothing aborts and nothing leaks. The first byte says how
 * the session is set up and how the others arrive. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/fake_net.h"
#include "syncd/must.h"
#include "syncd/pop3.h"
#include "syncd/pop3_line.h"

#define MESSAGES 7 /* asked for */

/* Of the first byte; its upper half is the size of the pieces. */
enum {
	MODE_CAUTIOUS = 1 << 0,
	MODE_STLS = 1 << 1,
	MODE_AUTH = 2, /* two bits: which mechanisms are allowed */
};

struct client {
	struct loop *loop;
	struct pop3_user user;
	struct pop3_session *session;
	struct pop3_stat stat;
	struct pop3_listing list;
	struct pop3_listing uidl;
	struct pop3_fetch fetch;
	struct pop3_fetch top;
	struct pop3_dele dele;
	struct pop3_command noop;
	struct pop3_quit quit;
	uint32_t asked; /* of the fetch: the highest number, */
	uint32_t told;  /* begun or refused, */
	bool is_begun;
	char last[2]; /* bytes of the message */
	size_t len;
	uint32_t tops_asked;
	uint32_t deles_asked;
	uint32_t deles_told;
	int under_way;
	bool is_ready;
	bool is_quitting;
	bool is_closed;
};

static struct client *current; /* there is one at a time */

static void completed(const struct pop3_command *command, int code)
{
	must(code <= 0 && command->err.code == code);
	must(command->err.retry_after_s <= 7 * 24 * 60 * 60);
	must(current->under_way-- > 0);
}

/* --- Listings --- */

static void list_sized(struct pop3_listing *listing, uint32_t number, uint64_t size_bytes)
{
	(void)size_bytes;
	must(listing == &current->list && number > 0);
}

static void uidl_named(struct pop3_listing *listing, uint32_t number, struct slice uid)
{
	must(listing == &current->uidl && number > 0);
	must(uid.len > 0 && uid.len <= POP3_UID_MAX);
	must(memchr(uid.data, '\n', uid.len) == NULL && memchr(uid.data, '\0', uid.len) == NULL);
}

/* --- Messages --- */

static bool fetch_next(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes)
{
	must(fetch == &current->fetch && fetch->command.err.code == 0);
	if (current->asked == MESSAGES)
		return false;
	*number = ++current->asked;
	*size_bytes = (uint64_t)*number * 100000;
	return true;
}

static int fetch_begin(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes)
{
	must(fetch == &current->fetch && !current->is_begun);
	must(number == ++current->told && number <= current->asked);
	must(size_bytes == (uint64_t)number * 100000);
	current->is_begun = true;
	current->len = 0;
	return 0;
}

static int fetch_data(struct pop3_fetch *fetch, struct slice data)
{
	struct client *c = current;

	must(fetch == &c->fetch && c->is_begun && data.len > 0);
	for (size_t i = data.len > 2 ? data.len - 2 : 0; i < data.len; i++) {
		c->last[0] = c->last[1];
		c->last[1] = data.data[i];
	}
	c->len += data.len;
	return c->len > 3000 ? SYNCD_ENOSPC : 0;
}

static int fetch_end(struct pop3_fetch *fetch, uint32_t number)
{
	struct client *c = current;

	must(fetch == &c->fetch && c->is_begun && number == c->told);
	must(c->len == 0 || (c->len > 1 && memcmp(c->last, "\r\n", 2) == 0));
	c->is_begun = false;
	return 0;
}

static int fetch_refused(struct pop3_fetch *fetch, uint32_t number, const struct error *err)
{
	must(fetch == &current->fetch && !current->is_begun && err->code < 0);
	must(number == ++current->told && number <= current->asked);
	return err->code == SYNCD_EBUSY ? SYNCD_EBUSY : 0;
}

static void quit_if_alone(void);

static void fetch_done(struct pop3_fetch *fetch, int code)
{
	completed(&fetch->command, code);
	must(code < 0 || (!current->is_begun && current->told == MESSAGES));
	quit_if_alone();
}

static bool top_next(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes)
{
	must(fetch == &current->top);
	*number = ++current->tops_asked;
	*size_bytes = 0;
	return current->tops_asked <= 2;
}

static int top_begin(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes)
{
	(void)number;
	must(fetch == &current->top && size_bytes == 0);
	return 0;
}

static int top_data(struct pop3_fetch *fetch, struct slice data)
{
	must(fetch == &current->top && data.len > 0);
	return 0;
}

static int top_end(struct pop3_fetch *fetch, uint32_t number)
{
	must(fetch == &current->top && number <= 2);
	return 0;
}

static int top_refused(struct pop3_fetch *fetch, uint32_t number, const struct error *err)
{
	must(fetch == &current->top && number <= 2 && err->code < 0);
	return 0;
}

static void top_done(struct pop3_fetch *fetch, int code)
{
	completed(&fetch->command, code);
	quit_if_alone();
}

static bool dele_next(struct pop3_dele *dele, uint32_t *number)
{
	must(dele == &current->dele);
	if (current->deles_asked == MESSAGES)
		return false;
	*number = ++current->deles_asked;
	return true;
}

static void dele_answered(struct pop3_dele *dele, uint32_t number, const struct error *refusal)
{
	must(dele == &current->dele && number == ++current->deles_told);
	must(number <= current->deles_asked && (refusal == NULL || refusal->code < 0));
}

/* --- The story --- */

static void quit_done(struct pop3_command *command, int code)
{
	const struct pop3_quit *quit = &current->quit;

	completed(command, code);
	must((code == 0) == (quit->outcome == POP3_QUIT_DONE));
	must(current->under_way == 0);
	if (quit->outcome < POP3_QUIT_REFUSED)
		return;
	pop3_session_close(current->session);
	current->session = NULL;
}

static void quit_if_alone(void)
{
	struct client *c = current;

	if (c->under_way > 0 || c->is_quitting || !pop3_session_is_live(c->session))
		return;
	c->is_quitting = true;
	c->under_way++;
	pop3_quit_start(c->session, &c->quit, quit_done);
}

static void command_done(struct pop3_command *command, int code)
{
	completed(command, code);
	quit_if_alone();
}

/* What a puller does, everything at once. */
static void listed(struct pop3_command *command, int code)
{
	struct client *c = current;

	completed(command, code);
	if (!pop3_session_is_live(c->session))
		return;
	pop3_fetch_start(c->session, &c->fetch);
	pop3_fetch_start(c->session, &c->top);
	pop3_dele_start(c->session, &c->dele, command_done);
	pop3_noop_start(c->session, &c->noop, command_done);
	c->under_way += 4;
}

static void on_ready(struct pop3_user *user)
{
	struct client *c = current;

	must(user == &c->user && !c->is_ready);
	c->is_ready = true;
	pop3_stat_start(c->session, &c->stat, command_done);
	pop3_list_start(c->session, &c->list, command_done);
	pop3_uidl_start(c->session, &c->uidl, listed);
	c->under_way += 3;
}

static void on_broken(struct pop3_user *user, const struct error *err)
{
	must(user == &current->user && err->code < 0 && current->under_way == 0);
	pop3_session_close(current->session);
	current->session = NULL;
}

static void on_closed(struct pop3_user *user)
{
	must(user == &current->user && !current->is_closed);
	current->is_closed = true;
}

static const struct pop3_user_ops user_ops = {
	.ready = on_ready,
	.broken = on_broken,
	.closed = on_closed,
};

static void client_init(struct client *c)
{
	c->user.ops = &user_ops;
	c->list.sized = list_sized;
	c->uidl.named = uidl_named;
	c->fetch.next = fetch_next;
	c->fetch.begin = fetch_begin;
	c->fetch.data = fetch_data;
	c->fetch.end = fetch_end;
	c->fetch.refused = fetch_refused;
	c->fetch.done = fetch_done;
	c->top.is_top = true;
	c->top.next = top_next;
	c->top.begin = top_begin;
	c->top.data = top_data;
	c->top.end = top_end;
	c->top.refused = top_refused;
	c->top.done = top_done;
	c->dele.next = dele_next;
	c->dele.answered = dele_answered;
}

/* The server answers what it was asked: a line at a time, and any number of bytes while there are
 * many questions in the pipe. */
static bool is_by_line(const struct client *c)
{
	return c->told + 1 >= c->asked;
}

static void feed(struct client *c, struct slice data, size_t piece)
{
	while (data.len > 0 && c->session != NULL) {
		const char *newline = memchr(data.data, '\n', data.len);
		size_t len = data.len < piece ? data.len : piece;
		if (is_by_line(c) && newline != NULL && (size_t)(newline - data.data) < len)
			len = (size_t)(newline - data.data) + 1;
		memory_stream_push(fake_net_connection(fake_net_count() - 1),
				   (struct slice){ data.data, len });
		loop_fake_advance(c->loop, 0);
		data.data += len;
		data.len -= len;
	}
}

static void run(struct client *c, const struct pop3_settings *settings, struct slice data,
		size_t piece)
{
	c->session = pop3_session_new(settings, &c->user);
	pop3_session_start(c->session);
	loop_fake_advance(c->loop, 0);
	feed(c, data, piece);
	if (c->session != NULL)
		pop3_session_close(c->session);
	loop_fake_advance(c->loop, 0);
	must(c->is_closed && c->under_way == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const lists[][3] = {
		{ NULL },
		{ "cram-md5", "scram-sha-1", NULL },
		{ "apop", NULL },
		{ "xoauth2", "external", NULL },
	};
	struct client c = { .loop = loop_new_fake() };
	uint8_t mode = size > 0 ? data[0] : 0;
	struct net_target target = { .host = "localhost", .timeout_ms = 1000 };
	struct secret *password = secret_new("pw", 2);
	struct error err;

	target.tls = (mode & MODE_STLS) != 0 ? NET_TLS_STARTTLS : NET_TLS_IMPLICIT;
	fake_net_begin();
	current = &c;
	client_init(&c);
	struct net_context *net = net_context_new(c.loop, &target, &err);
	const char *const *allowed = lists[(mode >> MODE_AUTH) & 3];
	const struct pop3_settings settings = {
		.loop = c.loop,
		.net = net,
		.target = &target,
		.account = "fuzz",
		.user = "me",
		.password = password,
		.auth = allowed[0] != NULL ? allowed : NULL,
		.language = "de",
		.is_cautious = (mode & MODE_CAUTIOUS) != 0,
	};
	if (size > 0)
		run(&c, &settings, (struct slice){ (const char *)data + 1, size - 1 },
		    (size_t)(mode >> 4) * 8 + 1);
	secret_free(&password);
	net_context_free(&net);
	fake_net_end();
	loop_free(&c.loop);
	return 0;
}
