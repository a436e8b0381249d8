/* Moves and copies of files, carried out on the server. All that left one mailbox is a batch:
 * flushed and journalled together (DESIGN 5), sent in one go, and recorded together. What goes
 * wrong here is left to the passes, to which it is a new message and one that is gone.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "syncd/log.h"
#include "syncd/must.h"

static void transfer_next(struct transfer *transfer);

void transfer_fail(struct transfer *transfer, const struct error *err)
{
	if (transfer->err.code == 0)
		transfer->err = *err;
}

static void stepped(struct transfer *transfer, const struct port_op *op, int code)
{
	if (code != 0)
		transfer_fail(transfer, &op->err);
	transfer_step(transfer);
}

bool transfer_is_link_lost(int code)
{
	enum error_class class = error_class_of(code);

	return class == ERROR_CLASS_RETRY || class == ERROR_CLASS_AUTH;
}

bool transfer_is_due(const struct transfer *transfer, const struct transfer_group *group)
{
	return transfer->err.code == 0 && group->err.code == 0 && group->target->err.code == 0;
}

/* --- The journal, and the records ------------------------------------------------------------- */

static void committed(struct port_op *op, int code)
{
	stepped(container_of(op, struct transfer, commit.op), op, code);
}

static bool commit(struct transfer *transfer)
{
	struct sync_tree *tree = transfer_tree(transfer);

	if (transfer->commit.batch.count == 0)
		return false;
	transfer->commit.op.done = committed;
	tree->ports.store->ops->commit(tree->ports.store, &transfer->commit);
	return true;
}

/* A mailbox that is new to the state, or got a keyword, goes with what refers to it. */
static void journal_side(struct transfer *transfer, struct transfer_side *side)
{
	struct store_port *store = transfer_tree(transfer)->ports.store;

	if (side->err.code != 0)
		return;
	if (!side->is_known)
		side->record.id = store->ops->mailbox_new_id(store);
	side->is_known = true;
	store_batch_put_mailbox(&transfer->commit.batch, &side->record);
}

static void journal_item(struct transfer *transfer, const struct transfer_group *group,
			 const struct transfer_item *item, int64_t looked_s)
{
	const struct mailbox_record *source = &transfer->sides[0].record;
	const struct mailbox_record *target = &group->target->record;
	struct store_batch *batch = &transfer->commit.batch;
	struct journal_record record = {
		.kind = JOURNAL_APPEND,
		.flags = item->flags,
		.uidvalidity = target->uidvalidity,
		.uidnext = target->uidnext,
		.size_bytes = item->came->size_bytes,
		.identity = item->came->identity,
		.looked_s = looked_s,
	};

	(void)snprintf(record.name, sizeof(record.name), "%s", item->came->name);
	store_batch_put_journal(batch, target->id, &record);
	if (!item->is_copy)
		store_batch_put_expunge(batch, source->id, source->uidvalidity, item->uid,
					looked_s);
}

/* As of an upload: should the answer be lost, the target's next pass looks whether they came. And
 * as of a removal, whose outcome the source's next pass makes out when it is not told here. */
static bool journal(struct transfer *transfer)
{
	for (size_t i = 0; i < transfer->side_count; i++)
		journal_side(transfer, &transfer->sides[i]);
	for (size_t g = 0; g < transfer->group_count; g++) {
		const struct transfer_group *group = &transfer->groups[g];
		for (size_t i = group->begin;
		     i < group->end && !group->is_rename && transfer_is_due(transfer, group); i++) {
			if (!transfer->items[i].is_void)
				journal_item(transfer, group, &transfer->items[i], 0);
		}
	}
	transfer->is_journalled = true;
	return commit(transfer);
}

/* A copy has its original's (RFC 8474 §5.1); where servers make another of it, that finds nothing.
 */
static uint64_t email_id_of(struct transfer *transfer, uint32_t uid)
{
	struct store_port *store = transfer_tree(transfer)->ports.store;
	const struct mailbox_record *source = &transfer->sides[0].record;
	struct message_record original = { .email_id = 0 };
	struct error err = { 0 };
	bool is_there = false;

	if (source->email_uidnext > 0 &&
	    store->ops->message_get(store, source->id, uid, &is_there, &original, &err) != 0)
		return 0; /* the target's pass asks for it */
	return is_there ? original.email_id : 0;
}

