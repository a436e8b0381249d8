/* The maildir's part of moving messages: the mailboxes concerned opened, keywords put right, files
 * read, all of it made durable.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdio.h>

#include "syncd/must.h"

/* --- Sides ------------------------------------------------------------------------------- */

static void side_refuse(struct transfer_side *side, int code, const char *why)
{
	if (side->err.code == 0)
		error_set(&side->err, code, "%s", why);
}

static void side_open(struct transfer *transfer, struct transfer_side *side)
{
	struct sync_tree *tree = transfer_tree(transfer);
	struct tree_mailbox *mailbox = side->mailbox;
	struct error err = { 0 };
	int code = tree->ports.store->ops->mailbox_get(tree->ports.store, mailbox->name,
						       &side->is_known, &side->record, &err);

	if (code != 0 || !side->is_known) {
		side->is_known = false;
		side->record = (struct mailbox_record){ .id = 0 };
		(void)snprintf(side->record.name, sizeof(side->record.name), "%s", mailbox->name);
	}
	if (code == 0 && mailbox->is_local)
		code = tree->ports.local->ops->open(tree->ports.local, mailbox->name,
						    &side->record.keywords, &side->local, &err);
	if (code != 0)
		side->err = err;
}

void transfer_side_close(struct transfer_side *side)
{
	if (side->local != NULL)
		side->local->ops->close(side->local);
	keyword_table_free(&side->record.keywords);
	*side = (struct transfer_side){ .mailbox = NULL };
}

static struct transfer_side *side_of(struct transfer *transfer, struct tree_mailbox *mailbox)
{
	for (size_t i = 0; i < transfer->side_count; i++) {
		if (transfer->sides[i].mailbox == mailbox)
			return &transfer->sides[i];
	}
	struct transfer_side *side = &transfer->sides[transfer->side_count++];
	side->mailbox = mailbox;
	side->transfer = transfer;
	side_open(transfer, side);
	return side;
}

bool transfer_open_sides(struct transfer *transfer)
{
	struct sync_tree *tree = transfer_tree(transfer);
	const struct transfer_side *source =
		side_of(transfer, &tree->mailboxes[transfer->items[transfer->begin].from]);

	if (source->err.code != 0)
		transfer_fail(transfer, &source->err);
	for (size_t i = 0; i < transfer->group_count; i++) {
		struct transfer_group *group = &transfer->groups[i];
		const struct transfer_item *item = &transfer->items[group->begin];
		group->target = side_of(transfer, &tree->mailboxes[item->came->mailbox]);
		group->is_rename = !group->is_copy && group->target == source;
	}
	return false;
}

/* --- How the targets stand ------------------------------------------------------------------ */

/* Where both sides have messages that the state does not know yet, they are to be paired first:
 * behind a new UIDVALIDITY, what seems new here may be there long since. */
static void judge_status(struct transfer_side *side, const struct mailbox_status *status)
{
	struct mailbox_record *record = &side->record;

	if (record->uidvalidity != 0 && record->uidvalidity != status->uidvalidity)
		side_refuse(side, SYNCD_EVALIDITY, "its UIDVALIDITY changed");
	else if (record->uidvalidity == 0 && status->messages > 0)
		side_refuse(side, SYNCD_EMESSAGE, "it was never synchronised");
	else if (status->uidvalidity == 0 || status->uidnext == 0)
		side_refuse(side, SYNCD_EMESSAGE, "the server does not tell its UIDNEXT");
	if (record->uidvalidity != 0)
		return; /* and the UIDNEXT that was true once will do */
	record->uidvalidity = status->uidvalidity;
	record->uidnext = status->uidnext;
}

static void asked(struct port_op *op, int code);

/* Of the source SELECT tells, of others perhaps the list of mailboxes told. */
static bool ask_next(struct transfer *transfer)
{
	struct sync_tree *tree = transfer_tree(transfer);

	while (transfer->err.code == 0 && transfer->next < transfer->side_count) {
		struct transfer_side *side = &transfer->sides[transfer->next++];
		const struct mailbox_status *told = &side->mailbox->status;
		if (told->uidvalidity != 0 && told->uidnext != 0) {
			judge_status(side, told);
			continue;
		}
		transfer->status = (struct remote_status_req){ .name = side->mailbox->name };
		transfer->status.op.done = asked;
		tree->ports.remote->ops->status(tree->ports.remote, &transfer->status);
		return true;
	}
	return false;
}

