/* Delivery: bodies stream into tmp/ while the group before them is flushed,
 * recorded as staged, and renamed into place (DESIGN 5). One flush and one commit a
 * group: the commit that stages a group also clears the group before it, whose
 * renames that same flush has made durable.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

static void group_free(struct deliver_group *group)
{
	free(group->items);
	*group = (struct deliver_group){ .count = 0 };
}

bool deliver_is_full(const struct sync_pass *pass)
{
	const struct deliver_group *group = &pass->deliver.filling;

	return group->count >= pass_group(pass, DELIVER_GROUP_MESSAGES) ||
	       group->bytes >= DELIVER_GROUP_BYTES;
}

void deliver_free(struct deliver *deliver)
{
	uidset_free(&deliver->missing);
	uidset_free(&deliver->asked);
	uidset_free(&deliver->linked);
	deliver_links_free(&deliver->links);
	group_free(&deliver->filling);
	group_free(&deliver->staging);
	group_free(&deliver->published);
	store_batch_free(&deliver->commit.batch);
}

/* --- Staging ------------------------------------------------------------------- */

static void deliver_break(struct sync_pass *pass, const struct error *err)
{
	pass->deliver.is_broken = true;
	if (err->code == SYNCD_ENOSPC)
		pass_refuse(pass, err); /* what this pass would delete may be the cure */
	else
		pass_fail(pass, err);
}

static void count_delivered(struct sync_pass *pass, const struct message_record *record)
{
	if (uidset_contains(&pass->deliver.linked, record->uid)) {
		pass->result.counts.linked++;
		return;
	}
	pass->result.counts.fetched++;
	pass->result.counts.fetched_bytes += record->size_bytes;
}

static void deliver_staged(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, deliver.commit.op);
	struct deliver *deliver = &pass->deliver;
	struct local_mailbox *local = pass->local;
	struct error err = { 0 };

	deliver->is_staging = false;
	if (code != 0) {
		/* Even a full disk: the mailbox's own record may have been in that commit, and
		 * no later one may be without it. */
		deliver->is_broken = true;
		pass_fail(pass, &op->err);
		deliver_continue(pass);
		return;
	}
	group_free(&deliver->published);
	for (size_t i = 0; i < deliver->staging.count; i++) {
		const struct message_record *record = &deliver->staging.items[i];
		if (local->ops->publish(local, record->name, record->flags, &err) != 0) {
			deliver_break(pass, &err);
			break;
		}
		count_delivered(pass, record);
	}
	deliver->published = deliver->staging;
	deliver->staging = (struct deliver_group){ .count = 0 };
	if (pass->options.progress != NULL)
		pass->options.progress(pass, &pass->result.counts, deliver->count, 0);
	deliver_continue(pass);
}

static bool is_none_staged(void *context, const char *name)
{
	(void)context;
	(void)name;
	return false;
}

/* What the state has not recorded would fill the disk until the next pass. */
static void deliver_clean(struct sync_pass *pass)
{
	struct error err = { 0 };
	char text[ERROR_FORMAT_MAX];

	if (pass->local->ops->clean_tmp(pass->local, is_none_staged, NULL, &err) != 0)
		log_debug(pass->options.account, "%s: %s", pass->name,
			  error_format(&err, text, sizeof(text)));
}

static void deliver_flushed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, deliver.flush.op);
	struct deliver *deliver = &pass->deliver;
	struct store_batch *batch = &deliver->commit.batch;

	if (code != 0) {
		deliver->is_staging = false;
		deliver_break(pass, &op->err);
		deliver_clean(pass);
		deliver_continue(pass);
		return;
	}
	for (size_t i = 0; i < deliver->staging.count; i++) {
		const struct message_record *record = &deliver->staging.items[i];
		struct journal_record journal = {
			.kind = JOURNAL_DELIVER,
			.uid = record->uid,
			.flags = record->flags,
		};
		memcpy(journal.name, record->name, sizeof(journal.name));
		store_batch_put_message(batch, pass->mailbox.id, record);
		store_batch_put_journal(batch, pass->mailbox.id, &journal);
		pass_clear_aside(pass, batch, record->uid, NULL);
	}
	for (size_t i = 0; i < deliver->published.count; i++)
		store_batch_delete_journal(batch, pass->mailbox.id, JOURNAL_DELIVER,
					   deliver->published.items[i].name);
	pass_commit(pass, &deliver->commit, deliver_staged);
}

static void deliver_resume(struct sync_pass *pass)
{
	if (!pass->deliver.is_paused)
		return;
	pass->deliver.is_paused = false;
	pass->remote->ops->fetch_resume(pass->remote, &pass->deliver.fetch);
}