static void record_message(struct transfer *transfer, const struct transfer_group *group,
			   const struct transfer_item *item, uint32_t uid)
{
	struct message_record record = {
		.uid = uid,
		.flags = item->flags,
		.size_bytes = item->came->size_bytes,
		.identity = item->came->identity,
		.email_id = email_id_of(transfer, item->uid),
	};

	(void)snprintf(record.name, sizeof(record.name), "%s", item->came->name);
	store_batch_put_message(&transfer->commit.batch, group->target->record.id, &record);
}

static void record_departure(struct transfer *transfer, const struct transfer_item *item)
{
	struct store_batch *batch = &transfer->commit.batch;

	store_batch_delete_message(batch, transfer->sides[0].record.id, item->uid);
	store_batch_delete_expunge(batch, transfer->sides[0].record.id, item->uid);
}

/* Not told where, or refused, which need not mean that nothing was done (it may be the removal that
 * was): the target's pass looks for it. */
static bool is_open(const struct transfer_group *group, const struct transfer_item *item)
{
	return group->is_sent && item->target_uid == 0 &&
	       (group->request.target_uidvalidity == 0 || group->err.code != 0);
}

static void record_item(struct transfer *transfer, const struct transfer_group *group,
			const struct transfer_item *item)
{
	if (item->is_void)
		return;
	if (is_open(group, item))
		journal_item(transfer, group, item, JOURNAL_ANSWERED);
	/* Gone from the source, it is not to be missed there: its file, moved back meanwhile, would
	 * be taken for a message that was deleted on the server. */
	if (!item->is_copy && group->is_removed && (item->target_uid != 0 || group->err.code == 0))
		record_departure(transfer, item);
	if (is_open(group, item))
		return;
	if (item->target_uid != 0)
		record_message(transfer, group, item, item->target_uid);
	store_batch_delete_journal(&transfer->commit.batch, group->target->record.id,
				   JOURNAL_APPEND, item->came->name);
}

static void record_group(struct transfer *transfer, struct transfer_group *group)
{
	uint32_t validity = group->request.target_uidvalidity;

	if (validity != 0 && validity != group->target->record.uidvalidity) {
		error_set(&group->err, SYNCD_EVALIDITY, "its UIDVALIDITY changed");
		return;
	}
	for (size_t i = group->begin; i < group->end; i++) {
		if (!group->is_rename)
			record_item(transfer, group, &transfer->items[i]);
		else if (!transfer->items[i].is_void)
			record_message(transfer, group, &transfer->items[i],
				       transfer->items[i].uid);
	}
}

/* What the session's end left open stays in the journal. */
static bool record(struct transfer *transfer)
{
	for (size_t i = 0; transfer->is_journalled && i < transfer->group_count; i++) {
		struct transfer_group *group = &transfer->groups[i];
		bool is_over = group->is_sent || (group->is_rename && group->err.code == 0);
		if (is_over && group->target->err.code == 0 &&
		    !transfer_is_link_lost(group->err.code))
			record_group(transfer, group);
	}
	return commit(transfer);
}

/* --- The order -------------------------------------------------------------------------------- */

/* Each starts something, and is stepped on when that is done, or returns false. */
struct transfer_step {
	const char *name;
	bool (*start)(struct transfer *transfer);
	bool is_for_outcome; /* also behind a failure: other groups may have been carried out */
};

static const struct transfer_step steps[] = {
	{ "open maildirs", transfer_open_sides, false },
	{ "status", transfer_ask_status, false },
	{ "keywords", transfer_translate, false },
	{ "examine", transfer_examine, false },
	{ "flush", transfer_flush, false },
	{ "select", transfer_open, false },
	{ "journal", journal, false },
	{ "send", transfer_send, false },
	{ "expunge", transfer_expunge, false },
	{ "record", record, true },
};

static void log_group(struct transfer *transfer, const struct transfer_group *group)
{
	struct sync_tree *tree = transfer_tree(transfer);
	const char *from = tree->mailboxes[transfer->items[group->begin].from].name;
	const char *to = tree->mailboxes[transfer->items[group->begin].came->mailbox].name;
	const char *what = group->is_copy ? "copied" : group->is_rename ? "renamed" : "moved";
	const struct error *err = &transfer->err;
	char text[ERROR_FORMAT_MAX];

	if (err->code == 0)
		err = &group->err;
	if (err->code == 0 && group->target != NULL)
		err = &group->target->err;
	if (err->code == 0)
		log_info(tree->options.account, "%s: %zu messages %s to %s", from,
			 group->end - group->begin, what, to);
	else
		log_info(tree->options.account, "%s: %zu messages cannot be %s to %s: %s", from,
			 group->end - group->begin, what, to,
			 error_format(err, text, sizeof(text)));
}

