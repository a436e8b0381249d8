/* Fetching: bodies stream into tmp/ while the group before them is flushed, recorded as staged, and
 * renamed into new/ (DESIGN 5). One flush and one commit a group, as in deliver.c: the commit that
 * stages a group records the one before it as delivered.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include <stdio.h>
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

static void fetch_continue(struct sync_pull *pull);

static struct sync_pull *pull_of(struct maildrop_fetch_req *req)
{
	return container_of(req, struct sync_pull, fetch.req);
}

static void group_free(struct pull_group *group)
{
	free(group->items);
	*group = (struct pull_group){ .count = 0 };
}

void pull_fetch_free(struct sync_pull *pull)
{
	group_free(&pull->fetch.filling);
	group_free(&pull->fetch.staging);
	group_free(&pull->fetch.published);
	store_batch_free(&pull->fetch.commit.batch);
}

static bool is_full(const struct sync_pull *pull)
{
	const struct pull_group *group = &pull->fetch.filling;
	size_t most = pull->options.group_messages > 0 ? pull->options.group_messages
						       : PULL_GROUP_MESSAGES;

	return group->count >= most || group->bytes >= PULL_GROUP_BYTES;
}

/* Nothing more is delivered. Of a full disk, what is deleted on the server is no worse. */
static void fetch_break(struct sync_pull *pull, const struct error *err)
{
	pull->fetch.is_broken = true;
	if (err->code == SYNCD_ENOSPC)
		pull_refuse(pull, err);
	else
		pull_fail(pull, err);
}

static bool is_going_on(const struct sync_pull *pull)
{
	return !pull->fetch.is_broken && !pull_is_failing(pull);
}

/* --- Staging ------------------------------------------------------------------------- */

static void report(struct sync_pull *pull)
{
	if (pull->options.progress != NULL)
		pull->options.progress(pull, &pull->result.counts, pull->listing.to_fetch);
}

/* The file of a copy was published before, and may have been taken since. */
static int publish(struct sync_pull *pull, const struct pull_record *record, struct error *err)
{
	int code = pull->local->ops->publish(pull->local, pull_name(pull, record), 0, err);

	if (code == SYNCD_ENOTFOUND && record->is_copy)
		return 0;
	if (code == 0 && !record->is_copy) {
		pull->result.counts.fetched++;
		pull->result.counts.fetched_bytes += record->size_bytes;
	}
	return code;
}

static void fetch_staged(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, fetch.commit.op);
	struct pull_fetch *fetch = &pull->fetch;
	struct error err = { 0 };

	fetch->is_staging = false;
	if (code != 0) {
		fetch->is_broken = true;
		pull_fail(pull, &op->err);
		fetch_continue(pull);
		return;
	}
	for (size_t i = 0; i < fetch->published.count; i++)
		pull->records.items[fetch->published.items[i]].state = POP3_DELIVERED;
	group_free(&fetch->published);
	fetch->published = fetch->staging;
	fetch->staging = (struct pull_group){ .count = 0 };
	for (size_t i = 0; i < fetch->published.count && code == 0; i++)
		code = publish(pull, &pull->records.items[fetch->published.items[i]], &err);
	if (code != 0)
		fetch_break(pull, &err);
	report(pull);
	fetch_continue(pull);
}

/* Records that say what they will be once the commit is done. */
static void put_as(struct sync_pull *pull, const struct pull_group *group, enum pop3_state state)
{
	for (size_t i = 0; i < group->count; i++) {
		struct pull_record record = pull->records.items[group->items[i]];
		record.state = state;
		pull_put(pull, &pull->fetch.commit.batch, &record);
	}
}

static void fetch_flushed(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, fetch.flush.op);
	struct pull_fetch *fetch = &pull->fetch;

	if (code != 0) {
		fetch->is_staging = false;
		fetch_break(pull, &op->err);
		fetch_continue(pull);
		return;
	}
	put_as(pull, &fetch->published, POP3_DELIVERED);
	put_as(pull, &fetch->staging, POP3_STAGED);
	fetch->commit.op.done = fetch_staged;
	pull->ports.store->ops->commit(pull->ports.store, &fetch->commit);
}

