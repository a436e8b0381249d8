/* Messages that one side refuses: kept out of plans until their next try.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

#define SETASIDE_FIRST_S (15 * 60)     /* a refused message is tried again after this long, */
#define SETASIDE_LAST_S (24 * 60 * 60) /* twice as long each time up to this */

bool sync_is_too_large(const struct setaside_record *record)
{
	return record->attempts == 0;
}

static void setaside_add(void *context, const struct setaside_record *record)
{
	struct sync_setaside *setaside = context;

	setaside->records = xgrow(setaside->records, setaside->count, &setaside->cap,
				  sizeof(*setaside->records));
	setaside->records[setaside->count++] = *record;
}

static int compare_setaside(const void *a, const void *b)
{
	const struct setaside_record *left = a;
	const struct setaside_record *right = b;

	if (left->uid != right->uid)
		return left->uid > right->uid ? 1 : -1;
	return left->uid == 0 ? strcmp(left->name, right->name) : 0;
}

static struct setaside_record *setaside_find(const struct sync_setaside *setaside, uint32_t uid,
					     const char *name)
{
	struct setaside_record key = { .uid = uid };

	if (setaside->count == 0)
		return NULL;
	if (uid == 0)
		memcpy(key.name, name, strnlen(name, MAIL_NAME_MAX));
	return bsearch(&key, setaside->records, setaside->count, sizeof(key), compare_setaside);
}

const struct setaside_record *sync_setaside_find(const struct sync_setaside *setaside, uint32_t uid,
						 const char *name)
{
	return setaside_find(setaside, uid, name);
}

static void setaside_sort(struct sync_setaside *setaside)
{
	if (setaside->count > 1)
		qsort(setaside->records, setaside->count, sizeof(*setaside->records),
		      compare_setaside);
}

void sync_setaside_put(struct sync_setaside *setaside, const struct setaside_record *record)
{
	struct setaside_record *before = setaside_find(setaside, record->uid, record->name);

	if (before != NULL) {
		*before = *record;
		return;
	}
	setaside_add(setaside, record);
	setaside_sort(setaside);
}

bool sync_setaside_remove(struct sync_setaside *setaside, uint32_t uid, const char *name)
{
	struct setaside_record *record = setaside_find(setaside, uid, name);

	if (record == NULL)
		return false;
	size_t behind = setaside->count - 1 - (size_t)(record - setaside->records);
	memmove(record, record + 1, behind * sizeof(*record));
	setaside->count--;
	return true;
}

void sync_setaside_refused(struct setaside_record *record, const struct setaside_record *before,
			   int64_t now_s, const struct error *why)
{
	int64_t delay_s = SETASIDE_FIRST_S;
	char reason[ERROR_FORMAT_MAX];

	record->attempts = before != NULL ? before->attempts + 1 : 1;
	for (uint32_t i = 1; i < record->attempts && delay_s < SETASIDE_LAST_S; i++)
		delay_s *= 2;
	record->next_try_s = now_s + delay_s;
	(void)snprintf(record->reason, sizeof(record->reason), "%.*s", REASON_MAX - 1,
		       error_format(why, reason, sizeof(reason)));
}

int sync_setaside_load(struct store_port *store, uint32_t mailbox_id, struct sync_setaside *out,
		       struct error *err)
{
	*out = (struct sync_setaside){ .count = 0 };
	int code = store->ops->setaside_each(store, mailbox_id, setaside_add, out, err);
	setaside_sort(out);
	return code;
}

void sync_setaside_free(struct sync_setaside *setaside)
{
	free(setaside->records);
	*setaside = (struct sync_setaside){ .count = 0 };
}
