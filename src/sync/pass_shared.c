/* What the pieces of a pass share: failures, commits, messages set aside.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdio.h>
#include <string.h>

#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_baseline.h"

void sync_counts_add(struct sync_counts *sum, const struct sync_counts *more)
{
	sum->fetched += more->fetched;
	sum->fetched_bytes += more->fetched_bytes;
	sum->linked += more->linked;
	sum->appended += more->appended;
	sum->appended_bytes += more->appended_bytes;
	sum->flags_remote += more->flags_remote;
	sum->flags_local += more->flags_local;
	sum->expunged += more->expunged;
	sum->removed += more->removed;
	sum->set_aside += more->set_aside;
	sum->too_large += more->too_large;
}

bool sync_counts_changed_maildir(const struct sync_counts *counts)
{
	return counts->fetched + counts->linked + counts->removed + counts->flags_local > 0;
}

void pass_fail(struct sync_pass *pass, const struct error *err)
{
	must(err->code != 0);
	if (pass->err.code == 0)
		pass->err = *err;
}

void pass_refuse(struct sync_pass *pass, const struct error *err)
{
	if (pass->refusal.code == 0)
		pass->refusal = *err;
}

size_t pass_aside_count(const struct sync_pass *pass)
{
	size_t count = 0;

	for (size_t i = 0; i < pass->setaside.count; i++)
		count += pass->setaside.records[i].uid != 0;
	return count;
}

void pass_note_moving(struct sync_pass *pass)
{
	if (pass->listing.is_stable)
		return;
	pass->result.is_local_moving = true;
	pass->result.wants_another = true;
}

enum sync_direction pass_direction(const struct sync_pass *pass)
{
	bool is_read_only = pass->open.is_read_only && pass->options.direction == SYNC_BOTH;

	return is_read_only ? SYNC_PULL : pass->options.direction;
}

uint64_t pass_policy(const struct sync_pass *pass)
{
	const struct sync_terms terms = {
		.direction = pass->options.direction,
		.expunges_deleted = pass->options.expunges_deleted,
		.max_size_bytes = pass->options.max_size_bytes,
	};

	return sync_policy_digest(&terms, pass->local->ops->flags_mask(pass->local));
}

size_t pass_group(const struct sync_pass *pass, size_t best)
{
	return pass->options.group_messages > 0 ? pass->options.group_messages : best;
}

bool pass_is_failing(const struct sync_pass *pass)
{
	return pass->err.code != 0;
}

bool pass_is_recorded(const struct sync_pass *pass)
{
	return pass->is_mailbox_recorded && pass->keywords_recorded == pass->mailbox.keywords.count;
}

uint32_t pass_uidvalidity(const struct sync_pass *pass)
{
	return pass->open.uidvalidity != 0 ? pass->open.uidvalidity : 1;
}

void pass_commit(struct sync_pass *pass, struct store_commit_req *req, port_done done)
{
	if (!pass_is_recorded(pass)) {
		store_batch_put_mailbox(&req->batch, &pass->mailbox);
		pass->is_mailbox_recorded = true;
		pass->keywords_recorded = pass->mailbox.keywords.count;
	}
	req->op.done = done;
	pass->ports.store->ops->commit(pass->ports.store, req);
}

static void pass_put_aside(struct sync_pass *pass, struct store_batch *batch,
			   const struct setaside_record *record)
{
	sync_setaside_put(&pass->setaside, record);
	store_batch_put_setaside(batch, pass->mailbox.id, record);
	if (record->uid != 0) {
		/* One that is not brought back is bound to no file any more. */
		store_batch_delete_message(batch, pass->mailbox.id, record->uid);
		log_warn(pass->options.account, "%s: UID %u set aside: %s", pass->name, record->uid,
			 record->reason);
	} else {
		log_warn(pass->options.account, "%s: %s set aside: %s", pass->name, record->name,
			 record->reason);
	}
}

void pass_set_aside(struct sync_pass *pass, struct store_batch *batch, uint32_t uid,
		    const char *name, const struct error *why)
{
	const struct setaside_record *before = sync_setaside_find(&pass->setaside, uid, name);
	struct setaside_record record = { .uid = uid };

	sync_setaside_refused(&record, before, pass->ports.env->ops->wall_s(pass->ports.env), why);
	if (uid == 0)
		(void)snprintf(record.name, sizeof(record.name), "%s", name);
	pass_put_aside(pass, batch, &record);
}

void pass_set_aside_for_good(struct sync_pass *pass, struct store_batch *batch, const char *name,
			     const struct error *why)
{
	struct setaside_record record = { .uid = 0 };

	sync_setaside_refused(&record, NULL, 0, why);
	record.next_try_s = INT64_MAX;
	(void)snprintf(record.name, sizeof(record.name), "%s", name);
	pass_put_aside(pass, batch, &record);
}

void pass_leave_too_large(struct sync_pass *pass, struct store_batch *batch, uint32_t uid,
			  uint64_t size_bytes)
{
	struct setaside_record record = { .uid = uid, .next_try_s = INT64_MAX };

	(void)snprintf(record.reason, sizeof(record.reason),
		       "%llu bytes, which is more than max_size", (unsigned long long)size_bytes);
	sync_setaside_put(&pass->setaside, &record);
	store_batch_put_setaside(batch, pass->mailbox.id, &record);
}

void pass_forget_too_large(struct sync_pass *pass)
{
	for (size_t i = pass->setaside.count; i-- > 0;) {
		struct setaside_record record = pass->setaside.records[i];
		if (sync_is_too_large(&record))
			pass_clear_aside(pass, &pass->change.batch, record.uid, record.name);
	}
}

void pass_clear_aside(struct sync_pass *pass, struct store_batch *batch, uint32_t uid,
		      const char *name)
{
	if (sync_setaside_remove(&pass->setaside, uid, name))
		store_batch_delete_setaside(batch, pass->mailbox.id, uid, name);
}

static void pass_flushed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, flush.op);
	struct store_commit_req *req = pass->behind_flush;

	pass->behind_flush = NULL;
	if (code == 0) {
		pass_commit(pass, req, req->op.done);
		return;
	}
	req->op.err = op->err;
	req->op.done(&req->op, code);
}

void pass_flush_commit(struct sync_pass *pass, struct store_commit_req *req, port_done done)
{
	must(pass->behind_flush == NULL);
	pass->behind_flush = req;
	req->op.done = done;
	pass->flush.op.done = pass_flushed;
	pass->local->ops->flush(pass->local, &pass->flush);
}

int pass_uid_is_known(struct sync_pass *pass, uint32_t uid, bool *is_known)
{
	struct message_record record;
	struct error err = { 0 };
	int code = pass->ports.store->ops->message_get(pass->ports.store, pass->mailbox.id, uid,
						       is_known, &record, &err);

	if (code != 0)
		pass_fail(pass, &err);
	return code;
}
