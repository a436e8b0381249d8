/* Until-deleted: a look at the maildir for files that are gone.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

/* A file that is moved while mailboxes are read one after another may be seen in none of them: what
 * is missing is looked for a second time. */
#define ROUNDS 2

static void look_at(struct sync_pull *pull);

void pull_look_free(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;

	for (size_t i = 0; i < look->count; i++)
		free(look->names[i]);
	free(look->names);
	free(look->missing);
	local_listing_free(&look->listing);
}

/* --- The end ------------------------------------------------------------------------- */

static void look_over(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;

	if (!look->is_moving && !pull_is_failing(pull)) {
		for (size_t i = 0; i < look->missing_count; i++)
			pull->listing.items[look->missing[i]].is_due = true;
		pull_hold(pull);
	}
	pull_piece_done(pull);
}

/* --- One mailbox --------------------------------------------------------------------- */

static int compare_item(const void *key, const void *item)
{
	return strcmp(key, ((const struct local_item *)item)->name);
}

static bool is_in(const struct local_listing *listing, const char *name)
{
	return listing->count > 0 && bsearch(name, listing->items, listing->count,
					     sizeof(*listing->items), compare_item) != NULL;
}

static void strike_found(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;
	size_t left = 0;

	for (size_t i = 0; i < look->missing_count; i++) {
		uint32_t record = pull->listing.items[look->missing[i]].record;
		if (!is_in(&look->listing, pull_name(pull, &pull->records.items[record])))
			look->missing[left++] = look->missing[i];
	}
	look->missing_count = left;
}

static void close_other(struct sync_pull *pull)
{
	if (pull->look.mailbox == NULL)
		return;
	pull->look.mailbox->ops->close(pull->look.mailbox);
	pull->look.mailbox = NULL;
	keyword_table_free(&pull->look.keywords);
}

static void look_next(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;

	if (look->missing_count == 0 || look->is_moving || pull_is_failing(pull)) {
		look_over(pull);
		return;
	}
	if (++look->at > look->count) {
		look->at = 0;
		look->round++;
	}
	if (look->round == ROUNDS)
		look_over(pull);
	else
		look_at(pull);
}

static void look_scanned(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, look.scan.op);
	struct pull_look *look = &pull->look;

	close_other(pull);
	if (code != 0) {
		look->is_moving = true;
		pull_refuse(pull, &op->err);
	} else {
		look->is_moving |= !look->listing.is_stable;
		strike_found(pull);
	}
	local_listing_free(&look->listing);
	local_listing_init(&look->listing);
	look_next(pull);
}

static void look_scan(struct sync_pull *pull, struct local_mailbox *mailbox)
{
	pull->look.scan = (struct local_scan_req){
		.op.done = look_scanned,
		.result = &pull->look.listing,
	};
	mailbox->ops->scan(mailbox, &pull->look.scan);
}

static void look_at(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;
	struct local_account *local = pull->ports.local;
	struct error err = { 0 };

	if (look->at == 0) {
		look_scan(pull, pull->local);
		return;
	}
	keyword_table_init(&look->keywords);
	if (local->ops->open(local, look->names[look->at - 1], &look->keywords, &look->mailbox,
			     &err) == 0) {
		look_scan(pull, look->mailbox);
		return;
	}
	keyword_table_free(&look->keywords);
	look->mailbox = NULL;
	look->is_moving = true; /* it has just been there */
	if (err.code != SYNCD_ENOTFOUND)
		pull_refuse(pull, &err);
	look_over(pull);
}

/* --- All of them --------------------------------------------------------------------- */

static void look_found(struct local_list_req *req, const struct mailbox_info *info)
{
	struct sync_pull *pull = container_of(req, struct sync_pull, look.list);
	struct pull_look *look = &pull->look;

	look->is_moving |= info->is_marked_unusable;
	if (!info->is_selectable || strcmp(info->name, PULL_MAILBOX) == 0)
		return;
	look->names = xgrow(look->names, look->count, &look->cap, sizeof(*look->names));
	look->names[look->count++] = xstrdup(info->name);
}

static void look_listed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, look.list.op);

	if (code != 0) {
		pull->look.is_moving = true;
		pull_refuse(pull, &op->err);
	}
	if (pull->look.is_moving)
		look_over(pull);
	else
		look_at(pull);
}

/* All that is known may be missing, until it is found. */
static void look_for_all(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;

	look->missing = xreallocarray(NULL, pull->listing.count + 1, sizeof(*look->missing));
	for (size_t i = 0; i < pull->listing.count; i++) {
		const struct pull_entry *entry = &pull->listing.items[i];
		if (entry->kind == ENTRY_KNOWN &&
		    pull->records.items[entry->record].state == POP3_DELIVERED)
			look->missing[look->missing_count++] = (uint32_t)i;
	}
}

/* Where what was moved counts as deleted, other mailboxes are none of our business. */
void pull_look_start(struct sync_pull *pull)
{
	struct pull_look *look = &pull->look;

	if (pull->options.keep == PULL_KEEP_UNTIL_DELETED && pull->local != NULL)
		look_for_all(pull);
	if (look->missing_count == 0 || pull->local == NULL) { /* then nothing is held, either */
		look_over(pull);
		return;
	}
	if (pull->options.deletes_moved) {
		look_at(pull);
		return;
	}
	look->list.op.done = look_listed;
	look->list.found = look_found;
	pull->ports.local->ops->list(pull->ports.local, &look->list);
}