/* What the server told before, of either, is no longer so. One that a side lacks has no passes:
 * made there anew meanwhile, it would be filled again, and then deleted here. */
static void want_pass(struct tree_mailbox *mailbox)
{
	mailbox->is_remote_quiet = false;
	mailbox->is_wanted |= mailbox->is_local && mailbox->is_remote;
}

/* Both mailboxes have to be looked at by their passes; a failure of the link is the tree's. */
static void batch_over(struct transfer *transfer)
{
	struct sync_tree *tree = transfer_tree(transfer);

	for (size_t i = 0; i < transfer->group_count; i++) {
		const struct transfer_item *item = &transfer->items[transfer->groups[i].begin];
		log_group(transfer, &transfer->groups[i]);
		want_pass(&tree->mailboxes[item->from]);
		want_pass(&tree->mailboxes[item->came->mailbox]);
		uidset_free(&transfer->groups[i].uids);
	}
	if (transfer->remote != NULL)
		transfer->remote->ops->close(transfer->remote);
	transfer->remote = NULL;
	for (size_t i = 0; i < transfer->side_count; i++)
		transfer_side_close(&transfer->sides[i]);
	transfer->side_count = 0;
	store_batch_free(&transfer->commit.batch);
	tree_note_failure(tree, &transfer->err);
	transfer_next(transfer);
}

void transfer_step(struct transfer *transfer)
{
	while (transfer->step < ARRAY_LEN(steps)) {
		const struct transfer_step *step = &steps[transfer->step++];
		bool is_due = transfer->err.code == 0 || step->is_for_outcome;
		if (is_due && step->start(transfer))
			return;
	}
	batch_over(transfer);
}

static bool is_same_group(const struct transfer_item *a, const struct transfer_item *b)
{
	return a->is_copy == b->is_copy && a->came->mailbox == b->came->mailbox;
}

/* Takes the next item into the batch, unless that is full or its source another one. */
static bool take_item(struct transfer *transfer, size_t *rewritten)
{
	const struct transfer_item *first = &transfer->items[transfer->begin];
	const struct transfer_item *item = &transfer->items[transfer->end];
	struct transfer_group *group = NULL;

	if (item->from != first->from ||
	    transfer->end - transfer->begin == TRANSFER_BATCH_MESSAGES ||
	    *rewritten == TRANSFER_BATCH_REWRITTEN)
		return false;
	if (transfer->group_count > 0)
		group = &transfer->groups[transfer->group_count - 1];
	if (group == NULL || !is_same_group(&transfer->items[group->begin], item)) {
		if (transfer->group_count == TRANSFER_BATCH_GROUPS)
			return false;
		group = &transfer->groups[transfer->group_count++];
		*group = (struct transfer_group){
			.begin = transfer->end,
			.is_copy = item->is_copy,
			.transfer = transfer,
		};
		uidset_init(&group->uids);
	}
	*rewritten += item->is_rewritten;
	group->end = ++transfer->end;
	return true;
}

static void transfer_next(struct transfer *transfer)
{
	struct sync_tree *tree = transfer_tree(transfer);
	size_t rewritten = 0;

	transfer->begin = transfer->end;
	if (tree->err.code != 0 || transfer->begin == transfer->count) {
		tree_piece_done(tree);
		return;
	}
	error_clear(&transfer->err);
	transfer->group_count = 0;
	transfer->is_journalled = false;
	transfer->step = 0;
	while (transfer->end < transfer->count && take_item(transfer, &rewritten))
		continue;
	transfer_step(transfer);
}

void transfer_start(struct sync_tree *tree)
{
	struct error err = { 0 };

	uidset_init(&tree->transfer.uids);
	store_batch_init(&tree->transfer.commit.batch);
	if (transfer_find(tree, &err) != 0)
		tree_fail(tree, &err);
	transfer_next(&tree->transfer);
}

void transfer_cancel(struct transfer *transfer)
{
	if (transfer->remote != NULL)
		transfer->remote->ops->cancel(transfer->remote);
	for (size_t i = 0; i < transfer->side_count; i++) {
		if (transfer->sides[i].local != NULL)
			transfer->sides[i].local->ops->cancel(transfer->sides[i].local);
	}
}

void transfer_free(struct transfer *transfer)
{
	must(transfer->remote == NULL && transfer->side_count == 0);
	free(transfer->items);
	uidset_free(&transfer->uids);
	store_batch_free(&transfer->commit.batch);
}