static void asked(struct port_op *op, int code)
{
	struct transfer *transfer = container_of(op, struct transfer, status.op);
	struct transfer_side *side = &transfer->sides[transfer->next - 1];

	if (code == 0)
		judge_status(side, &transfer->status.status);
	else if (transfer_is_link_lost(code))
		transfer_fail(transfer, &op->err);
	else
		side->err = op->err;
	if (!ask_next(transfer))
		transfer_step(transfer);
}

bool transfer_ask_status(struct transfer *transfer)
{
	transfer->next = 1;
	return ask_next(transfer);
}

/* --- The files -------------------------------------------------------------------------------- */

/* A keyword's bit, and its letter in file names, are each mailbox's own. */
static uint64_t translate_flags(const struct keyword_table *from, struct keyword_table *to,
				uint64_t flags)
{
	uint64_t result = flags & FLAGS_SYSTEM;

	for (size_t i = 0; i < from->count; i++) {
		uint64_t bit = (uint64_t)1 << (FLAGS_SYSTEM_COUNT + i);
		if ((flags & bit) != 0)
			result |= keyword_table_intern(to, slice_of(from->names[i]));
	}
	return result;
}

static void translate_item(struct transfer *transfer, struct transfer_group *group,
			   struct transfer_item *item)
{
	struct transfer_side *target = group->target;
	struct error err = { 0 };

	item->flags = item->agreed;
	if (target == &transfer->sides[0] || (item->agreed & FLAGS_KEYWORDS) == 0)
		return;
	item->flags = translate_flags(&transfer->sides[0].record.keywords, &target->record.keywords,
				      item->agreed);
	int code = target->local->ops->set_keywords(target->local, item->came->name, item->flags,
						    &err);
	if (code == SYNCD_ENOTFOUND)
		item->is_void = true;
	else if (code != 0)
		group->err = err;
}

bool transfer_translate(struct transfer *transfer)
{
	for (size_t g = 0; g < transfer->group_count; g++) {
		struct transfer_group *group = &transfer->groups[g];
		for (size_t i = group->begin; i < group->end && transfer_is_due(transfer, group);
		     i++)
			translate_item(transfer, group, &transfer->items[i]);
	}
	return false;
}

static void examined(struct port_op *op, int code)
{
	struct transfer_item *item = container_of(op, struct transfer_item, examine.op);
	struct transfer *transfer = item->transfer;

	item->is_void |= code != 0 || item->examine.size_bytes != item->came->size_bytes ||
			 !digest_equals(&item->examine.identity, &item->came->identity);
	must(transfer->under_way > 0);
	if (--transfer->under_way == 0)
		transfer_step(transfer);
}

static void examine_group(struct transfer *transfer, const struct transfer_group *group)
{
	struct local_mailbox *local = group->target->local;

	for (size_t i = group->begin; i < group->end; i++) {
		struct transfer_item *item = &transfer->items[i];
		if (!item->is_rewritten)
			continue;
		transfer->under_way++;
		item->transfer = transfer;
		item->examine = (struct local_examine_req){ .name = item->came->name };
		item->examine.op.done = examined;
		local->ops->examine(local, &item->examine);
	}
}

bool transfer_examine(struct transfer *transfer)
{
	transfer->under_way = 0;
	for (size_t i = 0; i < transfer->group_count; i++) {
		if (transfer_is_due(transfer, &transfer->groups[i]))
			examine_group(transfer, &transfer->groups[i]);
	}
	return transfer->under_way > 0;
}

static void flushed(struct port_op *op, int code)
{
	struct transfer_side *side = container_of(op, struct transfer_side, flush.op);
	struct transfer *transfer = side->transfer;

	if (code != 0)
		transfer_fail(transfer, &op->err);
	must(transfer->under_way > 0);
	if (--transfer->under_way == 0)
		transfer_step(transfer);
}

bool transfer_flush(struct transfer *transfer)
{
	transfer->under_way = 0;
	for (size_t i = 0; i < transfer->side_count; i++)
		transfer->under_way += transfer->sides[i].local != NULL;
	bool is_waiting = transfer->under_way > 0;
	for (size_t i = 0; i < transfer->side_count; i++) {
		struct transfer_side *side = &transfer->sides[i];
		if (side->local == NULL)
			continue;
		side->flush.op.done = flushed;
		side->local->ops->flush(side->local, &side->flush);
	}
	return is_waiting;
}
