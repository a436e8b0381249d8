/* Moves and copies of files, carried out on the server: UID MOVE or COPY in groups, each behind a
 * flush and the journal (DESIGN 5). What goes wrong here is left to the passes, to which it is a
 * new message and one that is gone.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define PLACES_MAX 16 /* copies of one message that are looked at */

static void transfer_next(struct transfer *transfer);

static struct sync_tree *tree_of(struct transfer *transfer)
{
	return container_of(transfer, struct sync_tree, transfer);
}

/* --- What is to be done ------------------------------------------------------------ */

static void add_item(struct transfer *transfer, const struct transfer_item *item)
{
	transfer->items =
		xgrow(transfer->items, transfer->count, &transfer->cap, sizeof(*transfer->items));
	transfer->items[transfer->count++] = *item;
}

static void add_move(struct transfer *transfer, const struct sync_came *came,
		     const struct sync_gone *gone)
{
	add_item(transfer, &(struct transfer_item){
				   .came = came,
				   .from = gone->mailbox,
				   .uid = gone->uid,
				   .agreed = gone->flags,
				   .is_rewritten = strcmp(gone->name, came->name) != 0,
			   });
}

static const struct tree_mailbox *find_id(struct sync_tree *tree, uint32_t id)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->mailboxes[i].is_known && tree->mailboxes[i].record.id == id)
			return &tree->mailboxes[i];
	}
	return NULL;
}

/* The first message of the account that this one is a copy of; false when there is none. */
static int find_original(struct sync_tree *tree, const struct sync_came *came, bool *is_found,
			 struct transfer_item *item, struct error *err)
{
	struct store_port *store = tree->ports.store;
	struct message_place places[PLACES_MAX];
	struct message_record record;
	size_t count = 0;
	int code = store->ops->messages_by_identity(store, &came->identity, places, PLACES_MAX,
						    &count, err);

	*is_found = false;
	for (size_t i = 0; code == 0 && i < count && !*is_found; i++) {
		const struct tree_mailbox *from = find_id(tree, places[i].mailbox_id);
		bool is_there = false;
		if (from == NULL)
			continue;
		code = store->ops->message_get(store, places[i].mailbox_id, places[i].uid,
					       &is_there, &record, err);
		*is_found = code == 0 && is_there &&
			    sync_is_same_message(came, &record.identity, record.size_bytes,
						 record.flags, record.name);
		*item = (struct transfer_item){
			.came = came,
			.from = (size_t)(from - tree->mailboxes),
			.uid = record.uid,
			.agreed = record.flags,
			.is_copy = true,
			.is_rewritten = true,
		};
	}
	return code;
}

static int compare_items(const void *a, const void *b)
{
	const struct transfer_item *left = a;
	const struct transfer_item *right = b;

	if (left->from != right->from)
		return left->from > right->from ? 1 : -1;
	if (left->is_copy != right->is_copy)
		return left->is_copy ? -1 : 1;
	if (left->came->mailbox != right->came->mailbox)
		return left->came->mailbox > right->came->mailbox ? 1 : -1;
	if (left->uid != right->uid)
		return left->uid > right->uid ? 1 : -1;
	return strcmp(left->came->name, right->came->name);
}

static int collect(struct sync_tree *tree, struct error *err)
{
	const struct sync_moves *moves = &tree->survey.moves;
	struct transfer *transfer = &tree->transfer;
	struct transfer_item item;
	int code = 0;

	for (size_t i = 0; code == 0 && i < moves->came_count; i++) {
		const struct sync_came *came = &moves->came[i];
		bool is_copy = false;
		if (came->was != SYNC_NOT_MOVED) {
			add_move(transfer, came, &moves->gone[came->was]);
			continue;
		}
		code = find_original(tree, came, &is_copy, &item, err);
		if (is_copy)
			add_item(transfer, &item);
	}
	if (transfer->count > 1)
		qsort(transfer->items, transfer->count, sizeof(*transfer->items), compare_items);
	return code;
}

/* --- Opening and closing ---------------------------------------------------------------- */

static int side_open(struct sync_tree *tree, struct transfer_side *side,
		     struct tree_mailbox *mailbox, struct error *err)
{
	struct store_port *store = tree->ports.store;
	int code =
		store->ops->mailbox_get(store, mailbox->name, &side->is_known, &side->record, err);

