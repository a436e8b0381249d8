/* The server's part of moving messages: one source opened, all its groups sent at once. A single
 * group goes by MOVE; several are copied and then removed together, as each removal may make a
 * server read the whole mailbox again (Dovecot with maildirs does).
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include "syncd/must.h"

static bool is_to_be_sent(const struct transfer *transfer, const struct transfer_group *group)
{
	return transfer_is_due(transfer, group) && !group->is_rename;
}

/* --- The source ------------------------------------------------------------------------- */

static void opened(struct port_op *op, int code)
{
	struct transfer *transfer = container_of(op, struct transfer, open.op);

	if (code == 0)
		transfer->remote = transfer->open.mailbox;
	if (code == 0 && transfer->open.uidvalidity != transfer->sides[0].record.uidvalidity)
		code = error_set(&op->err, SYNCD_EVALIDITY, "UIDVALIDITY of the source changed");
	else if (code == 0 && transfer->open.is_read_only)
		code = error_set(&op->err, SYNCD_EMESSAGE, "the source is read-only");
	if (code != 0)
		transfer_fail(transfer, &op->err);
	transfer_step(transfer);
}

bool transfer_open(struct transfer *transfer)
{
	struct sync_tree *tree = transfer_tree(transfer);
	bool is_any = false;

	for (size_t i = 0; i < transfer->group_count; i++)
		is_any |= is_to_be_sent(transfer, &transfer->groups[i]);
	if (!is_any)
		return false;
	transfer->open = (struct remote_open_req){
		.name = transfer->sides[0].mailbox->name,
		.keywords = &transfer->sides[0].record.keywords,
	};
	transfer->open.op.done = opened;
	tree->ports.remote->ops->open(tree->ports.remote, &transfer->open);
	return true;
}

/* --- The groups ---------------------------------------------------------------------------- */

/* They are sorted by UID; one of them that is told is so once. */
static struct transfer_item *find_item(const struct transfer_group *group, uint32_t uid)
{
	struct transfer_item *items = group->transfer->items;
	size_t low = group->begin;
	size_t high = group->end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (items[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < group->end && items[low].uid == uid; low++) {
		if (!items[low].is_void && items[low].target_uid == 0)
			return &items[low];
	}
	return NULL;
}

static bool is_anothers(struct transfer_group *group, uint32_t uid)
{
	struct store_port *store = transfer_tree(group->transfer)->ports.store;
	const struct mailbox_record *target = &group->target->record;
	struct message_record record;
	struct error err = { 0 };
	bool is_known = false;

	if (uid >= target->uidnext)
		return false;
	return store->ops->message_get(store, target->id, uid, &is_known, &record, &err) != 0 ||
	       is_known;
}

/* The UID of a message known before is none of a copy: in the state it would take the place of the
 * one whose it is. */
static void transferred(struct remote_transfer_req *req, uint32_t uid, uint32_t target_uid)
{
	struct transfer_group *group = container_of(req, struct transfer_group, request);
	struct transfer_item *item = find_item(group, uid);

	if (is_anothers(group, target_uid))
		group->is_doubted = true;
	else if (item != NULL)
		item->target_uid = target_uid;
}

static void sent(struct port_op *op, int code)
{
	struct transfer_group *group = container_of(op, struct transfer_group, request.op);
	struct transfer *transfer = group->transfer;

	if (code != 0)
		group->err = op->err;
	if (transfer_is_link_lost(code))
		transfer_fail(transfer, &op->err);
	group->is_removed = group->request.is_removed;
	if (group->is_doubted)
		group->request.target_uidvalidity = 0; /* as if it had not been told */
	must(transfer->under_way > 0);
	if (--transfer->under_way == 0)
		transfer_step(transfer);
}

static void group_fill(struct transfer *transfer, struct transfer_group *group)
{
	for (size_t i = group->begin; i < group->end; i++) {
		if (!transfer->items[i].is_void)
			must(uidset_add(&group->uids, transfer->items[i].uid) == 0);
	}
}

static void group_send(struct transfer *transfer, struct transfer_group *group, bool is_move)
{
	group->is_sent = true;
	group->request = (struct remote_transfer_req){
		.uids = &group->uids,
		.target = group->target->mailbox->name,
		.is_move = is_move,
		.transferred = transferred,
	};
	group->request.op.done = sent;
	transfer->remote->ops->transfer(transfer->remote, &group->request);
}

static size_t count_moves(const struct transfer *transfer)
{
	size_t count = 0;

	for (size_t i = 0; i < transfer->group_count; i++)
		count += is_to_be_sent(transfer, &transfer->groups[i]) &&
			 !transfer->groups[i].is_copy;
	return count;
}

bool transfer_send(struct transfer *transfer)
{
	bool is_single = count_moves(transfer) == 1;

	transfer->under_way = 0;
	for (size_t i = 0; i < transfer->group_count; i++) {
		struct transfer_group *group = &transfer->groups[i];
		if (!is_to_be_sent(transfer, group))
			continue;
		group_fill(transfer, group);
		if (uidset_is_empty(&group->uids))
			continue;
		transfer->under_way++;
		group_send(transfer, group, is_single && !group->is_copy);
	}
	return transfer->under_way > 0;
}

/* --- What was copied to be moved ---------------------------------------------------------------
 */

static bool is_copied(const struct transfer_group *group)
{
	return group->is_sent && !group->is_copy && !group->request.is_move && group->err.code == 0;
}

static void expunged(struct port_op *op, int code)
{
	struct transfer *transfer = container_of(op, struct transfer, expunge.op);

	for (size_t i = 0; i < transfer->group_count; i++)
		transfer->groups[i].is_removed |= code == 0 && is_copied(&transfer->groups[i]);
	if (transfer_is_link_lost(code))
		transfer_fail(transfer, &op->err);
	transfer_step(transfer);
}

/* Those that the server says it has in the target now; without UIDPLUS, all that it was asked to
 * copy and accepted. */
static void add_copied(struct transfer *transfer, const struct transfer_group *group)
{
	for (size_t i = group->begin; is_copied(group) && i < group->end; i++) {
		const struct transfer_item *item = &transfer->items[i];
		if (!item->is_void &&
		    (item->target_uid != 0 || group->request.target_uidvalidity == 0))
			must(uidset_add(&transfer->uids, item->uid) == 0);
	}
}

bool transfer_expunge(struct transfer *transfer)
{
	uidset_clear(&transfer->uids);
	for (size_t i = 0; i < transfer->group_count; i++)
		add_copied(transfer, &transfer->groups[i]);
	if (uidset_is_empty(&transfer->uids))
		return false;
	transfer->expunge = (struct remote_expunge_req){ .uids = &transfer->uids };
	transfer->expunge.op.done = expunged;
	transfer->remote->ops->expunge(transfer->remote, &transfer->expunge);
	return true;
}
