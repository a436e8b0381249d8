/* What a script's `do` lines start about mailboxes as a whole, and what moves between them.
 *
 *     do rename FROM TO | remove NAME | status NAME
 *     do move SET TARGET | copy SET TARGET
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

/* --- Messages ------------------------------------------------------------------ */

static struct actor *actor_of_transfer(struct remote_transfer_req *req)
{
	return container_of(req, struct actor, transfer);
}

static void transferred(struct remote_transfer_req *req, uint32_t uid, uint32_t target_uid)
{
	actor_tell(actor_of_transfer(req), "transferred %u to %u", uid, target_uid);
}

/* "move ok validity 85 removed", "copy ok validity 0", "move message: no removed" */
static void transfer_done(struct port_op *op, int code)
{
	struct remote_transfer_req *req = container_of(op, struct remote_transfer_req, op);
	struct actor *actor = actor_of_transfer(req);
	const char *what = req->is_move ? "move" : "copy";

	if (code < 0)
		actor_tell_done(actor, what, code, &op->err);
	else
		actor_tell(actor, "%s ok validity %u%s", what, req->target_uidvalidity,
			   req->is_removed ? " removed" : "");
}

static void start_transfer(struct actor *actor, char *words, bool is_move)
{
	set_text(&actor->target, second_word(words));
	actor_set_uids(actor, words);
	actor->transfer = (struct remote_transfer_req){
		.op.done = transfer_done,
		.uids = &actor->uids,
		.target = buf_str(&actor->target),
		.is_move = is_move,
		.transferred = transferred,
	};
	actor->mailbox->ops->transfer(actor->mailbox, &actor->transfer);
}

void actor_move(struct actor *actor, char *words)
{
	start_transfer(actor, words, true);
}

void actor_copy(struct actor *actor, char *words)
{
	start_transfer(actor, words, false);
}