	if (code != 0 || !side->is_known) {
		side->is_known = false;
		side->record = (struct mailbox_record){ .id = 0 };
		(void)snprintf(side->record.name, sizeof(side->record.name), "%s", mailbox->name);
	}
	side->mailbox = mailbox;
	if (code == 0 && mailbox->is_local)
		code = tree->ports.local->ops->open(tree->ports.local, mailbox->name,
						    &side->record.keywords, &side->local, err);
	return code;
}

static void side_close(struct transfer_side *side)
{
	if (side->mailbox == NULL)
		return;
	if (side->local != NULL)
		side->local->ops->close(side->local);
	keyword_table_free(&side->record.keywords);
	*side = (struct transfer_side){ .mailbox = NULL };
}

static void source_close_remote(struct transfer *transfer)
{
	if (transfer->remote != NULL)
		transfer->remote->ops->close(transfer->remote);
	transfer->remote = NULL;
}

static void source_close(struct transfer *transfer)
{
	source_close_remote(transfer);
	side_close(&transfer->source);
	transfer->is_source_flushed = false;
}

/* --- The steps of one group ----------------------------------------------------------------
 * Each starts something, and is stepped on when that is done, or returns false. */

static void transfer_step(struct transfer *transfer);

static void fail(struct transfer *transfer, const struct error *err)
{
	if (transfer->err.code == 0)
		transfer->err = *err;
}

static void refuse(struct transfer *transfer, int code, const char *why)
{
	struct error err = { 0 };

	error_set(&err, code, "%s", why);
	fail(transfer, &err);
}

static void stepped(struct transfer *transfer, const struct port_op *op, int code)
{
	if (code != 0)
		fail(transfer, &op->err);
	transfer_step(transfer);
}

static struct transfer_item *first_of(const struct transfer *transfer)
{
	return &transfer->items[transfer->begin];
}

/* Only its file has another name. */
static bool is_rename(const struct transfer *transfer)
{
	const struct transfer_item *item = first_of(transfer);

	return !item->is_copy && item->from == item->came->mailbox;
}

static bool open_locals(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);
	const struct transfer_item *item = first_of(transfer);
	struct tree_mailbox *source = &tree->mailboxes[item->from];
	struct error err = { 0 };

	if (transfer->source.mailbox != source) {
		source_close(transfer);
		if (side_open(tree, &transfer->source, source, &err) != 0)
			fail(transfer, &err);
		transfer->is_source_flushed = !source->is_local;
	}
	if (transfer->err.code == 0 &&
	    side_open(tree, &transfer->target, &tree->mailboxes[item->came->mailbox], &err) != 0)
		fail(transfer, &err);
	return false;
}

/* Where both sides have messages that the state does not know yet, they are to be paired first:
 * behind a new UIDVALIDITY, what seems new here may be there long since. */
static void judge_status(struct transfer *transfer, const struct mailbox_status *status)
{
	struct mailbox_record *record = &transfer->target.record;

	if (record->uidvalidity != 0 && record->uidvalidity != status->uidvalidity)
		refuse(transfer, SYNCD_EVALIDITY, "UIDVALIDITY of the target changed");
	else if (record->uidvalidity == 0 && status->messages > 0)
		refuse(transfer, SYNCD_EMESSAGE, "the target was never synchronised");
	else if (status->uidvalidity == 0 || status->uidnext == 0)
		refuse(transfer, SYNCD_EMESSAGE, "the server does not tell the target's UIDNEXT");
	if (record->uidvalidity != 0)
		return; /* and the UIDNEXT that was true once will do */
	record->uidvalidity = status->uidvalidity;
	record->uidnext = status->uidnext;
}

static void status_told(struct port_op *op, int code)
{
	struct transfer *transfer = container_of(op, struct transfer, status.op);

	if (code == 0)
		judge_status(transfer, &transfer->status.status);
	stepped(transfer, op, code);
}

/* Unless it was told with the list. The source gives its session back: there may be no other. */
static bool ask_status(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);
	const struct mailbox_status *told = &transfer->target.mailbox->status;

	if (is_rename(transfer))
		return false;
	if (told->uidvalidity != 0 && told->uidnext != 0) {
		judge_status(transfer, told);
		return false;
	}
	source_close_remote(transfer);
	transfer->status = (struct remote_status_req){ .name = transfer->target.mailbox->name };
	transfer->status.op.done = status_told;
	tree->ports.remote->ops->status(tree->ports.remote, &transfer->status);
	return true;
}

static void opened(struct port_op *op, int code)
{
	struct transfer *transfer = container_of(op, struct transfer, open.op);

	if (code == 0) {
		transfer->remote = transfer->open.mailbox;
		if (transfer->open.uidvalidity != transfer->source.record.uidvalidity)
			refuse(transfer, SYNCD_EVALIDITY, "UIDVALIDITY of the source changed");
		if (transfer->open.is_read_only && !first_of(transfer)->is_copy)
			refuse(transfer, SYNCD_EMESSAGE, "the source is read-only");
	}
	stepped(transfer, op, code);
}

