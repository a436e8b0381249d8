/* What a script's `do pop3` lines start: a POP3 session, told what to ask in words.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script/actor.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/pop3.h"

#define BODY_MAX (1 << 22)
#define FETCHES 2

/* Messages to be asked for: "1 2:500 3-6". */
struct numbers {
	char *left;
	char text[256];
	uint32_t at; /* inside of a range */
	uint32_t to;
};

struct pop3_fetcher {
	struct pop3_fetch fetch;
	struct actor_pop3 *pop3;
	struct numbers numbers;
	struct buf body;
};

struct pop3_deleter {
	struct pop3_dele dele;
	struct actor_pop3 *pop3;
	struct numbers numbers;
};

struct actor_pop3 {
	struct actor *actor;
	struct net_context *net;
	struct secret *password;
	struct pop3_user user;
	struct pop3_session *session; /* NULL: closed */
	char language[16];
	struct pop3_stat stat;
	struct pop3_listing list;
	struct pop3_listing uidl;
	struct pop3_fetcher fetchers[FETCHES];
	struct pop3_deleter deleters[FETCHES];
	struct pop3_command rset;
	struct pop3_command noop;
	struct pop3_quit quit;
	int body_failure; /* what taking a body returns */
	bool is_pausing;  /* at the end of each body */
};

/* --- Numbers ------------------------------------------------------------------ */

static void numbers_set(struct numbers *numbers, const char *words)
{
	*numbers = (struct numbers){ .at = 1 };
	(void)snprintf(numbers->text, sizeof(numbers->text), "%s", words);
	numbers->left = numbers->text;
}

static bool numbers_next(struct numbers *numbers, uint32_t *number, uint64_t *size_bytes)
{
	*size_bytes = 0;
	if (numbers->at <= numbers->to) {
		*number = numbers->at++;
		return true;
	}
	numbers->left += strspn(numbers->left, " ");
	if (*numbers->left == '\0')
		return false;
	*number = (uint32_t)strtoul(numbers->left, &numbers->left, 10);
	if (*numbers->left == ':')
		*size_bytes = strtoull(numbers->left + 1, &numbers->left, 10);
	numbers->at = *number + 1;
	numbers->to = *number;
	if (*numbers->left == '-')
		numbers->to = (uint32_t)strtoul(numbers->left + 1, &numbers->left, 10);
	return true;
}

/* --- The session ----------------------------------------------------------------- */

static struct actor_pop3 *pop3_of(struct pop3_user *user)
{
	return container_of(user, struct actor_pop3, user);
}

static void tell_retry(struct actor *actor, const struct error *err)
{
	if (err->retry_after_s > 0)
		actor_tell(actor, "retry after %u s", err->retry_after_s);
}

/* "ready", "ready login-delay 300 expire 0" */
static void on_ready(struct pop3_user *user)
{
	struct actor_pop3 *pop3 = pop3_of(user);
	const struct pop3_policy *policy = pop3_session_policy(pop3->session);
	char delay[40] = "";
	char expire[40] = "";

	if (policy->login_delay_s > 0)
		(void)snprintf(delay, sizeof(delay), " login-delay %u", policy->login_delay_s);
	if (policy->expire_days != POP3_EXPIRE_NEVER)
		(void)snprintf(expire, sizeof(expire), " expire %u", policy->expire_days);
	actor_tell(pop3->actor, "ready%s%s%s", delay, expire,
		   pop3_session_can(pop3->session, POP3_CAP_UIDL) ? "" : " without UIDL");
}

static void on_broken(struct pop3_user *user, const struct error *err)
{
	actor_tell_done(pop3_of(user)->actor, "broken", err->code, err);
	tell_retry(pop3_of(user)->actor, err);
}

static void on_closed(struct pop3_user *user)
{
	pop3_of(user)->session = NULL;
}

static const struct pop3_user_ops user_ops = {
	.ready = on_ready,
	.broken = on_broken,
	.closed = on_closed,
};

