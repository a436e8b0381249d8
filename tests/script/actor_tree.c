/* What a script's `do` lines start about mailboxes as a whole.
 *
 *     do rename FROM TO | remove NAME | status NAME
 * SPDX-License-Identifier: MIT */
#include "script/actor.h"

#include <stdio.h>
#include <string.h>

#include "syncd/must.h"

static void set_text(struct buf *buf, const char *text)
{
	buf_reset(buf);
	must(buf_add_str(buf, text) == 0);
}

/* The second of two words; the first one ends where it began. */
static char *second_word(char *words)
{
	char *blank = strchr(words, ' ');

	must(blank != NULL);
	*blank = '\0';
	return blank + 1;
}

static struct remote_account *account_of(struct actor *actor)
{
	return adapter_remote_port(actor->adapter);
}

/* --- Mailboxes ---------------------------------------------------------------- */

static void rename_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, rename.op), "rename", code, &op->err);
}

void actor_rename(struct actor *actor, char *words)
{
	set_text(&actor->target, second_word(words));
	set_text(&actor->name, words);
	actor->rename.op.done = rename_done;
	actor->rename.from = buf_str(&actor->name);
	actor->rename.to = buf_str(&actor->target);
	account_of(actor)->ops->rename(account_of(actor), &actor->rename);
}

static void remove_done(struct port_op *op, int code)
{
	actor_tell_done(container_of(op, struct actor, remove.op), "remove", code, &op->err);
}

void actor_remove(struct actor *actor, char *words)
{
	set_text(&actor->name, words);
	actor->remove.op.done = remove_done;
	actor->remove.name = buf_str(&actor->name);
	account_of(actor)->ops->remove(account_of(actor), &actor->remove);
}

/* "status ok 77 next 10 messages 3 modseq 100" */
static void status_done(struct port_op *op, int code)
{
	struct actor *actor = container_of(op, struct actor, status.op);
	const struct mailbox_status *status = &actor->status.status;

	if (code < 0)
		actor_tell_done(actor, "status", code, &op->err);
	else
		actor_tell(actor, "status ok %u next %u messages %u modseq %llu",
			   status->uidvalidity, status->uidnext, status->messages,
			   (unsigned long long)status->highestmodseq);
}

void actor_status(struct actor *actor, char *words)
{
	set_text(&actor->name, words);
	actor->status.op.done = status_done;
	actor->status.name = buf_str(&actor->name);
	account_of(actor)->ops->status(account_of(actor), &actor->status);
}