static bool open_remote(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);

	if (is_rename(transfer) || transfer->remote != NULL)
		return false;
	transfer->open = (struct remote_open_req){
		.name = transfer->source.mailbox->name,
		.keywords = &transfer->source.record.keywords,
	};
	transfer->open.op.done = opened;
	tree->ports.remote->ops->open(tree->ports.remote, &transfer->open);
	return true;
}

/* A keyword's bit, and its letter in file names, are each mailbox's own. */
static uint64_t translate_flags(const struct keyword_table *from, struct keyword_table *to,
				uint64_t flags)
{
	uint64_t result = flags & FLAGS_SYSTEM;

	for (size_t i = 0; i < from->count; i++) {
		uint64_t bit = (uint64_t)1 << (FLAGS_SYSTEM_COUNT + i);
		if ((flags & bit) != 0)
			result |= keyword_table_intern(to, slice_of(from->names[i]));
	}
	return result;
}

static void translate_item(struct transfer *transfer, struct transfer_item *item)
{
	struct local_mailbox *local = transfer->target.local;
	struct error err = { 0 };

	item->flags = item->agreed;
	if (transfer->source.mailbox == transfer->target.mailbox ||
	    (item->agreed & FLAGS_KEYWORDS) == 0)
		return;
	item->flags = translate_flags(&transfer->source.record.keywords,
				      &transfer->target.record.keywords, item->agreed);
	int code = local->ops->set_keywords(local, item->came->name, item->flags, &err);
	if (code == SYNCD_ENOTFOUND)
		item->is_void = true;
	else if (code != 0)
		fail(transfer, &err);
}

static bool translate(struct transfer *transfer)
{
	for (size_t i = transfer->begin; i < transfer->end && transfer->err.code == 0; i++)
		translate_item(transfer, &transfer->items[i]);
	return false;
}

static void examined(struct port_op *op, int code)
{
	struct transfer_item *item = container_of(op, struct transfer_item, examine.op);
	struct transfer *transfer = item->transfer;

	item->is_void |= code != 0 || item->examine.size_bytes != item->came->size_bytes ||
			 !digest_equals(&item->examine.identity, &item->came->identity);
	must(transfer->examining > 0);
	if (--transfer->examining == 0)
		transfer_step(transfer);
}

static bool examine_rewritten(struct transfer *transfer)
{
	struct local_mailbox *local = transfer->target.local;

	transfer->examining = 0;
	for (size_t i = transfer->begin; i < transfer->end; i++)
		transfer->examining += transfer->items[i].is_rewritten;
	bool is_waiting = transfer->examining > 0;
	for (size_t i = transfer->begin; i < transfer->end; i++) {
		struct transfer_item *item = &transfer->items[i];
		if (!item->is_rewritten)
			continue;
		item->transfer = transfer;
		item->examine = (struct local_examine_req){ .name = item->came->name };
		item->examine.op.done = examined;
		local->ops->examine(local, &item->examine);
	}
	return is_waiting;
}

static void flushed(struct port_op *op, int code)
{
	stepped(container_of(op, struct transfer, flush.op), op, code);
}

static bool flush(struct transfer *transfer, struct local_mailbox *local)
{
	transfer->flush.op.done = flushed;
	local->ops->flush(local, &transfer->flush);
	return true;
}

static bool flush_target(struct transfer *transfer)
{
	return flush(transfer, transfer->target.local);
}

static bool flush_source(struct transfer *transfer)
{
	if (transfer->is_source_flushed || transfer->source.mailbox == transfer->target.mailbox)
		return false;
	transfer->is_source_flushed = true;
	return flush(transfer, transfer->source.local);
}

static void committed(struct port_op *op, int code)
{
	stepped(container_of(op, struct transfer, commit.op), op, code);
}

static bool commit(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);

	if (transfer->commit.batch.count == 0)
		return false;
	transfer->commit.op.done = committed;
	tree->ports.store->ops->commit(tree->ports.store, &transfer->commit);
	return true;
}