/* start [cautious] [LANGUAGE] */
static void do_start(struct actor_pop3 *pop3, char *words)
{
	const struct adapter_remote_settings *settings = &pop3->actor->settings;
	bool is_cautious = strncmp(words, "cautious", 8) == 0;
	struct error err;

	words += is_cautious ? strlen("cautious") : 0;
	words += strspn(words, " ");
	(void)snprintf(pop3->language, sizeof(pop3->language), "%s", words);
	if (settings->password != NULL)
		pop3->password = secret_new(settings->password, strlen(settings->password));
	pop3->net = net_context_new(pop3->actor->loop, &settings->target, &err);
	pop3->user.ops = &user_ops;
	const struct pop3_settings own = {
		.loop = pop3->actor->loop,
		.net = pop3->net,
		.target = &settings->target,
		.account = settings->account,
		.user = settings->user,
		.password = pop3->password,
		.auth = settings->auth,
		.allow_plaintext = settings->allow_plaintext,
		.language = *words != '\0' ? pop3->language : NULL,
		.is_cautious = is_cautious,
	};
	pop3->session = pop3_session_new(&own, &pop3->user);
	pop3_session_start(pop3->session);
}

static void do_close(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_session_close(pop3->session);
}

static void do_cancel(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_session_cancel(pop3->session);
}

/* --- Commands ---------------------------------------------------------------------- */

static void tell_done(struct actor_pop3 *pop3, const char *what, const struct pop3_command *command)
{
	actor_tell_done(pop3->actor, what, command->err.code, &command->err);
	tell_retry(pop3->actor, &command->err);
}

static void stat_done(struct pop3_command *command, int code)
{
	struct actor_pop3 *pop3 = container_of(command, struct actor_pop3, stat.command);

	if (code < 0)
		tell_done(pop3, "stat", command);
	else
		actor_tell(pop3->actor, "stat ok %u messages %llu bytes", pop3->stat.count,
			   (unsigned long long)pop3->stat.size_bytes);
}

static void do_stat(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_stat_start(pop3->session, &pop3->stat, stat_done);
}

static void list_sized(struct pop3_listing *listing, uint32_t number, uint64_t size_bytes)
{
	actor_tell(container_of(listing, struct actor_pop3, list)->actor, "size %u %llu", number,
		   (unsigned long long)size_bytes);
}

static void list_done(struct pop3_command *command, int code)
{
	struct actor_pop3 *pop3 = container_of(command, struct actor_pop3, list.command);

	(void)code;
	tell_done(pop3, pop3->list.is_damaged ? "list damaged" : "list", command);
}

static void do_list(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3->list.sized = list_sized;
	pop3_list_start(pop3->session, &pop3->list, list_done);
}

static void uidl_named(struct pop3_listing *listing, uint32_t number, struct slice uid)
{
	actor_tell(container_of(listing, struct actor_pop3, uidl)->actor, "uid %u %.*s", number,
		   (int)uid.len, uid.data);
}

static void uidl_done(struct pop3_command *command, int code)
{
	struct actor_pop3 *pop3 = container_of(command, struct actor_pop3, uidl.command);

	(void)code;
	tell_done(pop3, pop3->uidl.is_damaged ? "uidl damaged" : "uidl", command);
}

static void do_uidl(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3->uidl.named = uidl_named;
	pop3_uidl_start(pop3->session, &pop3->uidl, uidl_done);
}

static void rset_done(struct pop3_command *command, int code)
{
	(void)code;
	tell_done(container_of(command, struct actor_pop3, rset), "rset", command);
}

static void do_rset(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_rset_start(pop3->session, &pop3->rset, rset_done);
}

static void noop_done(struct pop3_command *command, int code)
{
	(void)code;
	tell_done(container_of(command, struct actor_pop3, noop), "noop", command);
}

static void do_noop(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_noop_start(pop3->session, &pop3->noop, noop_done);
}

static void quit_done(struct pop3_command *command, int code)
{
	static const char *const outcomes[] = {
		[POP3_QUIT_UNSENT] = "quit unsent",
		[POP3_QUIT_UNKNOWN] = "quit unknown",
		[POP3_QUIT_REFUSED] = "quit refused",
		[POP3_QUIT_DONE] = "quit",
	};
	struct actor_pop3 *pop3 = container_of(command, struct actor_pop3, quit.command);

	must((code == 0) == (pop3->quit.outcome == POP3_QUIT_DONE));
	tell_done(pop3, outcomes[pop3->quit.outcome], command);
}

