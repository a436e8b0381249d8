/* Which record a message is, by its content: chains of records with one identity.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

/* Records of one identity that are compared, so that a maildrop full of equal messages does not
 * take the square of their number. */
#define COMPARED_MAX 256

/* --- Chains -------------------------------------------------------------------------- */

/* Digests are as good as random, at their beginnings at least. */
static uint64_t number_of(const struct digest *digest)
{
	uint64_t number = 0;

	memcpy(&number, digest->bytes, sizeof(number));
	return number;
}

static uint32_t *unclaimed_of(const struct sync_pull *pull, const struct digest *identity)
{
	return &pull->chains.unclaimed[number_of(identity) & pull->chains.mask];
}

static uint32_t *twins_of(const struct sync_pull *pull, const struct digest *uid,
			  const struct digest *identity)
{
	return &pull->chains.twins[(number_of(uid) ^ number_of(identity)) & pull->chains.mask];
}

static void chain_add(struct sync_pull *pull, uint32_t *head, uint32_t at)
{
	pull->records.items[at].next = *head;
	*head = at;
}

static void chain_remove(struct sync_pull *pull, uint32_t *head, uint32_t at)
{
	while (*head != at) {
		must(*head != PULL_NONE);
		head = &pull->records.items[*head].next;
	}
	*head = pull->records.items[at].next;
}

/* What has the unique-id of a listed message comes last, and so first in its chain. */
void pull_chains_make(struct sync_pull *pull)
{
	struct pull_chains *chains = &pull->chains;
	size_t size = 16;

	while (size < 2 * (pull->records.count + pull->listing.to_fetch))
		size *= 2;
	chains->mask = size - 1;
	chains->unclaimed = xreallocarray(NULL, size, sizeof(uint32_t));
	chains->twins = xreallocarray(NULL, size, sizeof(uint32_t));
	memset(chains->unclaimed, 0xff, size * sizeof(uint32_t)); /* PULL_NONE */
	memset(chains->twins, 0xff, size * sizeof(uint32_t));
	for (size_t i = 0; i < pull->records.count; i++) {
		struct pull_record *record = &pull->records.items[i];
		if (!record->is_claimed && !record->is_dropped)
			chain_add(pull, unclaimed_of(pull, &record->identity), (uint32_t)i);
	}
}

/* --- The same message ---------------------------------------------------------------- */

/* Of a file that was there before the first pull. Other programs write into headers, but take
 * nothing away. */
static unsigned adopted_likeness(const struct pull_record *record, uint64_t size_bytes)
{
	if (!digest_has_message_id(&record->identity) || record->size_bytes < size_bytes)
		return 0;
	return record->size_bytes == size_bytes ? 2 : 1;
}

/* How well a record goes with a message of its identity; 0: not at all. A size that is another is
 * a server that writes into headers, if the message was there until now and has its unique-id still
 * or all of them were given anew; else it is a copy that came on another way. A message without a
 * Message-ID may be another one of the same second and length, unless all unique-ids were given
 * anew. Without unique-ids nothing tells these apart, and what is known to be gone is not back.
 * What is in doubt may have come in part. */
static unsigned likeness(const struct sync_pull *pull, const struct pull_entry *entry,
			 const struct pull_record *record, uint64_t size_bytes)
{
	bool has_uid = pull_has_uid(&entry->uid);
	bool has_same_uid = has_uid && digest_equals(&record->uid, &entry->uid);
	bool has_same_size = record->size_bytes == size_bytes;
	bool was_there = record->absent_since_s == 0;
	bool may_differ = was_there && !pull_is_doubted(record);

	if (!has_uid)
		return has_same_size && was_there ? 2 : 0;
	bool has_id = digest_has_message_id(&record->identity);
	if (!pull_has_uid(&record->uid))
		return adopted_likeness(record, size_bytes);
	bool is_renamed = pull->is_renumbered && was_there && !record->is_listed;
	if (has_same_uid)
		return has_same_size ? 4 : may_differ && has_id ? 3 : 0;
	if (has_same_size)
		return has_id || is_renamed ? 2 : 0;
	return has_id && is_renamed && may_differ ? 1 : 0;
}

uint32_t pull_find_same(struct sync_pull *pull, const struct pull_entry *entry,
			const struct digest *identity, uint64_t size_bytes)
{
	const unsigned enough = entry->is_suspect && pull_has_uid(&entry->uid) ? 4 : 2;
	uint32_t best = PULL_NONE;
	unsigned best_likeness = 0;
	size_t compared = 0;

	for (uint32_t at = *unclaimed_of(pull, identity);
	     at != PULL_NONE && best_likeness < enough && compared < COMPARED_MAX;
	     at = pull->records.items[at].next) {
		const struct pull_record *record = &pull->records.items[at];
		if (!digest_equals(&record->identity, identity))
			continue;
		compared++;
		unsigned found = likeness(pull, entry, record, size_bytes);
		if (found > best_likeness) {
			best_likeness = found;
			best = at;
		}
	}
	return best;
}

uint32_t pull_find_by_header(struct sync_pull *pull, const struct pull_entry *entry,
			     const struct digest *identity)
{
	size_t compared = 0;

	if (!digest_has_message_id(identity))
		return PULL_NONE;
	for (uint32_t at = *unclaimed_of(pull, identity);
	     at != PULL_NONE && compared < COMPARED_MAX;
	     at = pull->records.items[at].next, compared++) {
		const struct pull_record *record = &pull->records.items[at];
		if (digest_equals(&record->identity, identity) && !record->is_listed &&
		    (record->listed_bytes == entry->size_bytes ||
		     record->size_bytes == entry->size_bytes))
			return at;
	}
	return PULL_NONE;
}

uint32_t pull_find_twin(const struct sync_pull *pull, const struct pull_entry *entry,
			const struct digest *identity, uint64_t size_bytes)
{
	if (!entry->has_twins)
		return PULL_NONE;
	for (uint32_t at = *twins_of(pull, &entry->uid, identity); at != PULL_NONE;
	     at = pull->records.items[at].next) {
		const struct pull_record *record = &pull->records.items[at];
		if (digest_equals(&record->uid, &entry->uid) &&
		    digest_equals(&record->identity, identity) && record->size_bytes == size_bytes)
			return at;
	}
	return PULL_NONE;
}

void pull_claim(struct sync_pull *pull, struct pull_entry *entry, uint32_t at)
{
	struct pull_record *record = &pull->records.items[at];

	if (!record->is_claimed)
		chain_remove(pull, unclaimed_of(pull, &record->identity), at);
	record->is_dirty |= !digest_equals(&record->uid, &entry->uid) ||
			    record->listed_bytes != entry->size_bytes ||
			    record->absent_since_s != 0;
	record->is_claimed = true;
	record->uid = entry->uid;
	record->listed_bytes = entry->size_bytes;
	record->absent_since_s = 0;
	entry->kind = ENTRY_KNOWN;
	entry->record = at;
	if (entry->aside != PULL_NONE)
		pull->is_aside_used[entry->aside] = false;
	if (entry->has_twins)
		chain_add(pull, twins_of(pull, &entry->uid, &record->identity), at);
}
