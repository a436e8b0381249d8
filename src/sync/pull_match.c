/* A listing beside the records: what is known, what is to be fetched to be known, and what stays
 * where it is.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

/* --- By unique-id -------------------------------------------------------------------- */

static int compare_uids(const void *a, const void *b)
{
	const struct pull_entry *left = *(struct pull_entry *const *)a;
	const struct pull_entry *right = *(struct pull_entry *const *)b;
	int order = memcmp(left->uid.bytes, right->uid.bytes, DIGEST_LEN);

	if (order != 0)
		return order;
	return left->number < right->number ? -1 : left->number > right->number;
}

/* Entries and records of one unique-id. */
struct uid_group {
	struct pull_entry **entries; /* by their numbers */
	size_t entry_count;
	struct pull_record *records;
	size_t record_count;
};

static bool is_present(const struct pull_record *record)
{
	return record->absent_since_s == 0 && !record->is_dropped;
}

static size_t count_present(const struct uid_group *group)
{
	size_t count = 0;

	for (size_t i = 0; i < group->record_count; i++)
		count += is_present(&group->records[i]);
	return count;
}

/* The n-th entry goes with the n-th record: equal unique-ids are equal messages (RFC 1939 §7), and
 * so are their sizes; when these are not, their contents decide. */
static bool have_equal_sizes(const struct uid_group *group)
{
	size_t at = 0;

	for (size_t i = 0; i < group->entry_count; i++, at++) {
		while (!is_present(&group->records[at]))
			at++;
		if (pull_is_doubted(&group->records[at]) ||
		    group->records[at].listed_bytes != group->entries[i]->size_bytes)
			return false;
	}
	return true;
}

static void claim_group(struct sync_pull *pull, const struct uid_group *group)
{
	size_t at = 0;

	for (size_t i = 0; i < group->entry_count; i++, at++) {
		while (!is_present(&group->records[at]))
			at++;
		group->records[at].is_claimed = true;
		group->entries[i]->kind = ENTRY_KNOWN;
		group->entries[i]->record = (uint32_t)(&group->records[at] - pull->records.items);
	}
}

/* Without unique-ids all that is there may be any of what was there. */
static void match_group(struct sync_pull *pull, const struct uid_group *group)
{
	bool has_uid = pull_has_uid(&group->entries[0]->uid);

	for (size_t i = 0; i < group->record_count; i++)
		group->records[i].is_listed = true;
	if (has_uid && count_present(group) == group->entry_count && have_equal_sizes(group)) {
		claim_group(pull, group);
		return;
	}
	for (size_t i = 0; i < group->entry_count; i++) {
		group->entries[i]->is_suspect = group->record_count > 0;
		group->entries[i]->has_twins = has_uid && group->entry_count > 1;
	}
}

/* The entries in order of their unique-ids: they stay where they are, in order of the numbers. */
static struct pull_entry **sort_by_uid(struct pull_listing *listing)
{
	struct pull_entry **sorted = xcalloc(listing->count, sizeof(struct pull_entry *));

	for (size_t i = 0; i < listing->count; i++)
		sorted[i] = &listing->items[i];
	qsort(sorted, listing->count, sizeof(struct pull_entry *), compare_uids);
	return sorted;
}

static void match_all(struct sync_pull *pull, struct pull_entry **sorted)
{
	struct pull_listing *listing = &pull->listing;
	struct pull_records *records = &pull->records;
	size_t at = 0;
	size_t next = 0;

	for (size_t i = 0; i < listing->count; i = next) {
		const struct digest *uid = &sorted[i]->uid;
		for (next = i; next < listing->count && digest_equals(&sorted[next]->uid, uid);)
			next++;
		while (at < records->count &&
		       memcmp(records->items[at].uid.bytes, uid->bytes, DIGEST_LEN) < 0)
			at++;
		size_t first = at;
		while (at < records->count && digest_equals(&records->items[at].uid, uid))
			at++;
		match_group(pull, &(struct uid_group){
					  .entries = &sorted[i],
					  .entry_count = next - i,
					  .records = records->items + first,
					  .record_count = at - first,
				  });
	}
}

/* --- Those that are not known -------------------------------------------------------- */

/* Under which a refused message is set aside: its unique-id, or a digest of one that is too long
 * for a name. "": it has none. */
