/* The records of a maildrop in memory, and how their changes get into the state.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

bool pull_has_uid(const struct digest *uid)
{
	static const struct digest none;

	return !digest_equals(uid, &none);
}

const char *pull_name(const struct sync_pull *pull, const struct pull_record *record)
{
	return pull->records.names.data + record->name_at;
}

uint32_t pull_add(struct sync_pull *pull, const struct pull_record *record, const char *name)
{
	struct pull_records *records = &pull->records;

	must(records->count < PULL_NONE);
	records->items = xgrow(records->items, records->count, &records->cap, sizeof(*record));
	records->items[records->count] = *record;
	records->items[records->count].name_at = (uint32_t)records->names.len;
	must(buf_add(&records->names, name, strlen(name) + 1) == 0);
	return (uint32_t)records->count++;
}

/* --- Loading ------------------------------------------------------------------------- */

static void load_record(void *context, const struct pop3_record *pop3)
{
	struct sync_pull *pull = context;
	const struct pull_record record = {
		.uid = pop3->uid,
		.identity = pop3->identity,
		.size_bytes = pop3->size_bytes,
		.listed_bytes = pop3->listed_bytes,
		.first_seen_s = pop3->first_seen_s,
		.absent_since_s = pop3->absent_since_s,
		.id = pop3->id,
		.next = PULL_NONE,
		.state = pop3->state,
	};

	(void)pull_add(pull, &record, pop3->name);
}

static int compare_records(const void *a, const void *b)
{
	const struct pull_record *left = a;
	const struct pull_record *right = b;
	int order = memcmp(left->uid.bytes, right->uid.bytes, DIGEST_LEN);

	if (order != 0)
		return order;
	return left->id < right->id ? -1 : left->id > right->id;
}

int pull_load_records(struct sync_pull *pull, struct error *err)
{
	struct pull_records *records = &pull->records;
	int code = pull->ports.store->ops->pop3_each(pull->ports.store, load_record, pull, err);

	if (records->count > 1)
		qsort(records->items, records->count, sizeof(*records->items), compare_records);
	return code;
}

uint32_t pull_find_uid(const struct sync_pull *pull, const struct digest *uid)
{
	const struct pull_records *records = &pull->records;
	size_t low = 0;
	size_t high = records->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(records->items[middle].uid.bytes, uid->bytes, DIGEST_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == records->count || !digest_equals(&records->items[low].uid, uid))
		return PULL_NONE;
	return (uint32_t)low;
}

/* --- Saving -------------------------------------------------------------------------- */

void pull_put(const struct sync_pull *pull, struct store_batch *batch,
	      const struct pull_record *record)
{
	struct pop3_record pop3 = {
		.id = record->id,
		.state = record->state,
		.uid = record->uid,
		.identity = record->identity,
		.size_bytes = record->size_bytes,
		.listed_bytes = record->listed_bytes,
		.first_seen_s = record->first_seen_s,
		.absent_since_s = record->absent_since_s,
	};
	const char *name = pull_name(pull, record);

	memcpy(pop3.name, name, strlen(name) + 1);
	store_batch_put_pop3(batch, &pop3);
}

static void save_some(struct sync_pull *pull);

static void saved_some(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, commit.op);

	if (code != 0)
		pull->after_save(op, code);
	else
		save_some(pull);
}

static void save_some(struct sync_pull *pull)
{
	struct store_batch *batch = &pull->commit.batch;

	store_batch_move(batch, &pull->batch);
	for (; pull->saved < pull->records.count && batch->count < PULL_SAVE_RECORDS;
	     pull->saved++) {
		struct pull_record *record = &pull->records.items[pull->saved];
		if (record->is_dirty && record->is_dropped)
			store_batch_delete_pop3(batch, record->id);
		else if (record->is_dirty)
			pull_put(pull, batch, record);
		record->is_dirty = false;
	}
	pull->commit.op.done = batch->count > 0 ? saved_some : pull->after_save;
	if (batch->count > 0)
		pull->ports.store->ops->commit(pull->ports.store, &pull->commit);
	else
		pull->after_save(&pull->commit.op, 0);
}

void pull_save(struct sync_pull *pull, port_done done)
{
	pull->saved = 0;
	pull->after_save = done;
	save_some(pull);
}
