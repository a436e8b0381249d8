/* Renaming a mailbox on the side that is behind, and in the state. Whatever is interrupted
 * between these is, the next time, a mailbox that has the new name on both sides (boxes.c).
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdio.h>

#include "syncd/log.h"
#include "syncd/must.h"

/* --- Is it the same? ------------------------------------------------------------------- */

static size_t checked_at(const struct sync_tree *tree)
{
	return tree->boxes.next - 1;
}

/* A connection that breaks says nothing of the mailbox: taken for another, all of it would be
 * fetched again. The next run looks once more. */
static void check_failed(struct sync_tree *tree, const struct error *err)
{
	if (error_class_of(err->code) == ERROR_CLASS_RETRY)
		tree_fail(tree, err);
	else
		tree_note_failure(tree, err);
}

static void check_over(struct sync_tree *tree, bool is_same)
{
	struct boxes *boxes = &tree->boxes;

	if (boxes->remote != NULL)
		boxes->remote->ops->close(boxes->remote);
	boxes->remote = NULL;
	keyword_table_free(&boxes->record.keywords);
	boxes->items[checked_at(tree)].is_other = !is_same;
	boxes->next = is_same ? boxes->next : 0;
	boxes_checked(tree);
}

static void check_found(struct remote_identify_req *req, uint32_t uid,
			const struct digest *identity, uint64_t size_bytes, uint64_t flags)
{
	struct sync_tree *tree = container_of(req, struct sync_tree, boxes.identify);
	struct boxes *boxes = &tree->boxes;
	struct message_record record;
	struct error err = { 0 };
	bool is_known = false;

	(void)size_bytes;
	(void)flags;
	if (tree->ports.store->ops->message_get(tree->ports.store, boxes->record.id, uid, &is_known,
						&record, &err) != 0)
		tree_fail(tree, &err);
	else if (is_known && digest_equals(&record.identity, identity))
		boxes->alike++;
	else
		boxes->different++;
}

/* One that was made anew and got some of the old one's messages is another. */
static bool is_alike(const struct boxes *boxes)
{
	return boxes->alike > 0 && boxes->different == 0 &&
	       boxes->alike * 2 >= uidset_count(&boxes->uids);
}

static void check_identified(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.identify.op);

	if (code != 0)
		check_failed(tree, &op->err);
	check_over(tree, code == 0 && is_alike(&tree->boxes));
}

static int take_some_uids(struct sync_tree *tree, struct error *err)
{
	struct store_port *store = tree->ports.store;
	struct remote_flags some[BOXES_CHECK];
	size_t count = 0;
	int code = store->ops->messages_after(store, tree->boxes.record.id, 0, some, BOXES_CHECK,
					      &count, err);

	uidset_clear(&tree->boxes.uids);
	for (size_t i = 0; i < count; i++)
		must(uidset_add(&tree->boxes.uids, some[i].uid) == 0);
	return code;
}

static void check_opened(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.open.op);
	struct boxes *boxes = &tree->boxes;
	struct error err = { 0 };

	if (code != 0) {
		check_failed(tree, &op->err);
		check_over(tree, false);
		return;
	}
	boxes->remote = boxes->open.mailbox;
	if (take_some_uids(tree, &err) != 0) {
		tree_fail(tree, &err);
		check_over(tree, false);
		return;
	}
	boxes->alike = boxes->different = 0;
	boxes->identify = (struct remote_identify_req){
		.uids = &boxes->uids,
		.found = check_found,
	};
	boxes->identify.op.done = check_identified;
	boxes->remote->ops->identify(boxes->remote, &boxes->identify);
}

void boxes_check(struct sync_tree *tree, size_t at)
{
	struct boxes *boxes = &tree->boxes;

	boxes->record = tree->mailboxes[boxes->items[at].known].record;
	keyword_table_init(&boxes->record.keywords);
	boxes->open = (struct remote_open_req){
		.name = tree->mailboxes[at].name,
		.keywords = &boxes->record.keywords,
	};
	boxes->open.op.done = check_opened;
	tree->ports.remote->ops->open(tree->ports.remote, &boxes->open);
}