static void deliver_stage(struct sync_pass *pass)
{
	struct deliver *deliver = &pass->deliver;

	must(deliver->staging.count == 0);
	deliver->is_staging = true;
	deliver->staging = deliver->filling;
	deliver->filling = (struct deliver_group){ .count = 0 };
	deliver->flush.op.done = deliver_flushed;
	pass->local->ops->flush(pass->local, &deliver->flush);
	deliver_resume(pass);
}

/* --- Fetching --------------------------------------------------------------------- */

static const struct sync_action *deliver_action(const struct deliver *deliver, uint32_t uid)
{
	size_t low = 0;
	size_t high = deliver->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (deliver->actions[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	must(low < deliver->count && deliver->actions[low].uid == uid);
	return &deliver->actions[low];
}

void deliver_take(struct sync_pass *pass, const struct message_record *record)
{
	struct deliver *deliver = &pass->deliver;
	struct deliver_group *group = &deliver->filling;
	uint32_t uid = record->uid;

	group->items = xgrow(group->items, group->count, &group->cap, sizeof(*group->items));
	group->items[group->count] = *record;
	group->items[group->count++].flags =
		deliver_action(deliver, uid)->flags & pass->local->ops->flags_mask(pass->local);
	must(uidset_remove_range(&deliver->missing, uid, uid) == 0);
}

static int deliver_begin(struct remote_fetch_req *req, unsigned lane, uint64_t size_bytes)
{
	struct sync_pass *pass = container_of(req, struct sync_pass, deliver.fetch);
	struct deliver *deliver = &pass->deliver;
	struct error err = { 0 };

	(void)size_bytes; /* may lie; the bytes themselves are counted */
	must(lane < REMOTE_LANES_MAX && deliver->deliveries[lane] == NULL);
	if (deliver->is_broken || pass_is_failing(pass))
		return SYNCD_ECANCELLED;
	int code = pass->local->ops->deliver_begin(pass->local, &deliver->deliveries[lane], &err);
	if (code != 0)
		deliver_break(pass, &err);
	return code;
}

static int deliver_data(struct remote_fetch_req *req, unsigned lane, struct slice data)
{
	struct sync_pass *pass = container_of(req, struct sync_pass, deliver.fetch);
	struct deliver *deliver = &pass->deliver;
	struct error err = { 0 };

	if (deliver->is_broken)
		return SYNCD_ECANCELLED;
	int code = pass->local->ops->deliver_write(deliver->deliveries[lane], data, &err);
	if (code != 0)
		deliver_break(pass, &err);
	return code;
}

static int deliver_end(struct remote_fetch_req *req, unsigned lane, uint32_t uid,
		       int64_t internaldate_s)
{
	struct sync_pass *pass = container_of(req, struct sync_pass, deliver.fetch);
	struct deliver *deliver = &pass->deliver;
	struct message_record record = { .uid = uid };
	struct error err = { 0 };

	if (deliver->is_broken)
		return SYNCD_ECANCELLED; /* a body that had begun before */
	struct local_delivery *delivery = deliver->deliveries[lane];
	deliver->deliveries[lane] = NULL;
	if (!uidset_contains(&deliver->asked, uid) || !uidset_contains(&deliver->missing, uid)) {
		/* Nobody asked, or it came twice. */
		pass->local->ops->deliver_abort(delivery);
		return 0;
	}
	int code = pass->local->ops->deliver_end(delivery, internaldate_s, record.name,
						 &record.size_bytes, &record.identity, &err);
	if (code != 0) {
		deliver_break(pass, &err);
		return code;
	}
	record.email_id = deliver_email_id(deliver, uid);
	deliver->filling.bytes += record.size_bytes;
	deliver_take(pass, &record);
	if (!deliver_is_full(pass))
		return 0;
	if (!deliver->is_staging) {
		deliver_stage(pass);
	} else if (!deliver->is_paused) {
		deliver->is_paused = true;
		pass->remote->ops->fetch_pause(pass->remote, &deliver->fetch);
	}
	return 0;
}

/* Asked for, answered with success, and yet not sent: expunged meanwhile, or a
 * message this server lists but never gives (QUIRKS, Exchange, iCloud). The
 * next pass tells which, as it lists again. */
static void deliver_note_unsent(struct sync_pass *pass)
{
	struct deliver *deliver = &pass->deliver;
	struct uidset_place place = { 0 };
	struct error err = { 0 };
	uint32_t uid = 0;

	must(uidset_intersect(&deliver->asked, &deliver->missing) == 0);
	must(uidset_subtract(&deliver->missing, &deliver->asked) == 0);
	if (uidset_is_empty(&deliver->asked))
		return;
	if (!pass->options.is_repeat) {
		pass->result.wants_another = true;
		pass->is_left_over = true;
		return;
	}
	error_set(&err, SYNCD_EMESSAGE, "the server lists this message but does not send it");
	while (uidset_next(&deliver->asked, &place, &uid))
		pass_set_aside(pass, &pass->change.batch, uid, NULL, &err);
}

/* The server refused. Smaller and smaller requests find the message it is about. */
static void deliver_narrow(struct sync_pass *pass, const struct error *err)
{
	struct deliver *deliver = &pass->deliver;
	uint64_t asked = uidset_count(&deliver->asked);
	uint32_t uid = uidset_lowest(&deliver->asked);

	if (asked > 1) {
		deliver->chunk = asked / 8 > 0 ? asked / 8 : 1;
		return;
	}
	if (uidset_contains(&deliver->missing, uid)) {
		must(uidset_remove_range(&deliver->missing, uid, uid) == 0);
		pass_set_aside(pass, &pass->change.batch, uid, NULL, err);
	}
}

static void deliver_fetched(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, deliver.fetch.op);
	struct deliver *deliver = &pass->deliver;

	deliver->is_fetching = false;
	deliver->is_paused = false;
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++) {
		if (deliver->deliveries[i] != NULL)
			pass->local->ops->deliver_abort(deliver->deliveries[i]);
		deliver->deliveries[i] = NULL;
	}
	if (code == 0) {
		deliver_note_unsent(pass);
		deliver->chunk = deliver->chunk > UINT32_MAX / 8 ? UINT32_MAX : deliver->chunk * 8;
	} else if (code == SYNCD_EMESSAGE) {
		deliver_narrow(pass, &op->err);
	} else if (!deliver->is_broken) {
		pass_fail(pass, &op->err);
	}
	deliver_continue(pass);
}

