/* A maildrop's messages: LIST and UIDL in one pipe, brought together by the numbers (RFC 1939 §5,
 * §7).
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "maildrop_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

/* What one line told, or both. */
struct list_entry {
	uint32_t number;
	uint32_t uid_len; /* 0: UIDL did not name it */
	size_t uid_at;
	uint64_t size_bytes;
	bool is_sized; /* LIST named it */
};

struct list_work {
	struct maildrop_work work;
	struct maildrop_list_req *req;
	struct pop3_listing list;
	struct pop3_listing uidl;
	struct list_entry *entries;
	size_t count;
	size_t cap;
	size_t cursor;   /* UIDL mostly names them in the order that LIST had */
	struct buf uids; /* one behind the other */
	bool is_listed;  /* LIST is done */
	bool has_uids;
};

static struct list_entry *entry_add(struct list_work *list, uint32_t number)
{
	list->entries = xgrow(list->entries, list->count, &list->cap, sizeof(*list->entries));
	list->entries[list->count] = (struct list_entry){ .number = number };
	return &list->entries[list->count++];
}

static void list_sized(struct pop3_listing *listing, uint32_t number, uint64_t size_bytes)
{
	struct list_entry *entry = entry_add(container_of(listing, struct list_work, list), number);

	entry->size_bytes = size_bytes;
	entry->is_sized = true;
}

static void list_named(struct pop3_listing *listing, uint32_t number, struct slice uid)
{
	struct list_work *list = container_of(listing, struct list_work, uidl);
	struct list_entry *entry;

	if (list->cursor < list->count && list->entries[list->cursor].number == number &&
	    list->entries[list->cursor].uid_len == 0)
		entry = &list->entries[list->cursor++];
	else
		entry = entry_add(list, number);
	entry->uid_at = list->uids.len;
	entry->uid_len = (uint32_t)uid.len;
	must(buf_add(&list->uids, uid.data, uid.len) == 0);
}

/* --- Bringing them together ---------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
	const struct list_entry *left = a;
	const struct list_entry *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return (left->uid_at > right->uid_at) - (left->uid_at < right->uid_at);
}

static struct slice uid_of(const struct list_work *list, const struct list_entry *entry)
{
	if (entry->uid_len == 0)
		return SLICE_LITERAL("");
	return (struct slice){ list->uids.data + entry->uid_at, entry->uid_len };
}

/* Adds what another line said of the same message. False when it named it differently: then nobody
 * knows what the message is called. */
static bool entry_join(const struct list_work *list, struct list_entry *entry,
		       const struct list_entry *more)
{
	if (more->is_sized && !entry->is_sized) {
		entry->size_bytes = more->size_bytes;
		entry->is_sized = true;
	}
	if (more->uid_len == 0)
		return true;
	if (entry->uid_len == 0) {
		entry->uid_at = more->uid_at;
		entry->uid_len = more->uid_len;
	}
	return slice_equals(uid_of(list, entry), uid_of(list, more));
}

static bool entries_are_sorted(const struct list_work *list)
{
	for (size_t i = 1; i < list->count; i++) {
		if (compare_entries(&list->entries[i - 1], &list->entries[i]) > 0)
			return false;
	}
	return true;
}

/* Each number once, in order: most servers tell them so. */
static void entries_join(struct list_work *list)
{
	size_t kept = 0;

	if (!entries_are_sorted(list))
		qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && list->entries[kept - 1].number == list->entries[i].number)
			list->req->is_complete &=
				entry_join(list, &list->entries[kept - 1], &list->entries[i]);
		else
			list->entries[kept++] = list->entries[i];
	}
	list->count = kept;
}

static void sizes_keep(struct list_work *list)
{
	struct adapter_maildrop *adapter = list->work.adapter;

	free(adapter->sizes);
	adapter->sizes = xcalloc(list->count, sizeof(*adapter->sizes));
	adapter->size_count = list->count;
	for (size_t i = 0; i < list->count; i++)
		adapter->sizes[i] = (struct maildrop_size){ list->entries[i].number,
							    list->entries[i].size_bytes };
}

/* One that LIST has and UIDL has not is there, but cannot be told from others. */
static void entries_tell(struct list_work *list)
{
	struct maildrop_list_req *req = list->req;

	req->has_uids = list->has_uids;
	req->is_complete = !list->list.is_damaged && !(list->has_uids && list->uidl.is_damaged);
	entries_join(list);
	sizes_keep(list);
	for (size_t i = 0; i < list->count; i++) {
		const struct list_entry *entry = &list->entries[i];
		if (list->has_uids && entry->uid_len == 0)
			req->is_complete = false;
		else
			req->found(req, entry->number, entry->size_bytes, uid_of(list, entry));
	}
}

/* --- Asking ---------------------------------------------------------------------- */

static void list_finish(struct list_work *list, const struct error *err)
{
	free(list->entries);
	buf_free(&list->uids);
	maildrop_work_finish(&list->work, err);
}

static void list_done(struct pop3_command *command, int code)
{
	struct list_work *list = container_of(command, struct list_work, list.command);

	(void)code; /* what became of LIST is judged with UIDL, which is behind it */
	list->is_listed = true;
}

/* A refusal while the session goes on says that there are no unique-ids. */
static void uidl_done(struct pop3_command *command, int code)
{
	struct list_work *list = container_of(command, struct list_work, uidl.command);
	bool is_refused =
		code == SYNCD_ESERVER && pop3_session_is_live(list->work.adapter->session);
	struct error err = list->list.command.err;

	must(list->is_listed);
	list->has_uids = code == 0;
	if (err.code == 0 && code != 0 && !is_refused)
		err = command->err;
	if (err.code == 0)
		entries_tell(list);
	list_finish(list, &err);
}

void maildrop_list(struct maildrop *maildrop, struct maildrop_list_req *req)
{
	struct list_work *list = maildrop_work_new(maildrop, &req->op, sizeof(*list));

	if (list == NULL)
		return;
	list->req = req;
	buf_init(&list->uids, POP3_LISTING_MAX);
	list->list.sized = list_sized;
	list->uidl.named = list_named;
	pop3_list_start(list->work.adapter->session, &list->list, list_done);
	pop3_uidl_start(list->work.adapter->session, &list->uidl, uidl_done);
}

/* The first that is not smaller. */
uint64_t maildrop_size_of(const struct adapter_maildrop *adapter, uint32_t number)
{
	size_t low = 0;
	size_t high = adapter->size_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (adapter->sizes[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == adapter->size_count || adapter->sizes[low].number != number)
		return 0;
	return adapter->sizes[low].bytes;
}
