/* Upload: local messages become remote ones by APPEND, in groups, one of which is prepared while
 * the one before is on its way. Before a group is sent its files are made durable and the journal
 * names each of them; a later commit, that of the next group but one, records their UIDs and
 * clears it.
 * SPDX-License-Identifier: MIT */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void upload_advance(struct sync_pass *pass);
static void upload_send(struct sync_pass *pass);

static void upload_free_group(struct upload_group *group)
{
	free(group->items);
	*group = (struct upload_group){ .count = 0 };
}

void upload_free(struct upload *upload)
{
	upload_free_group(&upload->ready);
	upload_free_group(&upload->flying);
	match_free(&upload->match);
	store_batch_free(&upload->commit.batch);
}

/* --- What became of a group ---------------------------------------------------------- */

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
	kept_note(pass, uid, record.flags);
	store_batch_put_message(batch, pass->mailbox.id, &record);
	store_batch_delete_journal(batch, pass->mailbox.id, JOURNAL_APPEND, record.name);
	pass_clear_aside(pass, batch, 0, record.name);
	pass->result.counts.appended++;
	pass->result.counts.appended_bytes += record.size_bytes;
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

static void upload_land_item(struct sync_pass *pass, const struct upload_item *item)
{
	struct store_batch *batch = &pass->upload.commit.batch;
	const char *name = item->action->name;

	if (item->is_sent && item->append.uid != 0)
		upload_record(pass, item, item->append.uid);
	if (item->is_untraceable)
		upload_give_up(pass, item);
	if (item->err.code == SYNCD_EMESSAGE)
		pass_set_aside(pass, batch, 0, name, &item->err);
	if (item->err.code == SYNCD_EMESSAGE || item->is_journal_void)
		store_batch_delete_journal(batch, pass->mailbox.id, JOURNAL_APPEND, name);
}

/* Into the batch of the next commit. */
static void upload_land(struct sync_pass *pass)
{
	struct upload_group *group = &pass->upload.flying;

	for (size_t i = 0; i < group->count; i++)
		upload_land_item(pass, &group->items[i]);
	upload_free_group(group);
	match_clear(&pass->upload.match);
}

static void upload_landed(struct sync_pass *pass)
{
	pass->upload.is_flying = false;
	upload_advance(pass);
}

/* What is sent from now on gets higher UIDs than those found. */
static void upload_paired(struct sync_pass *pass, const struct candidate *local,
			  const struct candidate *remote)
{
	struct upload *upload = &pass->upload;

	upload->flying.items[local->index].append.uid = remote->uid;
	if (remote->uid >= upload->uidnext && remote->uid < UINT32_MAX)
		upload->uidnext = remote->uid + 1;
}

static bool upload_is_told(const struct upload_group *group, uint32_t uid)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->items[i].append.uid == uid)
			return true;
	}
	return false;
}

/* The state does not know them yet, but whose they are is clear. */
static void upload_drop_told(struct upload *upload)
{
	struct candidates *remotes = &upload->match.remotes;
	size_t kept = 0;

	for (size_t i = 0; i < remotes->count; i++) {
		if (!upload_is_told(&upload->flying, remotes->items[i].uid))
			remotes->items[kept++] = remotes->items[i];
	}
	remotes->count = kept;
}

/* What is there was stored; what is not goes once more, by itself. */
static void upload_judge(const struct upload *upload, struct upload_item *item)
{
	bool is_found = item->append.uid != 0;

	item->is_untraceable = item->is_sent && !is_found;
	if (!item->append.is_unclear)
		return;
	item->append.is_unclear = false;
	item->append.is_alone = true;
	item->is_sent = is_found;
	item->is_due = !is_found && !upload->is_stopped;
	item->is_journal_void = !is_found && upload->is_stopped;
}

/* The server took some messages without telling their UIDs (no UIDPLUS), or refused some together
 * and does not say which it has all the same. */
static void upload_identified(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, upload.match.identify.op);
	struct upload_group *group = &pass->upload.flying;

	if (code != 0) {
		pass_fail(pass, &op->err);
		upload_landed(pass);
		return;
	}
	upload_drop_told(&pass->upload);
	match_pairs(&pass->upload.match, upload_paired);
	match_clear(&pass->upload.match);
	for (size_t i = 0; i < group->count; i++)
		upload_judge(&pass->upload, &group->items[i]);
	upload_send(pass);
}

