/* A message that came to this mailbox on the server, and whose like is in the maildir: its file
 * gets another name and nothing is fetched. The server says so by the email_id, and as two messages
 * with one would be one mail lost, the sizes have to agree as well. What is moved is linked like
 * that first and removed where it was by that mailbox's pass. SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define PLACES_MAX 8 /* copies of one message that are looked at */

void deliver_links_free(struct deliver_links *links)
{
	free(links->items);
	keyword_table_free(&links->source.keywords);
}

bool deliver_links_are_over(const struct deliver *deliver)
{
	return deliver->links.next == deliver->links.count;
}

uint64_t deliver_email_id(const struct deliver *deliver, uint32_t uid)
{
	const struct deliver_links *links = &deliver->links;
	size_t low = 0;
	size_t high = links->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (links->items[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < links->count && links->items[low].uid == uid ? links->items[low].email_id : 0;
}

/* --- Asking ---------------------------------------------------------------------------- */

static int compare_links(const void *a, const void *b)
{
	const struct deliver_link *left = a;
	const struct deliver_link *right = b;

	return (left->uid > right->uid) - (left->uid < right->uid);
}

static void links_found(struct remote_email_ids_req *req, uint32_t uid, uint64_t email_id,
			uint64_t size_bytes)
{
	struct sync_pass *pass = container_of(req, struct sync_pass, deliver.links.ids);
	struct deliver_links *links = &pass->deliver.links;

	if (!uidset_contains(&pass->deliver.missing, uid))
		return;
	links->items = xgrow(links->items, links->count, &links->cap, sizeof(*links->items));
	links->items[links->count++] = (struct deliver_link){ uid, email_id, size_bytes };
}

/* They stay where they are, and are not to be asked for. */
static void leave_too_large(struct sync_pass *pass)
{
	struct deliver *deliver = &pass->deliver;
	struct deliver_links *links = &deliver->links;
	uint64_t max = pass->options.max_size_bytes;
	size_t kept = 0;

	for (size_t i = 0; i < links->count; i++) {
		const struct deliver_link *link = &links->items[i];
		if (max > 0 && link->size_bytes > max) {
			pass_leave_too_large(pass, &pass->change.batch, link->uid,
					     link->size_bytes);
			must(uidset_remove_range(&deliver->missing, link->uid, link->uid) == 0);
		} else if (link->email_id != 0) {
			links->items[kept++] = *link;
		}
	}
	links->count = kept;
}

/* A server that refuses to tell has its messages fetched. */
static void links_told(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, deliver.links.ids.op);
	struct deliver_links *links = &pass->deliver.links;

	if (code != 0 && code != SYNCD_EMESSAGE)
		pass_fail(pass, &op->err);
	leave_too_large(pass);
	if (links->count > 1)
		qsort(links->items, links->count, sizeof(*links->items), compare_links);
	deliver_continue(pass);
}

void deliver_links_start(struct sync_pass *pass)
{
	struct deliver_links *links = &pass->deliver.links;

	links->ids.op.done = links_told;
	links->ids.uids = &pass->deliver.missing;
	links->ids.found = links_found;
	pass->remote->ops->email_ids(pass->remote, &links->ids);
}

/* --- Linking ----------------------------------------------------------------------------- */

struct source_search {
	uint32_t id;
	struct mailbox_record *found;
};

static void source_seen(void *context, const struct mailbox_record *mailbox)
{
	struct source_search *search = context;

	if (mailbox->id != search->id)
		return;
	*search->found = *mailbox;
	keyword_table_init(&search->found->keywords);
	keyword_table_copy(&search->found->keywords, &mailbox->keywords);
}

/* The mailbox of that id; most that came are from the one before. NULL: there is none. */
static const struct mailbox_record *find_source(struct sync_pass *pass, uint32_t id,
						struct error *err)
{
	struct mailbox_record *source = &pass->deliver.links.source;
	struct source_search search = { .id = id, .found = source };
	struct store_port *store = pass->ports.store;

	if (source->id == id)
		return source;
	keyword_table_free(&source->keywords);
	*source = (struct mailbox_record){ .id = 0 };
	if (store->ops->mailbox_each(store, source_seen, &search, err) != 0)
		return NULL;
	return source->id == id ? source : NULL;
}

/* Links the file of one copy that is here; false when that cannot be done. */
static bool link_place(struct sync_pass *pass, const struct deliver_link *link,
		       const struct message_place *place, struct error *err)
{
	struct store_port *store = pass->ports.store;
	struct message_record original;
	struct message_record record = { .uid = link->uid, .email_id = link->email_id };
	bool is_there = false;

	if (store->ops->message_get(store, place->mailbox_id, place->uid, &is_there, &original,
				    err) != 0 ||
	    !is_there || original.size_bytes != link->size_bytes)
		return false;
	const struct mailbox_record *source = find_source(pass, place->mailbox_id, err);
	if (source == NULL || pass->local->ops->link(pass->local, source, original.name,
						     original.flags, record.name, err) != 0)
		return false;
	record.size_bytes = original.size_bytes;
	record.identity = original.identity;
	must(uidset_add(&pass->deliver.linked, link->uid) == 0);
	deliver_take(pass, &record);
	return true;
}

static void link_one(struct sync_pass *pass, const struct deliver_link *link)
{
	struct store_port *store = pass->ports.store;
	struct message_place places[PLACES_MAX];
	struct error err = { 0 };
	char text[ERROR_FORMAT_MAX];
	size_t count = 0;
	bool is_linked = false;

	if (store->ops->messages_by_email_id(store, link->email_id, places, PLACES_MAX, &count,
					     &err) != 0)
		count = 0;
	for (size_t i = 0; i < count && !is_linked; i++)
		is_linked = link_place(pass, link, &places[i], &err);
	if (!is_linked && err.code != 0)
		log_debug(pass->options.account, "%s: UID %u has to be fetched: %s", pass->name,
			  link->uid, error_format(&err, text, sizeof(text)));
}

void deliver_links_take(struct sync_pass *pass)
{
	struct deliver_links *links = &pass->deliver.links;

	while (links->next < links->count && !deliver_is_full(pass))
		link_one(pass, &links->items[links->next++]);
}
