/* Opening the maildrop, and its listing.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

static void opened(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, open.op);

	pull->result.login_delay_s = pull->open.login_delay_s;
	if (code != 0)
		pull_fail(pull, &op->err);
	pull_piece_done(pull);
}

void pull_open_start(struct sync_pull *pull)
{
	pull->is_opened = true;
	pull->open.is_cautious = pull_has_doubts(pull);
	pull->open.op.done = opened;
	pull->ports.maildrop->ops->open(pull->ports.maildrop, &pull->open);
}

/* --- Listing ------------------------------------------------------------------------- */

/* Kept of those that are likely to be asked for: unique-ids are long, and most are known. */
static void keep_uid(struct sync_pull *pull, struct pull_entry *entry, struct slice uid)
{
	uint32_t at = pull_find_uid(pull, &entry->uid);
	const struct pull_record *record = at != PULL_NONE ? &pull->records.items[at] : NULL;
	bool is_likely_known = record != NULL && record->absent_since_s == 0 &&
			       record->listed_bytes == entry->size_bytes;

	bool is_kept = !is_likely_known || pull->options.is_dry_run || pull->setaside.count > 0;

	entry->uid_at = PULL_NONE;
	if (!is_kept || uid.len > UINT16_MAX)
		return;
	entry->uid_at = (uint32_t)pull->listing.uids.len;
	entry->uid_len = (uint16_t)uid.len;
	if (buf_add(&pull->listing.uids, uid.data, uid.len) != 0)
		entry->uid_at = PULL_NONE;
}

static void found(struct maildrop_list_req *req, uint32_t number, uint64_t size_bytes,
		  struct slice uid)
{
	struct sync_pull *pull = container_of(req, struct sync_pull, listing.req);
	struct pull_listing *listing = &pull->listing;
	struct pull_entry entry = {
		.number = number,
		.size_bytes = size_bytes,
		.record = PULL_NONE,
		.uid_at = PULL_NONE,
		.aside = PULL_NONE,
	};

	must(listing->count == 0 || listing->items[listing->count - 1].number < number);
	if (uid.len > 0) {
		digest_of_text(uid, &entry.uid);
		keep_uid(pull, &entry, uid);
	}
	listing->items =
		xgrow(listing->items, listing->count, &listing->cap, sizeof(*listing->items));
	listing->items[listing->count++] = entry;
}

static void listed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, listing.req.op);
	struct error err = { 0 };

	pull->result.messages = (uint32_t)pull->listing.count;
	if (code == 0 && !pull->listing.req.is_complete)
		log_warn(pull->options.account,
			 "the server's list of messages is damaged: what has no number or "
			 "unique-id there is not fetched, and nothing counts as gone");
	if (code != 0) {
		pull_fail(pull, &op->err);
	} else if (!pull->listing.req.has_uids && pull->options.keep != PULL_KEEP_NONE) {
		error_set(&err, SYNCD_ECONFIG,
			  "the server tells no unique-ids (UIDL), so that only keep = none works");
		pull_fail(pull, &err);
	}
	pull_piece_done(pull);
}

void pull_list_start(struct sync_pull *pull)
{
	pull->listing.req.op.done = listed;
	pull->listing.req.found = found;
	pull->ports.maildrop->ops->list(pull->ports.maildrop, &pull->listing.req);
}

struct pull_entry *pull_entry_of(struct sync_pull *pull, uint32_t number)
{
	size_t low = 0;
	size_t high = pull->listing.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pull->listing.items[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	must(low < pull->listing.count && pull->listing.items[low].number == number);
	return &pull->listing.items[low];
}

struct pull_message pull_message_of(const struct sync_pull *pull, const struct pull_entry *entry)
{
	struct pull_message message = { .size_bytes = entry->size_bytes };

	if (entry->uid_at != PULL_NONE)
		message.uid =
			(struct slice){ pull->listing.uids.data + entry->uid_at, entry->uid_len };
	return message;
}