static void aside_name(const struct sync_pull *pull, const struct pull_entry *entry,
		       char name[MAIL_NAME_MAX + 1])
{
	struct slice uid = pull_message_of(pull, entry).uid;

	name[0] = '\0';
	if (!pull_has_uid(&entry->uid))
		return;
	if (uid.len > 0 && uid.len <= MAIL_NAME_MAX && memchr(uid.data, '\0', uid.len) == NULL) {
		memcpy(name, uid.data, uid.len);
		name[uid.len] = '\0';
		return;
	}
	name[0] = '#';
	for (size_t i = 0; i < DIGEST_LEN; i++)
		(void)snprintf(name + 1 + 2 * i, 3, "%02x", entry->uid.bytes[i]);
}

static void find_aside(struct sync_pull *pull, struct pull_entry *entry)
{
	char name[MAIL_NAME_MAX + 1];
	const struct setaside_record *record = NULL;

	if (pull->setaside.count == 0)
		return;
	aside_name(pull, entry, name);
	if (name[0] != '\0')
		record = sync_setaside_find(&pull->setaside, 0, name);
	if (record == NULL)
		return;
	entry->aside = (uint32_t)(record - pull->setaside.records);
	pull->is_aside_used[entry->aside] = true;
}

static bool is_wanted(const struct sync_pull *pull, const struct pull_entry *entry)
{
	struct slice uid = pull_message_of(pull, entry).uid;

	for (size_t i = 0; i < pull->options.wanted_count; i++) {
		if (slice_equals_str(uid, pull->options.wanted[i]))
			return true;
	}
	return false;
}

static void leave(struct sync_pull *pull, struct pull_entry *entry, const char *reason)
{
	struct pull_message message = pull_message_of(pull, entry);

	entry->kind = ENTRY_LEFT;
	if (reason != NULL)
		pull->result.counts.set_aside++;
	else
		pull->result.counts.too_large++;
	message.reason = reason;
	if (pull->options.left != NULL)
		pull->options.left(pull, &message);
}

void pull_decide(struct sync_pull *pull, struct pull_entry *entry)
{
	uint64_t max_size = pull->options.max_size_bytes;

	find_aside(pull, entry);
	entry->kind = ENTRY_FETCH;
	if (is_wanted(pull, entry)) {
		pull->result.wanted++;
		return;
	}
	if (max_size > 0 && entry->size_bytes > max_size)
		leave(pull, entry, NULL);
	else if (entry->aside != PULL_NONE &&
		 pull->setaside.records[entry->aside].next_try_s > pull->now_s)
		leave(pull, entry, pull->setaside.records[entry->aside].reason);
}

void pull_set_aside(struct sync_pull *pull, struct pull_entry *entry, const struct error *err)
{
	const struct setaside_record *before =
		entry->aside != PULL_NONE ? &pull->setaside.records[entry->aside] : NULL;
	struct setaside_record record = { .uid = 0 };

	sync_setaside_refused(&record, before, pull->now_s, err);
	aside_name(pull, entry, record.name);
	log_warn(pull->options.account, "message %s set aside: %s",
		 record.name[0] != '\0' ? record.name : "without a unique-id", record.reason);
	if (record.name[0] != '\0')
		store_batch_put_setaside(&pull->batch, pull->mailbox.id, &record);
	leave(pull, entry, record.reason);
}

/* --- All of them --------------------------------------------------------------------- */

/* Many unique-ids of before that nobody has now. */
static bool is_renumbered(const struct sync_pull *pull)
{
	size_t present = 0;
	size_t vanished = 0;

	for (size_t i = 0; i < pull->records.count; i++) {
		const struct pull_record *record = &pull->records.items[i];
		if (!is_present(record) || !pull_has_uid(&record->uid))
			continue;
		present++;
		vanished += !record->is_listed;
	}
	return pull->listing.req.has_uids && pull->listing.req.is_complete &&
	       vanished >= PULL_RENUMBERED_LEAST && vanished * PULL_RENUMBERED_SHARE >= present;
}

void pull_match_start(struct sync_pull *pull)
{
	struct pull_listing *listing = &pull->listing;
	struct pull_entry **sorted = sort_by_uid(listing);
	match_all(pull, sorted);
	free(sorted);
	for (size_t i = 0; i < listing->count; i++) {
		if (listing->items[i].kind != ENTRY_KNOWN)
			pull_decide(pull, &listing->items[i]);
	}
	pull->is_renumbered = is_renumbered(pull);
	pull_piece_done(pull);
}