static void do_quit(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_quit_start(pop3->session, &pop3->quit, quit_done);
}

/* --- Messages -------------------------------------------------------------------------- */

static struct pop3_fetcher *fetcher_of(struct pop3_fetch *fetch)
{
	return container_of(fetch, struct pop3_fetcher, fetch);
}

static bool fetch_next(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes)
{
	return numbers_next(&fetcher_of(fetch)->numbers, number, size_bytes);
}

static int fetch_begin(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes)
{
	must(fetch->command.err.code == 0); /* given up, it tells nothing more */
	buf_reset(&fetcher_of(fetch)->body);
	actor_tell(fetcher_of(fetch)->pop3->actor, "begin %u size %llu", number,
		   (unsigned long long)size_bytes);
	return 0;
}

static int fetch_data(struct pop3_fetch *fetch, struct slice data)
{
	struct pop3_fetcher *fetcher = fetcher_of(fetch);

	must(fetch->command.err.code == 0);
	must(buf_add(&fetcher->body, data.data, data.len) == 0);
	return fetcher->pop3->body_failure;
}

/* "end 1: Subject: a\nb\n" */
static int fetch_end(struct pop3_fetch *fetch, uint32_t number)
{
	struct pop3_fetcher *fetcher = fetcher_of(fetch);
	struct buf text;

	must(fetch->command.err.code == 0);
	buf_init(&text, BODY_MAX);
	for (size_t i = 0; i < fetcher->body.len; i++) {
		char c = fetcher->body.data[i];
		if (c == '\r' && fetcher->body.data[i + 1] == '\n') {
			must(buf_add_str(&text, "\\n") == 0);
			i++;
		} else {
			must(buf_add_char(&text, c) == 0);
		}
	}
	actor_tell(fetcher->pop3->actor, "end %u: %.1000s", number, buf_str(&text));
	buf_free(&text);
	if (fetcher->pop3->is_pausing && !fetch->is_paused)
		pop3_fetch_pause(fetch);
	return 0;
}

static int fetch_refused(struct pop3_fetch *fetch, uint32_t number, const struct error *err)
{
	char what[32];

	must(fetch->command.err.code == 0);
	(void)snprintf(what, sizeof(what), "refused %u", number);
	actor_tell_done(fetcher_of(fetch)->pop3->actor, what, err->code, err);
	return err->code == SYNCD_EBUSY ? SYNCD_EBUSY : 0;
}

static void fetch_done(struct pop3_fetch *fetch, int code)
{
	must(code == fetch->command.err.code);
	tell_done(fetcher_of(fetch)->pop3, "fetch", &fetch->command);
}

static void fetch_start(struct pop3_fetcher *fetcher, const char *numbers)
{
	numbers_set(&fetcher->numbers, numbers);
	fetcher->fetch.next = fetch_next;
	fetcher->fetch.begin = fetch_begin;
	fetcher->fetch.data = fetch_data;
	fetcher->fetch.end = fetch_end;
	fetcher->fetch.refused = fetch_refused;
	fetcher->fetch.done = fetch_done;
	pop3_fetch_start(fetcher->pop3->session, &fetcher->fetch);
}

static void do_fetch(struct actor_pop3 *pop3, char *words)
{
	pop3->fetchers[0].fetch.is_top = false;
	fetch_start(&pop3->fetchers[0], words);
}

/* top LINES NUMBER... */
static void do_top(struct actor_pop3 *pop3, char *words)
{
	char *numbers;

	pop3->fetchers[1].fetch.is_top = true;
	pop3->fetchers[1].fetch.top_lines = (uint32_t)strtoul(words, &numbers, 10);
	fetch_start(&pop3->fetchers[1], numbers);
}

static void do_fetch_pause(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_fetch_pause(&pop3->fetchers[0].fetch);
}

static void do_fetch_pause_at_end(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3->is_pausing = true;
}

static void do_fetch_resume(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_fetch_resume(&pop3->fetchers[0].fetch);
}

static void do_fetch_cancel(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3_fetch_cancel(&pop3->fetchers[0].fetch);
}

