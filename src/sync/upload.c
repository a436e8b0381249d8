/* Upload: local messages become remote ones by APPEND. Before a group is sent its
 * files are made durable and the journal names each of them; the commit that records
 * their UIDs clears it.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void upload_next_group(struct sync_pass *pass);

static void upload_free_group(struct upload *upload)
{
	free(upload->items);
	upload->items = NULL;
	upload->item_count = 0;
	match_clear(&upload->match);
}

void upload_free(struct upload *upload)
{
	upload_free_group(upload);
	match_free(&upload->match);
	store_batch_free(&upload->commit.batch);
}

/* --- Recording what became of the group -------------------------------------------- */

static void upload_record(struct sync_pass *pass, const struct upload_item *item, uint32_t uid)
{
	struct store_batch *batch = &pass->upload.commit.batch;
	struct message_record record = {
		.uid = uid,
		.flags = item->append.flags,
		.size_bytes = item->examine.size_bytes,
		.identity = item->examine.identity,
	};

	memcpy(record.name, item->action->name, strlen(item->action->name) + 1);
	if (uid >= pass->upload.uidnext && uid < UINT32_MAX)
		pass->upload.uidnext = uid + 1;
	store_batch_put_message(batch, pass->mailbox.id, &record);
	store_batch_delete_journal(batch, pass->mailbox.id, JOURNAL_APPEND, record.name);
	pass_clear_aside(pass, batch, 0, record.name);
	pass->result.counts.appended++;
	pass->result.counts.appended_bytes += record.size_bytes;
}

static void upload_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, upload.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	if (pass->options.progress != NULL)
		pass->options.progress(pass, &pass->result.counts, 0, pass->upload.count);
	upload_next_group(pass);
}

/* Changed by the server beyond recognition, or deleted there at once. Sent again
 * and again it would become a hundred copies (QUIRKS, OfflineIMAP #676). */
static void upload_give_up(struct sync_pass *pass, const struct upload_item *item)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_EMESSAGE,
		  "the server accepted this message but it cannot be found there");
	pass_set_aside_for_good(pass, &pass->upload.commit.batch, item->action->name, &err);
	store_batch_delete_journal(&pass->upload.commit.batch, pass->mailbox.id, JOURNAL_APPEND,
				   item->action->name);
}

static void upload_commit_group(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;
	struct store_batch *batch = &upload->commit.batch;

	for (size_t i = 0; i < upload->item_count; i++) {
		const struct upload_item *item = &upload->items[i];
		if (item->is_sent && item->append.uid != 0)
			upload_record(pass, item, item->append.uid);
		if (item->is_untraceable)
			upload_give_up(pass, item);
		if (item->is_journal_void)
			store_batch_delete_journal(batch, pass->mailbox.id, JOURNAL_APPEND,
						   item->action->name);
		if (item->err.code != SYNCD_EMESSAGE)
			continue;
		pass_set_aside(pass, batch, 0, item->action->name, &item->err);
		store_batch_delete_journal(batch, pass->mailbox.id, JOURNAL_APPEND,
					   item->action->name);
	}
	if (batch->count > 0)
		pass_commit(pass, &upload->commit, upload_committed);
	else
		upload_next_group(pass);
}

static void upload_paired(struct sync_pass *pass, const struct candidate *local,
			  const struct candidate *remote)
{
	pass->upload.items[local->index].append.uid = remote->uid;
}

/* The server took some messages without telling their UIDs (no UIDPLUS). */
static void upload_identified(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, upload.match.identify.op);
	struct upload *upload = &pass->upload;

	if (code != 0) {
		pass_fail(pass, &op->err);
		upload_commit_group(pass);
		return;
	}
	match_pairs(&upload->match, upload_paired);
	for (size_t i = 0; i < upload->item_count; i++) {
		struct upload_item *item = &upload->items[i];
		item->is_untraceable = item->is_sent && item->append.uid == 0;
	}
	upload_commit_group(pass);
}

static void upload_group_sent(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;

	for (size_t i = 0; i < upload->item_count; i++) {
		const struct upload_item *item = &upload->items[i];
		if (!item->is_sent || item->append.uid != 0)
			continue;
		candidates_add(&upload->match.locals,
			       &(struct candidate){
				       .identity = item->examine.identity,
				       .size_bytes = item->examine.size_bytes,
				       .name = item->action->name,
				       .index = i,
			       });
	}
	if (upload->match.locals.count > 0 && !pass_is_failing(pass))
		match_identify_from(pass, &upload->match, upload->uidnext, upload_identified);
	else
		upload_commit_group(pass);
}

/* --- Sending ---------------------------------------------------------------------------- */

static void upload_close_reader(struct upload_item *item)
{
	if (item->reader != NULL)
		item->pass->local->ops->reader_close(item->reader);
	item->reader = NULL;
}

static int upload_read(struct remote_append_req *req, char *out, size_t size, size_t *len)
{
	struct upload_item *item = container_of(req, struct upload_item, append);
	struct local_mailbox *local = item->pass->local;

	*len = 0;
	return local->ops->reader_read(item->reader, out, size, len, &item->err);
}

/* Nothing is stored of it yet: that it has vanished meanwhile costs nothing. */
static int upload_rewind(struct remote_append_req *req)
{
	struct upload_item *item = container_of(req, struct upload_item, append);
	struct local_mailbox *local = item->pass->local;
	struct error err = { 0 };

	upload_close_reader(item);
	int code = local->ops->reader_open(local, item->action->name, &item->reader, &err);
	item->is_journal_void = code != 0;
	return code == SYNCD_ENOTFOUND ? SYNCD_EMESSAGE : code;
}

