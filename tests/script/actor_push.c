/* What a script's `do` lines start: waiting for news.
 *
 *     do push INBOX            of all mailboxes if the server can
 *     do push-more NAME        of one more
 *     do push-stop NAME
 * SPDX-License-Identifier: MIT */
#include "script/actor.h"

#include <stdio.h>
#include <string.h>

#include "syncd/must.h"

static struct actor_push *push_of(struct adapter_remote_push *push)
{
	return container_of(push, struct actor_push, push);
}

static void push_ready(struct adapter_remote_push *push)
{
	struct actor_push *own = push_of(push);

	actor_tell(own->actor, "push %s ready %s", own->name, push->is_all ? "notify" : "idle");
}

static void add_number(char *text, size_t size, const char *what, uint64_t value)
{
	size_t len = strlen(text);

	(void)snprintf(text + len, size - len, " %s %llu", what, (unsigned long long)value);
}

static void push_news(struct adapter_remote_push *push, const char *mailbox,
		      const struct adapter_remote_told *told)
{
	struct actor_push *own = push_of(push);
	const struct mailbox_status *status = &told->status;
	char text[256] = "";

	if (status->uidvalidity != 0)
		add_number(text, sizeof(text), "validity", status->uidvalidity);
	if (status->uidnext != 0)
		add_number(text, sizeof(text), "next", status->uidnext);
	if (told->has_messages)
		add_number(text, sizeof(text), "messages", status->messages);
	if (status->highestmodseq != 0)
		add_number(text, sizeof(text), "modseq", status->highestmodseq);
	actor_tell(own->actor, "push %s %s %s%s", own->name, told->is_snapshot ? "finds" : "news",
		   mailbox, text);
}

static void push_listed(struct adapter_remote_push *push, const char *mailbox, bool is_there)
{
	struct actor_push *own = push_of(push);

	actor_tell(own->actor, "push %s %s %s", own->name, is_there ? "came" : "went", mailbox);
}

static void push_everything(struct adapter_remote_push *push)
{
	struct actor_push *own = push_of(push);

	actor_tell(own->actor, "push %s everything", own->name);
}

static void push_over(struct adapter_remote_push *push, const struct error *err)
{
	struct actor_push *own = push_of(push);
	char what[sizeof(own->name) + 8];

	(void)snprintf(what, sizeof(what), "push %s", own->name);
	own->is_on = false;
	actor_tell_done(own->actor, what, err->code, err);
}

static void push_start(struct actor *actor, const char *name, bool wants_all)
{
	struct actor_push *own = actor->pushes;

	while (own->is_on)
		own++;
	must(own < actor->pushes + ACTOR_PUSHES_MAX);
	*own = (struct actor_push){
		.push = { .wants_all = wants_all,
			  .ready = push_ready,
			  .news = push_news,
			  .listed = push_listed,
			  .everything = push_everything,
			  .over = push_over },
		.actor = actor,
		.is_on = true,
	};
	(void)snprintf(own->name, sizeof(own->name), "%s", name);
	adapter_remote_push_start(actor->adapter, &own->push, name);
}

void actor_push(struct actor *actor, char *words)
{
	push_start(actor, words, true);
}

void actor_push_more(struct actor *actor, char *words)
{
	push_start(actor, words, false);
}

void actor_push_stop(struct actor *actor, char *words)
{
	for (size_t i = 0; i < ACTOR_PUSHES_MAX; i++) {
		if (actor->pushes[i].is_on && strcmp(actor->pushes[i].name, words) == 0)
			adapter_remote_push_stop(&actor->pushes[i].push);
	}
}