static void do_fetch_fail(struct actor_pop3 *pop3, char *words)
{
	(void)words;
	pop3->body_failure = SYNCD_ENOSPC;
}

static struct pop3_deleter *deleter_of(struct pop3_dele *dele)
{
	return container_of(dele, struct pop3_deleter, dele);
}

static bool dele_next(struct pop3_dele *dele, uint32_t *number)
{
	uint64_t size_bytes;

	return numbers_next(&deleter_of(dele)->numbers, number, &size_bytes);
}

static void dele_answered(struct pop3_dele *dele, uint32_t number, const struct error *refusal)
{
	struct actor *actor = deleter_of(dele)->pop3->actor;
	char what[32];

	(void)snprintf(what, sizeof(what), "marked %u", number);
	actor_tell_done(actor, what, refusal != NULL ? refusal->code : 0, refusal);
}

static void dele_done(struct pop3_command *command, int code)
{
	struct pop3_dele *dele = container_of(command, struct pop3_dele, command);

	(void)code;
	tell_done(deleter_of(dele)->pop3, "dele", command);
}

static void dele_start(struct pop3_deleter *deleter, const char *numbers)
{
	numbers_set(&deleter->numbers, numbers);
	deleter->dele.next = dele_next;
	deleter->dele.answered = dele_answered;
	pop3_dele_start(deleter->pop3->session, &deleter->dele, dele_done);
}

static void do_dele(struct actor_pop3 *pop3, char *words)
{
	dele_start(&pop3->deleters[0], words);
}

static void do_dele_too(struct actor_pop3 *pop3, char *words)
{
	dele_start(&pop3->deleters[1], words);
}

/* --- The whole ----------------------------------------------------------------------------- */

static const struct {
	const char *verb;
	void (*start)(struct actor_pop3 *pop3, char *words);
} verbs[] = {
	{ "start", do_start },
	{ "close", do_close },
	{ "cancel", do_cancel },
	{ "stat", do_stat },
	{ "list", do_list },
	{ "uidl", do_uidl },
	{ "rset", do_rset },
	{ "noop", do_noop },
	{ "quit", do_quit },
	{ "fetch", do_fetch },
	{ "top", do_top },
	{ "fetch-pause", do_fetch_pause },
	{ "fetch-pause-at-end", do_fetch_pause_at_end },
	{ "fetch-resume", do_fetch_resume },
	{ "fetch-cancel", do_fetch_cancel },
	{ "fetch-fail", do_fetch_fail },
	{ "dele", do_dele },
	{ "dele-too", do_dele_too },
};

static struct actor_pop3 *pop3_new(struct actor *actor)
{
	struct actor_pop3 *pop3 = xcalloc(1, sizeof(*pop3));

	pop3->actor = actor;
	for (size_t i = 0; i < FETCHES; i++) {
		pop3->fetchers[i].pop3 = pop3;
		pop3->deleters[i].pop3 = pop3;
		buf_init(&pop3->fetchers[i].body, BODY_MAX);
	}
	return pop3;
}

bool actor_pop3_do(struct actor *actor, char *words)
{
	size_t len = strcspn(words, " ");
	char *rest = words + len + strspn(words + len, " ");

	if (actor->pop3 == NULL)
		actor->pop3 = pop3_new(actor);
	words[len] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(words, verbs[i].verb) == 0) {
			verbs[i].start(actor->pop3, rest);
			return true;
		}
	}
	return false;
}

/* A session that has completed its QUIT, or has broken, is still to be closed. */
void actor_pop3_free(struct actor *actor)
{
	struct actor_pop3 *pop3 = actor->pop3;

	if (pop3 == NULL)
		return;
	loop_fake_advance(actor->loop, 0);
	if (pop3->session != NULL)
		pop3_session_close(pop3->session);
	loop_fake_advance(actor->loop, 0);
	must(pop3->session == NULL);
	for (size_t i = 0; i < FETCHES; i++)
		buf_free(&pop3->fetchers[i].body);
	net_context_free(&pop3->net);
	secret_free(&pop3->password);
	free(pop3);
	actor->pop3 = NULL;
}