/* Over quota: nothing more is sent, but what this pass would delete may be the cure. */
static void upload_stop(struct sync_pass *pass, const struct error *err)
{
	pass->upload.is_stopped = true;
	pass_refuse(pass, err);
}

static void upload_appended(struct port_op *op, int code)
{
	struct upload_item *item = container_of(op, struct upload_item, append.op);
	struct sync_pass *pass = item->pass;

	upload_close_reader(item);
	if (code == 0)
		item->is_sent = true;
	else if (code == SYNCD_EMESSAGE && item->err.code == 0 && !item->is_journal_void)
		item->err = op->err;
	else if (code == SYNCD_ENOSPC)
		upload_stop(pass, &op->err);
	else if (code != SYNCD_EMESSAGE)
		pass_fail(pass, &op->err);
	must(pass->upload.in_flight > 0);
	if (--pass->upload.in_flight == 0)
		upload_group_sent(pass);
}

/* Before its APPEND is announced: a file that has vanished by then costs nothing, in the
 * middle of a literal it costs the connection. */
static void upload_open_reader(struct sync_pass *pass, struct upload_item *item)
{
	struct local_mailbox *local = pass->local;
	struct error err = { 0 };

	if (item->is_dropped)
		return;
	int code = local->ops->reader_open(local, item->action->name, &item->reader, &err);
	item->is_dropped = code != 0;
	item->is_journal_void = code != 0;
	if (code != 0 && code != SYNCD_EMESSAGE && code != SYNCD_ENOTFOUND)
		pass_fail(pass, &err);
}

static void upload_send_group(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;

	for (size_t i = 0; i < upload->item_count; i++) {
		upload_open_reader(pass, &upload->items[i]);
		upload->in_flight += !upload->items[i].is_dropped;
	}
	if (upload->in_flight == 0) {
		upload_commit_group(pass);
		return;
	}
	for (size_t i = 0; i < upload->item_count; i++) {
		struct upload_item *item = &upload->items[i];
		if (item->is_dropped)
			continue;
		item->append.op.done = upload_appended;
		item->append.size_bytes = item->examine.size_bytes;
		item->append.has_nul = item->examine.has_nul;
		item->append.flags = item->action->flags & pass->open.flags_mask;
		item->append.internaldate_s = item->examine.mtime_s;
		item->append.read = upload_read;
		item->append.rewind = upload_rewind;
		pass->remote->ops->append(pass->remote, &item->append);
	}
}

static void upload_journalled(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, upload.commit.op);

	if (code != 0)
		pass_fail(pass, &op->err);
	if (pass_is_failing(pass))
		pass_piece_done(pass);
	else
		upload_send_group(pass);
}

static void upload_journal_group(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;
	size_t sendable = 0;

	for (size_t i = 0; i < upload->item_count; i++) {
		const struct upload_item *item = &upload->items[i];
		struct journal_record journal = {
			.kind = JOURNAL_APPEND,
			.flags = item->action->flags & pass->open.flags_mask,
			.uidvalidity = pass->mailbox.uidvalidity,
			.uidnext = upload->uidnext,
			.size_bytes = item->examine.size_bytes,
			.identity = item->examine.identity,
		};
		if (item->is_dropped)
			continue;
		memcpy(journal.name, item->action->name, strlen(item->action->name) + 1);
		store_batch_put_journal(&upload->commit.batch, pass->mailbox.id, &journal);
		sendable++;
	}
	if (sendable > 0)
		pass_flush_commit(pass, &upload->commit, upload_journalled);
	else
		upload_commit_group(pass);
}

/* --- Examining ------------------------------------------------------------------------------ */

static void upload_examined(struct port_op *op, int code)
{
	struct upload_item *item = container_of(op, struct upload_item, examine.op);
	struct sync_pass *pass = item->pass;

	item->is_dropped = code != 0;
	if (code == SYNCD_EMESSAGE)
		item->err = op->err;
	else if (code != 0 && code != SYNCD_ENOTFOUND)
		pass_fail(pass, &op->err);
	must(pass->upload.in_flight > 0);
	if (--pass->upload.in_flight > 0)
		return;
	if (pass_is_failing(pass))
		pass_piece_done(pass);
	else
		upload_journal_group(pass);
}

static void upload_next_group(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;
	size_t left = upload->count - upload->next;

	upload_free_group(upload);
	if (left == 0 || upload->is_stopped || pass_is_failing(pass)) {
		pass_piece_done(pass);
		return;
	}
	size_t most = pass_group(pass, APPEND_GROUP_MESSAGES);
	upload->item_count = left < most ? left : most;
	upload->items = xcalloc(upload->item_count, sizeof(*upload->items));
	upload->in_flight = upload->item_count;
	for (size_t i = 0; i < upload->item_count; i++) {
		struct upload_item *item = &upload->items[i];
		item->pass = pass;
		item->action = &upload->actions[upload->next++];
		item->examine.op.done = upload_examined;
		item->examine.name = item->action->name;
		pass->local->ops->examine(pass->local, &item->examine);
	}
}

/* The least UID an appended message can get. */
static uint32_t upload_first_uid(const struct sync_pass *pass)
{
	const struct remote_observation *obs = &pass->observation;
	uint32_t first = obs->uidnext > pass->open.uidnext ? obs->uidnext : pass->open.uidnext;

	if (obs->count > 0 && obs->items[obs->count - 1].uid >= first)
		first = obs->items[obs->count - 1].uid + 1;
	return first;
}

void upload_start(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;

	upload->actions = sync_plan_of(&pass->plan, SYNC_APPEND, &upload->count);
	upload->uidnext = upload_first_uid(pass);
	store_batch_init(&upload->commit.batch);
	upload_next_group(pass);
}