/* --- The rename -------------------------------------------------------------------------- */

static void rename_over(struct sync_tree *tree, const struct error *err)
{
	size_t at = checked_at(tree);
	struct tree_mailbox *mailbox = &tree->mailboxes[at];
	struct tree_mailbox *before = &tree->mailboxes[tree->boxes.items[at].known];

	if (err->code == 0) {
		before->is_known = before->is_remote = before->is_local = false;
		mailbox->is_known = mailbox->is_remote = mailbox->is_local = true;
		mailbox->is_unusable = before->is_unusable = false;
		mailbox->record = tree->boxes.record;
		keyword_table_init(&mailbox->record.keywords);
		if (tree->ops->vanished != NULL)
			tree->ops->vanished(tree, before->name);
	}
	keyword_table_free(&tree->boxes.record.keywords);
	boxes_renamed(tree, at, err);
}

static void rename_committed(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.commit.op);
	struct error err = { 0 };

	if (code != 0)
		err = op->err;
	rename_over(tree, &err);
}

/* Both sides have it under the new name: the state follows. */
static void rename_record(struct sync_tree *tree)
{
	struct boxes *boxes = &tree->boxes;
	const struct tree_mailbox *mailbox = &tree->mailboxes[checked_at(tree)];

	(void)snprintf(boxes->record.name, sizeof(boxes->record.name), "%s", mailbox->name);
	store_batch_put_mailbox(&boxes->commit.batch, &boxes->record);
	boxes->commit.op.done = rename_committed;
	tree->ports.store->ops->commit(tree->ports.store, &boxes->commit);
}

static void rename_looked(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.status.op);

	if (code != 0)
		rename_over(tree, &op->err);
	else
		rename_record(tree);
}

/* One that is not there any more may have gone with the mailbox above it. */
static void rename_answered(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.rename.op);
	struct boxes *boxes = &tree->boxes;

	if (code == 0) {
		rename_record(tree);
	} else if (code == SYNCD_ENOTFOUND) {
		boxes->status = (struct remote_status_req){ .name = boxes->rename.to };
		boxes->status.op.done = rename_looked;
		tree->ports.remote->ops->status(tree->ports.remote, &boxes->status);
	} else {
		rename_over(tree, &op->err);
	}
}

static void rename_remote(struct sync_tree *tree, const char *from, const char *to)
{
	struct boxes *boxes = &tree->boxes;

	log_info(tree->options.account, "%s: renaming it to %s on the server", from, to);
	boxes->rename = (struct remote_rename_req){ .from = from, .to = to };
	boxes->rename.op.done = rename_answered;
	tree->ports.remote->ops->rename(tree->ports.remote, &boxes->rename);
}

static void rename_local(struct sync_tree *tree, const char *from, const char *to)
{
	struct error err = { 0 };

	log_info(tree->options.account, "%s: renaming it to %s in the maildir", from, to);
	if (tree->ports.local->ops->rename(tree->ports.local, from, to, &err) != 0)
		rename_over(tree, &err);
	else
		rename_record(tree);
}

void boxes_rename(struct sync_tree *tree, size_t at)
{
	struct boxes *boxes = &tree->boxes;
	const struct sync_box *box = &boxes->items[at];
	struct store_port *store = tree->ports.store;
	struct error err = { 0 };
	bool is_known = false;
	int code = store->ops->mailbox_get(store, tree->mailboxes[box->known].name, &is_known,
					   &boxes->record, &err);

	if (code == 0 && !is_known) {
		keyword_table_init(&boxes->record.keywords);
		code = error_set(&err, SYNCD_EBUG, "the state lost it");
	}
	if (code != 0)
		rename_over(tree, &err);
	else if (box->action == BOX_RENAME_REMOTE)
		rename_remote(tree, tree->mailboxes[box->from].name, tree->mailboxes[at].name);
	else if (box->action == BOX_RENAME_LOCAL)
		rename_local(tree, tree->mailboxes[box->from].name, tree->mailboxes[at].name);
	else
		rename_record(tree);
}