static bool upload_is_open(const struct upload_item *item)
{
	return item->append.is_unclear ||
	       (item->is_sent && item->append.uid == 0 && !item->is_untraceable);
}

static void upload_answered(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;

	for (size_t i = 0; i < upload->flying.count; i++) {
		const struct upload_item *item = &upload->flying.items[i];
		if (!upload_is_open(item))
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
		upload_landed(pass);
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

/* Over quota: nothing more is sent, but what this pass would delete may be the cure. */
static void upload_stop(struct sync_pass *pass, const struct error *err)
{
	pass->upload.is_stopped = true;
	pass_refuse(pass, err);
}

static void upload_refused(struct sync_pass *pass, struct upload_item *item)
{
	const struct error *err = &item->append.op.err;

	item->is_journal_void = err->code == SYNCD_ENOSPC;
	if (err->code == SYNCD_EMESSAGE && item->err.code == 0)
		item->err = *err;
	else if (err->code == SYNCD_ENOSPC)
		upload_stop(pass, err);
	else if (err->code != SYNCD_EMESSAGE)
		pass_fail(pass, err);
}

/* Whether the UID is that of a message known before, or told of another one too. */
static bool upload_is_anothers(const struct sync_pass *pass, const struct upload_item *item)
{
	const struct upload *upload = &pass->upload;
	struct store_port *store = pass->ports.store;
	struct message_record record;
	struct error err = { 0 };
	uint32_t uid = item->append.uid;
	bool is_known = false;

	for (size_t i = 0; i < upload->flying.count; i++) {
		const struct upload_item *other = &upload->flying.items[i];
		is_known |= other != item && other->append.uid == uid;
	}
	if (is_known || uid >= upload->uidnext)
		return is_known;
	return store->ops->message_get(store, pass->mailbox.id, uid, &is_known, &record, &err) !=
		       0 ||
	       is_known || remote_observation_has(&pass->observation, uid);
}

static void upload_appended(struct port_op *op, int code)
{
	struct upload_item *item = container_of(op, struct upload_item, append.op);
	struct sync_pass *pass = item->pass;

	upload_close_reader(item);
	item->is_sent = code == 0;
	/* In the state it would take the place of the one whose it is. */
	if (item->append.uid != 0 && upload_is_anothers(pass, item))
		item->append.uid = 0;
	if (code != 0 && !item->append.is_unclear)
		upload_refused(pass, item);
	must(pass->upload.flying.under_way > 0);
	if (--pass->upload.flying.under_way == 0)
		upload_answered(pass);
}

/* Before its APPEND is announced: a file that has vanished by then costs nothing, in the
 * middle of a literal it costs the connection. */
static void upload_open_reader(struct sync_pass *pass, struct upload_item *item)
{
	struct local_mailbox *local = pass->local;
	struct error err = { 0 };

	if (!item->is_due)
		return;
	int code = local->ops->reader_open(local, item->action->name, &item->reader, &err);
	item->is_due = code == 0;
	item->is_journal_void = code != 0;
	if (code == SYNCD_EMESSAGE)
		item->err = err;
	else if (code != 0 && code != SYNCD_ENOTFOUND)
		pass_fail(pass, &err);
}

static void upload_send_item(struct sync_pass *pass, struct upload_item *item)
{
	if (!item->is_due)
		return;
	item->is_due = false;
	item->append.op.done = upload_appended;
	item->append.size_bytes = item->examine.size_bytes;
	item->append.has_nul = item->examine.has_nul;
	item->append.flags = item->action->flags & pass->open.flags_mask;
	item->append.internaldate_s = item->examine.mtime_s;
	item->append.read = upload_read;
	pass->remote->ops->append(pass->remote, &item->append);
}

static void upload_send(struct sync_pass *pass)
{
	struct upload_group *group = &pass->upload.flying;

	for (size_t i = 0; i < group->count; i++) {
		upload_open_reader(pass, &group->items[i]);
		group->under_way += group->items[i].is_due;
	}
	if (group->under_way == 0) {
		upload_landed(pass);
		return;
	}
	for (size_t i = 0; i < group->count; i++)
		upload_send_item(pass, &group->items[i]);
}

/* --- Preparing ------------------------------------------------------------------------- */

static void upload_prepared(struct sync_pass *pass)
{
	pass->upload.is_preparing = false;
	upload_advance(pass);
}

static void upload_note_commit(struct sync_pass *pass, int code, const struct error *err)
{
	if (code != 0)
		pass_fail(pass, err);
	pass->upload.is_broken |= code != 0;
	if (pass->options.progress != NULL)
		pass->options.progress(pass, &pass->result.counts, 0, pass->upload.count);
}

static void upload_journalled(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, upload.commit.op);

	upload_note_commit(pass, code, &op->err);
	pass->upload.ready.is_journalled = code == 0;
	upload_prepared(pass);
}

static size_t upload_put_journal(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;
	size_t sendable = 0;

	for (size_t i = 0; i < upload->ready.count; i++) {
		const struct upload_item *item = &upload->ready.items[i];
		struct journal_record journal = {
			.kind = JOURNAL_APPEND,
			.flags = item->action->flags & pass->open.flags_mask,
			.uidvalidity = pass->mailbox.uidvalidity,
			.uidnext = upload->uidnext,
			.size_bytes = item->examine.size_bytes,
			.identity = item->examine.identity,
		};
		if (!item->is_due)
			continue;
		memcpy(journal.name, item->action->name, strlen(item->action->name) + 1);
		store_batch_put_journal(&upload->commit.batch, pass->mailbox.id, &journal);
		sendable++;
	}
	return sendable;
}

static void upload_examined(struct port_op *op, int code)
{
	struct upload_item *item = container_of(op, struct upload_item, examine.op);
	struct sync_pass *pass = item->pass;

	item->is_due = code == 0;
	if (code == SYNCD_EMESSAGE)
		item->err = op->err;
	else if (code != 0 && code != SYNCD_ENOTFOUND)
		pass_fail(pass, &op->err);
	must(pass->upload.ready.under_way > 0);
	if (--pass->upload.ready.under_way > 0)
		return;
	if (!pass_is_failing(pass) && upload_put_journal(pass) > 0)
		pass_flush_commit(pass, &pass->upload.commit, upload_journalled);
	else
		upload_prepared(pass);
}

static void upload_prepare(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;
	struct upload_group *group = &upload->ready;
	size_t left = upload->count - upload->next;
	size_t most = pass_group(pass, APPEND_GROUP_MESSAGES);

	group->count = left < most ? left : most;
	group->items = xcalloc(group->count, sizeof(*group->items));
	group->under_way = group->count;
	for (size_t i = 0; i < group->count; i++) {
		struct upload_item *item = &group->items[i];
		item->pass = pass;
		item->action = &upload->actions[upload->next++];
		item->examine.op.done = upload_examined;
		item->examine.name = item->action->name;
		pass->local->ops->examine(pass->local, &item->examine);
	}
}

/* --- One group behind another ------------------------------------------------------------- */

static void upload_committed(struct port_op *op, int code)
{
	struct sync_pass *pass = container_of(op, struct sync_pass, upload.commit.op);

	upload_note_commit(pass, code, &op->err);
	pass_piece_done(pass);
}

/* What is journalled and will not be sent need not be looked for. */
static void upload_withdraw(struct sync_pass *pass)
{
	struct upload_group *group = &pass->upload.ready;

	for (size_t i = 0; group->is_journalled && i < group->count; i++)
		store_batch_delete_journal(&pass->upload.commit.batch, pass->mailbox.id,
					   JOURNAL_APPEND, group->items[i].action->name);
	upload_free_group(group);
}

/* After a commit that failed there is none: what that one held must come before. */
static void upload_end(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;

	upload_withdraw(pass);
	if (upload->commit.batch.count > 0 && !upload->is_broken)
		pass_commit(pass, &upload->commit, upload_committed);
	else
		pass_piece_done(pass);
}

/* When one group is answered and the next one prepared. Until then the batch may be in a commit. */
static void upload_advance(struct sync_pass *pass)
{
	struct upload *upload = &pass->upload;

	if (upload->is_preparing || upload->is_flying)
		return;
	upload_land(pass);
	bool is_over = upload->is_stopped || pass_is_failing(pass);
	bool has_more = upload->next < upload->count;
	if (is_over || (!has_more && upload->ready.count == 0)) {
		upload_end(pass);
		return;
	}
	upload->flying = upload->ready;
	upload->ready = (struct upload_group){ .count = 0 };
	upload->is_flying = upload->flying.count > 0;
	upload->is_preparing = has_more;
	if (has_more)
		upload_prepare(pass);
	if (upload->is_flying)
		upload_send(pass);
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
	upload_advance(pass);
}