/* As of an upload: should the answer be lost, the target's next pass looks whether they came. */
static bool journal(struct transfer *transfer)
{
	struct transfer_side *target = &transfer->target;
	struct store_batch *batch = &transfer->commit.batch;

	if (is_rename(transfer))
		return false;
	if (!target->is_known)
		target->record.id = tree_of(transfer)->ports.store->ops->mailbox_new_id(
			tree_of(transfer)->ports.store);
	store_batch_put_mailbox(batch, &target->record);
	transfer->is_journalled = true;
	for (size_t i = transfer->begin; i < transfer->end; i++) {
		const struct transfer_item *item = &transfer->items[i];
		struct journal_record record = {
			.kind = JOURNAL_APPEND,
			.flags = item->flags,
			.uidvalidity = target->record.uidvalidity,
			.uidnext = target->record.uidnext,
			.size_bytes = item->came->size_bytes,
			.identity = item->came->identity,
		};
		if (item->is_void)
			continue;
		(void)snprintf(record.name, sizeof(record.name), "%s", item->came->name);
		store_batch_put_journal(batch, target->record.id, &record);
	}
	return commit(transfer);
}

static void transferred(struct remote_transfer_req *req, uint32_t uid, uint32_t target_uid)
{
	struct transfer *transfer = container_of(req, struct transfer, request);

	for (size_t i = transfer->begin; i < transfer->end; i++) {
		struct transfer_item *item = &transfer->items[i];
		if (item->uid == uid && !item->is_void && item->target_uid == 0) {
			item->target_uid = target_uid;
			return;
		}
	}
}

static void sent(struct port_op *op, int code)
{
	struct transfer *transfer = container_of(op, struct transfer, request.op);

	stepped(transfer, op, code);
}

static bool send(struct transfer *transfer)
{
	if (is_rename(transfer))
		return false;
	uidset_clear(&transfer->uids);
	for (size_t i = transfer->begin; i < transfer->end; i++) {
		if (!transfer->items[i].is_void)
			must(uidset_add(&transfer->uids, transfer->items[i].uid) == 0);
	}
	if (uidset_is_empty(&transfer->uids))
		return false;
	transfer->request = (struct remote_transfer_req){
		.uids = &transfer->uids,
		.target = transfer->target.mailbox->name,
		.is_move = !first_of(transfer)->is_copy,
		.transferred = transferred,
	};
	transfer->request.op.done = sent;
	transfer->is_sent = true;
	transfer->remote->ops->transfer(transfer->remote, &transfer->request);
	return true;
}

/* --- Recording ------------------------------------------------------------------------------ */

static void record_message(struct transfer *transfer, const struct transfer_item *item,
			   uint32_t uid)
{
	struct message_record record = {
		.uid = uid,
		.flags = item->flags,
		.size_bytes = item->came->size_bytes,
		.identity = item->came->identity,
	};

	(void)snprintf(record.name, sizeof(record.name), "%s", item->came->name);
	store_batch_put_message(&transfer->commit.batch, transfer->target.record.id, &record);
}

static void record_item(struct transfer *transfer, const struct transfer_item *item)
{
	struct store_batch *batch = &transfer->commit.batch;

	if (item->is_void)
		return;
	if (is_rename(transfer)) {
		record_message(transfer, item, item->uid);
		return;
	}
	/* Gone from the source, it is not to be missed there: its file, moved back meanwhile, would
	 * be taken for a message that was deleted on the server. */
	if (!item->is_copy && transfer->request.is_removed &&
	    (item->target_uid != 0 || transfer->err.code == 0))
		store_batch_delete_message(batch, transfer->source.record.id, item->uid);
	/* Not told where, or refused, which need not mean that nothing was done (it may be the
	 * removal that was): the target's pass looks for it. */
	bool is_untold = transfer->request.target_uidvalidity == 0 || transfer->err.code != 0;
	if (transfer->is_sent && is_untold && item->target_uid == 0)
		return;
	if (item->target_uid != 0)
		record_message(transfer, item, item->target_uid);
	store_batch_delete_journal(batch, transfer->target.record.id, JOURNAL_APPEND,
				   item->came->name);
}

/* A refusal. The session's end leaves open what the server did: that stays in the journal. */
static bool is_outcome_known(const struct transfer *transfer)
{
	enum error_class class = error_class_of(transfer->err.code);

	return transfer->is_journalled && transfer->err.code != SYNCD_ECANCELLED &&
	       class != ERROR_CLASS_RETRY && class != ERROR_CLASS_AUTH;
}

static bool record(struct transfer *transfer)
{
	uint32_t validity = transfer->request.target_uidvalidity;

	if (validity != 0 && validity != transfer->target.record.uidvalidity) {
		refuse(transfer, SYNCD_EVALIDITY, "UIDVALIDITY of the target changed");
		return false;
	}
	for (size_t i = transfer->begin; i < transfer->end; i++)
		record_item(transfer, &transfer->items[i]);
	return commit(transfer);
}

