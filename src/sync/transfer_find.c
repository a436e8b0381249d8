/* Which files that came are moved or copied messages of the account.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

#define PLACES_MAX 16 /* copies of one message that are looked at */

static void add_item(struct transfer *transfer, const struct transfer_item *item)
{
	transfer->items =
		xgrow(transfer->items, transfer->count, &transfer->cap, sizeof(*transfer->items));
	transfer->items[transfer->count++] = *item;
}

static void add_move(struct transfer *transfer, const struct sync_came *came,
		     const struct sync_gone *gone)
{
	add_item(transfer, &(struct transfer_item){
				   .came = came,
				   .from = gone->mailbox,
				   .uid = gone->uid,
				   .agreed = gone->flags,
				   .is_rewritten = strcmp(gone->name, came->name) != 0,
			   });
}

static const struct tree_mailbox *find_id(struct sync_tree *tree, uint32_t id)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->mailboxes[i].is_known && tree->mailboxes[i].record.id == id)
			return &tree->mailboxes[i];
	}
	return NULL;
}

/* The first message of the account that this one is a copy of; false when there is none. */
static int find_original(struct sync_tree *tree, const struct sync_came *came, bool *is_found,
			 struct transfer_item *item, struct error *err)
{
	struct store_port *store = tree->ports.store;
	struct message_place places[PLACES_MAX];
	struct message_record record;
	size_t count = 0;
	int code = store->ops->messages_by_identity(store, &came->identity, places, PLACES_MAX,
						    &count, err);

	*is_found = false;
	for (size_t i = 0; code == 0 && i < count && !*is_found; i++) {
		const struct tree_mailbox *from = find_id(tree, places[i].mailbox_id);
		bool is_there = false;
		if (from == NULL)
			continue;
		code = store->ops->message_get(store, places[i].mailbox_id, places[i].uid,
					       &is_there, &record, err);
		*is_found = code == 0 && is_there &&
			    sync_is_same_message(came, &record.identity, record.size_bytes,
						 record.flags, record.name);
		*item = (struct transfer_item){
			.came = came,
			.from = (size_t)(from - tree->mailboxes),
			.uid = record.uid,
			.agreed = record.flags,
			.is_copy = true,
			.is_rewritten = true,
		};
	}
	return code;
}

static int compare_items(const void *a, const void *b)
{
	const struct transfer_item *left = a;
	const struct transfer_item *right = b;

	if (left->from != right->from)
		return left->from > right->from ? 1 : -1;
	if (left->is_copy != right->is_copy)
		return left->is_copy ? -1 : 1;
	if (left->came->mailbox != right->came->mailbox)
		return left->came->mailbox > right->came->mailbox ? 1 : -1;
	if (left->uid != right->uid)
		return left->uid > right->uid ? 1 : -1;
	return strcmp(left->came->name, right->came->name);
}

int transfer_find(struct sync_tree *tree, struct error *err)
{
	const struct sync_moves *moves = &tree->survey.moves;
	struct transfer *transfer = &tree->transfer;
	struct transfer_item item;
	int code = 0;

	for (size_t i = 0; code == 0 && i < moves->came_count; i++) {
		const struct sync_came *came = &moves->came[i];
		bool is_copy = false;
		if (came->was != SYNC_NOT_MOVED) {
			add_move(transfer, came, &moves->gone[came->was]);
			continue;
		}
		/* The server copies with the flags that the original has there by now (RFC 3501
		 * §6.4.7): marked as deleted by somebody else, it would take the copy along. */
		if (!tree->options.expunges_deleted)
			code = find_original(tree, came, &is_copy, &item, err);
		if (is_copy)
			add_item(transfer, &item);
	}
	if (transfer->count > 1)
		qsort(transfer->items, transfer->count, sizeof(*transfer->items), compare_items);
	return code;
}