static void fetch_resume(struct sync_pull *pull)
{
	if (!pull->fetch.is_paused)
		return;
	pull->fetch.is_paused = false;
	pull->ports.maildrop->ops->fetch_resume(pull->ports.maildrop, &pull->fetch.req);
}

static void fetch_stage(struct sync_pull *pull)
{
	struct pull_fetch *fetch = &pull->fetch;

	must(fetch->staging.count == 0);
	fetch->is_staging = true;
	fetch->staging = fetch->filling;
	fetch->filling = (struct pull_group){ .count = 0 };
	fetch->flush.op.done = fetch_flushed;
	pull->local->ops->flush(pull->local, &fetch->flush);
	fetch_resume(pull);
}

static void group_add(struct sync_pull *pull, uint32_t at)
{
	struct pull_group *group = &pull->fetch.filling;

	group->items = xgrow(group->items, group->count, &group->cap, sizeof(*group->items));
	group->items[group->count++] = at;
	group->bytes += pull->records.items[at].is_copy ? 0 : pull->records.items[at].size_bytes;
	if (!is_full(pull))
		return;
	if (!pull->fetch.is_staging) {
		fetch_stage(pull);
	} else if (!pull->fetch.is_paused) {
		pull->fetch.is_paused = true;
		pull->ports.maildrop->ops->fetch_pause(pull->ports.maildrop, &pull->fetch.req);
	}
}

/* --- One message --------------------------------------------------------------------- */

static bool fetch_next(struct maildrop_fetch_req *req, uint32_t *number)
{
	struct sync_pull *pull = pull_of(req);

	while (pull->fetch.asked < pull->listing.count && is_going_on(pull)) {
		const struct pull_entry *entry = &pull->listing.items[pull->fetch.asked++];
		if (entry->kind == ENTRY_FETCH) {
			*number = entry->number;
			return true;
		}
	}
	return false;
}

static int fetch_begin(struct maildrop_fetch_req *req, uint32_t number)
{
	struct sync_pull *pull = pull_of(req);
	struct error err = { 0 };

	(void)number;
	if (!is_going_on(pull))
		return SYNCD_ECANCELLED;
	pull_body_begin(&pull->fetch.body);
	int code = pull->local->ops->deliver_begin(pull->local, &pull->fetch.body.delivery, &err);
	if (code != 0)
		fetch_break(pull, &err);
	return code;
}

static int fetch_data(struct maildrop_fetch_req *req, struct slice data)
{
	struct sync_pull *pull = pull_of(req);
	struct error err = { 0 };

	if (pull->fetch.is_broken)
		return SYNCD_ECANCELLED;
	pull_body_add(&pull->fetch.body, data);
	int code = pull->local->ops->deliver_write(pull->fetch.body.delivery, data, &err);
	if (code != 0)
		fetch_break(pull, &err);
	return code;
}

static void body_drop(struct sync_pull *pull)
{
	if (pull->fetch.body.delivery != NULL)
		pull->local->ops->deliver_abort(pull->fetch.body.delivery);
	pull->fetch.body.delivery = NULL;
	pull_body_free(&pull->fetch.body);
}

/* Adds a record for the message. */
static void take(struct sync_pull *pull, struct pull_entry *entry, struct pull_record *record,
		 const char *name)
{
	record->uid = entry->uid;
	record->listed_bytes = entry->size_bytes;
	record->first_seen_s = pull->ports.env->ops->wall_s(pull->ports.env);
	record->id = pull->ports.store->ops->pop3_new_id(pull->ports.store);
	record->state = POP3_STAGED;
	record->next = PULL_NONE;
	record->is_claimed = true;
	record->is_new = true;
	uint32_t at = pull_add(pull, record, name);
	pull_claim(pull, entry, at);
	group_add(pull, at);
}

static void take_copy(struct sync_pull *pull, struct pull_entry *entry, uint32_t twin)
{
	struct pull_record record = {
		.identity = pull->records.items[twin].identity,
		.size_bytes = pull->records.items[twin].size_bytes,
		.is_copy = true,
	};
	char name[MAIL_NAME_MAX + 1]; /* the names may move */

	body_drop(pull);
	(void)snprintf(name, sizeof(name), "%s", pull_name(pull, &pull->records.items[twin]));
	take(pull, entry, &record, name);
}