/* --- The order -------------------------------------------------------------------------------- */

struct transfer_step {
	const char *name;
	bool (*start)(struct transfer *transfer);
	bool is_for_outcome; /* also behind a failure that says what became of the group */
};

static const struct transfer_step steps[] = {
	{ "open maildirs", open_locals, false },
	{ "status", ask_status, false },
	{ "select", open_remote, false },
	{ "keywords", translate, false },
	{ "examine", examine_rewritten, false },
	{ "flush target", flush_target, false },
	{ "flush source", flush_source, false },
	{ "journal", journal, false },
	{ "send", send, false },
	{ "record", record, true },
};

static void log_group(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);
	const struct transfer_item *item = first_of(transfer);
	const char *from = tree->mailboxes[item->from].name;
	const char *to = tree->mailboxes[item->came->mailbox].name;
	const char *what = item->is_copy ? "copied" : is_rename(transfer) ? "renamed" : "moved";
	char text[ERROR_FORMAT_MAX];

	if (transfer->err.code == 0)
		log_info(tree->options.account, "%s: %zu messages %s to %s", from,
			 transfer->end - transfer->begin, what, to);
	else
		log_info(tree->options.account, "%s: %zu messages cannot be %s to %s: %s", from,
			 transfer->end - transfer->begin, what, to,
			 error_format(&transfer->err, text, sizeof(text)));
}

/* What the server told before, of either, is no longer so. One that a side lacks has no passes:
 * made there anew meanwhile, it would be filled again, and then deleted here. */
static void want_pass(struct tree_mailbox *mailbox)
{
	mailbox->is_remote_quiet = false;
	mailbox->is_wanted |= mailbox->is_local && mailbox->is_remote;
}

static void group_over(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);

	log_group(transfer);
	want_pass(&tree->mailboxes[first_of(transfer)->from]);
	want_pass(&tree->mailboxes[first_of(transfer)->came->mailbox]);
	side_close(&transfer->target);
	if (transfer->err.code != 0)
		source_close(transfer);
	tree_note_failure(tree, &transfer->err);
	store_batch_free(&transfer->commit.batch);
	transfer_next(transfer);
}

static void transfer_step(struct transfer *transfer)
{
	while (transfer->step < ARRAY_LEN(steps)) {
		const struct transfer_step *step = &steps[transfer->step++];
		bool is_due = transfer->err.code == 0 ||
			      (step->is_for_outcome && is_outcome_known(transfer));
		if (is_due && step->start(transfer))
			return;
	}
	group_over(transfer);
}

static bool is_same_group(const struct transfer_item *a, const struct transfer_item *b)
{
	return a->from == b->from && a->is_copy == b->is_copy &&
	       a->came->mailbox == b->came->mailbox;
}

static void transfer_next(struct transfer *transfer)
{
	struct sync_tree *tree = tree_of(transfer);

	transfer->begin = transfer->end;
	if (tree->err.code != 0 || transfer->begin == transfer->count) {
		source_close(transfer);
		tree_piece_done(tree);
		return;
	}
	while (transfer->end < transfer->count &&
	       transfer->end - transfer->begin < TRANSFER_GROUP_MESSAGES &&
	       is_same_group(first_of(transfer), &transfer->items[transfer->end]))
		transfer->end++;
	error_clear(&transfer->err);
	transfer->request = (struct remote_transfer_req){ .is_move = false };
	transfer->is_journalled = transfer->is_sent = false;
	transfer->step = 0;
	transfer_step(transfer);
}

void transfer_start(struct sync_tree *tree)
{
	struct error err = { 0 };

	uidset_init(&tree->transfer.uids);
	store_batch_init(&tree->transfer.commit.batch);
	if (collect(tree, &err) != 0)
		tree_fail(tree, &err);
	transfer_next(&tree->transfer);
}

void transfer_cancel(struct transfer *transfer)
{
	if (transfer->remote != NULL)
		transfer->remote->ops->cancel(transfer->remote);
	if (transfer->source.local != NULL)
		transfer->source.local->ops->cancel(transfer->source.local);
	if (transfer->target.local != NULL)
		transfer->target.local->ops->cancel(transfer->target.local);
}

void transfer_free(struct transfer *transfer)
{
	must(transfer->remote == NULL && transfer->source.mailbox == NULL);
	free(transfer->items);
	uidset_free(&transfer->uids);
	store_batch_free(&transfer->commit.batch);
}