static void deliver_fetch(struct sync_pass *pass)
{
	struct deliver *deliver = &pass->deliver;
	uint64_t left = deliver->chunk;

	uidset_clear(&deliver->asked);
	for (size_t i = 0; i < deliver->missing.range_count && left > 0; i++) {
		struct uid_range range = deliver->missing.ranges[i];
		uint64_t size = (uint64_t)range.high - range.low + 1;
		if (size > left)
			range.high = range.low + (uint32_t)left - 1;
		left -= size < left ? size : left;
		must(uidset_add_range(&deliver->asked, range.low, range.high) == 0);
	}
	deliver->is_fetching = true;
	deliver->fetch.op.done = deliver_fetched;
	deliver->fetch.uids = &deliver->asked;
	deliver->fetch.begin = deliver_begin;
	deliver->fetch.data = deliver_data;
	deliver->fetch.end = deliver_end;
	pass->remote->ops->fetch(pass->remote, &deliver->fetch);
}

/* What comes next, whatever has just come back. After the link is lost, what had
 * arrived is still staged: it need not be downloaded again. */
void deliver_continue(struct sync_pass *pass)
{
	struct deliver *deliver = &pass->deliver;
	bool is_going_on = !deliver->is_fetching && !deliver->is_broken && !pass_is_failing(pass);

	if (is_going_on)
		deliver_links_take(pass);
	if (is_going_on && deliver_links_are_over(deliver) && !uidset_is_empty(&deliver->missing))
		deliver_fetch(pass);
	if (deliver->is_staging)
		return;
	if (deliver->is_broken) {
		if (deliver->is_fetching)
			deliver_resume(pass); /* the next message's begin ends it */
		else
			pass_piece_done(pass);
		return;
	}
	if (deliver->is_fetching) {
		if (deliver_is_full(pass))
			deliver_stage(pass);
		return;
	}
	if (deliver->filling.count > 0 || deliver->published.count > 0)
		deliver_stage(pass);
	else
		pass_piece_done(pass);
}

void deliver_start(struct sync_pass *pass)
{
	struct deliver *deliver = &pass->deliver;

	deliver->actions = sync_plan_of(&pass->plan, SYNC_FETCH, &deliver->count);
	deliver->chunk = UINT32_MAX;
	store_batch_init(&deliver->commit.batch);
	for (size_t i = 0; i < deliver->count; i++)
		must(uidset_add(&deliver->missing, deliver->actions[i].uid) == 0);
	if (deliver->count > 0 && (pass->open.has_email_ids || pass->options.max_size_bytes > 0))
		deliver_links_start(pass);
	else
		deliver_continue(pass);
}