static int take_new(struct sync_pull *pull, struct pull_entry *entry)
{
	struct pull_body *body = &pull->fetch.body;
	struct pull_record record = { .is_copy = false };
	struct error err = { 0 };
	char name[MAIL_NAME_MAX + 1];
	int64_t mtime_s =
		body->has_date ? body->date_s : pull->ports.env->ops->wall_s(pull->ports.env);
	int code = pull->local->ops->deliver_end(body->delivery, mtime_s, name, &record.size_bytes,
						 &record.identity, &err);

	body->delivery = NULL;
	pull_body_free(body);
	if (code != 0)
		fetch_break(pull, &err);
	else
		take(pull, entry, &record, name);
	return code;
}

static int fetch_end(struct maildrop_fetch_req *req, uint32_t number)
{
	struct sync_pull *pull = pull_of(req);
	struct pull_entry *entry = pull_entry_of(pull, number);
	struct pull_body *body = &pull->fetch.body;
	struct digest identity;

	if (pull->fetch.is_broken)
		return SYNCD_ECANCELLED; /* a body that had begun before */
	pull_body_end(body, &identity);
	uint32_t same = pull_find_same(pull, entry, &identity, body->size_bytes);
	if (same != PULL_NONE) {
		body_drop(pull);
		pull_claim(pull, entry, same);
		return 0;
	}
	uint32_t twin = pull_find_twin(pull, entry, &identity, body->size_bytes);
	if (twin == PULL_NONE)
		return take_new(pull, entry);
	take_copy(pull, entry, twin);
	return 0;
}

static int fetch_refused(struct maildrop_fetch_req *req, uint32_t number, const struct error *err)
{
	struct sync_pull *pull = pull_of(req);
	struct pull_entry *entry = pull_entry_of(pull, number);

	if (err->code == SYNCD_EBUSY)
		log_debug(pull->options.account, "message %u: not now: %s", (unsigned)number,
			  err->text);
	else
		pull_set_aside(pull, entry, err);
	return 0;
}

/* --- All of them --------------------------------------------------------------------- */

static void fetch_done(struct port_op *op, int code)
{
	struct sync_pull *pull = container_of(op, struct sync_pull, fetch.req.op);

	pull->fetch.is_fetching = false;
	pull->fetch.is_paused = false;
	body_drop(pull);
	pull_note_disorder(pull, code);
	if (code != 0 && !pull->fetch.is_broken)
		pull_fail(pull, &op->err);
	fetch_continue(pull);
}

static void drop(struct sync_pull *pull, const struct pull_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		pull->records.items[group->items[i]].is_dropped = true;
}

/* What the state has not recorded would fill the disk until the next pull. */
static void fetch_over(struct sync_pull *pull)
{
	if (pull->fetch.is_broken) {
		drop(pull, &pull->fetch.staging);
		drop(pull, &pull->fetch.filling);
		pull_clean(pull);
	}
	pull_piece_done(pull);
}

/* What comes next, whatever has just come back. After the link is lost, what had arrived is still
 * staged: it need not be downloaded again. */
static void fetch_continue(struct sync_pull *pull)
{
	struct pull_fetch *fetch = &pull->fetch;

	if (fetch->is_staging)
		return;
	if (fetch->is_broken) {
		if (fetch->is_fetching)
			fetch_resume(pull); /* the next message's begin ends it */
		else
			fetch_over(pull);
		return;
	}
	if (fetch->is_fetching) {
		if (is_full(pull))
			fetch_stage(pull);
		return;
	}
	if (fetch->filling.count > 0 || fetch->published.count > 0)
		fetch_stage(pull);
	else
		fetch_over(pull);
}

void pull_fetch_start(struct sync_pull *pull)
{
	struct pull_fetch *fetch = &pull->fetch;

	if (pull->listing.to_fetch == 0) {
		pull_piece_done(pull);
		return;
	}
	report(pull);
	fetch->asked = 0;
	fetch->is_fetching = true;
	fetch->req = (struct maildrop_fetch_req){
		.op.done = fetch_done,
		.next = fetch_next,
		.begin = fetch_begin,
		.data = fetch_data,
		.end = fetch_end,
		.refused = fetch_refused,
	};
	pull->ports.maildrop->ops->fetch(pull->ports.maildrop, &fetch->req);
}
