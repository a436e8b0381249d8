/* What becomes of the state of a mailbox that was deleted, and the mailbox itself where it is kept
 * or restored: made anew on the side that lacks it, for the passes behind.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include "syncd/log.h"
#include "syncd/sync_baseline.h"

/* --- The state, and what is kept ------------------------------------------------------------- */

static void forget_some(struct farewell *farewell);

static void forgotten(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, commit.op);
	bool is_over = !farewell->mailbox->is_known;

	if (code != 0)
		farewell_fail(farewell, &op->err);
	if (farewell->err.code != 0 || is_over)
		farewell_step(farewell);
	else
		forget_some(farewell);
}

/* Its messages in groups, and then itself. Cut short, it may be wanted again, or there again. */
static void forget_some(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	struct store_port *store = tree->ports.store;
	struct remote_flags some[FAREWELL_GROUP_MESSAGES];
	struct error err = { 0 };
	size_t count = 0;

	if (store->ops->messages_after(store, farewell->record.id, 0, some, FAREWELL_GROUP_MESSAGES,
				       &count, &err) != 0)
		farewell_fail(farewell, &err);
	for (size_t i = 0; i < count; i++)
		store_batch_delete_message(&farewell->commit.batch, farewell->record.id,
					   some[i].uid);
	if (count > 0)
		store_batch_put_mailbox(&farewell->commit.batch, &farewell->record);
	if (count == 0 && farewell->err.code == 0) {
		store_batch_delete_mailbox(&farewell->commit.batch, farewell->record.id);
		farewell->mailbox->is_known = false;
	}
	farewell->commit.op.done = forgotten;
	store->ops->commit(store, &farewell->commit);
}

bool farewell_forget(struct farewell *farewell)
{
	sync_baseline_void(&farewell->record);
	forget_some(farewell);
	return true;
}

static void created(struct port_op *op, int code)
{
	struct farewell *farewell = container_of(op, struct farewell, create.op);

	farewell->mailbox->is_remote = code == 0;
	farewell_stepped(farewell, op, code);
}

static bool create_remote(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	farewell->mailbox->is_wanted = true;
	farewell->create = (struct remote_create_req){ .name = farewell->mailbox->name };
	farewell->create.op.done = created;
	tree->ports.remote->ops->create(tree->ports.remote, &farewell->create);
	return true;
}

static bool create_local(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);
	struct error err = { 0 };

	if (tree->ports.local->ops->create(tree->ports.local, farewell->mailbox->name, &err) != 0)
		farewell_fail(farewell, &err);
	farewell->mailbox->is_local = farewell->mailbox->is_wanted = true;
	return false;
}

bool farewell_make_remote_anew(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	if (!farewell->is_kept || !tree->options.may_create_remote ||
	    tree->options.direction == SYNC_PULL)
		return false;
	log_info(tree->options.account,
		 "%s: deleted on the server, but there are messages here that it never had: making "
		 "it there anew",
		 farewell->mailbox->name);
	return create_remote(farewell);
}

bool farewell_make_local_anew(struct farewell *farewell)
{
	struct sync_tree *tree = farewell_tree(farewell);

	if (!farewell->is_kept || !tree->options.may_create_local ||
	    tree->options.direction == SYNC_PUSH)
		return false;
	log_info(tree->options.account,
		 "%s: deleted here, but there are messages on the server that were never here: "
		 "making it anew",
		 farewell->mailbox->name);
	return create_local(farewell);
}

/* --- What is restored ------------------------------------------------------------------------ */

static void voided(struct port_op *op, int code)
{
	farewell_stepped(container_of(op, struct farewell, commit.op), op, code);
}

/* Before it is made: whatever number it gets, what the state knows of the one that was deleted is
 * not to be looked for in there. The next pass brings all that the other side has. */
bool farewell_void(struct farewell *farewell)
{
	struct store_port *store = farewell_tree(farewell)->ports.store;

	farewell->is_kept = true;
	if (farewell->record.uidvalidity != SYNC_BASELINE_VOID) /* by a run that was cut short */
		sync_baseline_void(&farewell->record);
	store_batch_put_mailbox(&farewell->commit.batch, &farewell->record);
	farewell->commit.op.done = voided;
	store->ops->commit(store, &farewell->commit);
	return true;
}

bool farewell_restore_remote(struct farewell *farewell)
{
	log_info(farewell_tree(farewell)->options.account,
		 "%s: deleted on the server, and to be restored there", farewell->mailbox->name);
	return create_remote(farewell);
}

bool farewell_restore_local(struct farewell *farewell)
{
	log_info(farewell_tree(farewell)->options.account, "%s: deleted here, and to be restored",
		 farewell->mailbox->name);
	return create_local(farewell);
}
