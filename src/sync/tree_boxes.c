/* Mailboxes that one side lacks: planned together (boxes.c), then made or renamed one after the
 * other.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

static void boxes_continue(struct sync_tree *tree);
static void boxes_plan(struct sync_tree *tree);

void boxes_cancel(struct boxes *boxes)
{
	if (boxes->remote != NULL)
		boxes->remote->ops->cancel(boxes->remote);
}

void boxes_free(struct boxes *boxes)
{
	must(boxes->remote == NULL);
	keyword_table_free(&boxes->record.keywords);
	store_batch_free(&boxes->commit.batch);
	uidset_free(&boxes->uids);
	free(boxes->items);
}

/* --- Making ---------------------------------------------------------------------------- */

/* Made instead of renamed (boxes_renamed): the one of the old name can go. */
static void replace_renamed(struct sync_tree *tree, size_t at)
{
	struct sync_box *box = &tree->boxes.items[at];

	if (box->known != SYNC_NO_BOX)
		tree->boxes.items[box->known].action = BOX_DELETE_REMOTE;
}

static void created(struct port_op *op, int code)
{
	struct box_create *create = container_of(op, struct box_create, req.op);
	struct sync_tree *tree = create->tree;
	struct tree_mailbox *mailbox = tree_find(tree, create->req.name);

	create->is_under_way = false;
	tree->boxes.creating--;
	mailbox->is_remote = code == 0;
	if (code != 0) {
		tree_ended_without_pass(tree, mailbox, &op->err);
		tree_note_failure(tree, &op->err);
	} else {
		replace_renamed(tree, (size_t)(mailbox - tree->mailboxes));
	}
	boxes_continue(tree);
}

static void create_remote(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct box_create *create = tree->boxes.creates;

	while (create->is_under_way)
		create++;
	log_info(tree->options.account, "%s: making it on the server", mailbox->name);
	*create = (struct box_create){ .tree = tree, .is_under_way = true };
	create->req.op.done = created;
	create->req.name = mailbox->name;
	tree->boxes.creating++;
	tree->ports.remote->ops->create(tree->ports.remote, &create->req);
}

/* As many at once as there are connections: each costs a round trip. */
static bool can_create_more(const struct sync_tree *tree)
{
	return tree->boxes.creating < BOXES_CREATES_MAX &&
	       tree->boxes.creating < tree->options.passes_at_once;
}

static void create_local(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct error err = { 0 };

	log_info(tree->options.account, "%s: making it in the maildir", mailbox->name);
	mailbox->is_local =
		tree->ports.local->ops->create(tree->ports.local, mailbox->name, &err) == 0;
	if (!mailbox->is_local)
		tree_ended_without_pass(tree, mailbox, &err);
}

/* True when it is to be waited for. */
static bool create(struct sync_tree *tree, size_t at)
{
	if (tree->boxes.items[at].action == BOX_CREATE_REMOTE) {
		create_remote(tree, &tree->mailboxes[at]);
		return true;
	}
	create_local(tree, &tree->mailboxes[at]);
	return false;
}

static void noted_known(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.commit.op);

	if (code != 0)
		tree_fail(tree, &op->err);
	if (code != 0 || !create(tree, tree->boxes.next - 1))
		boxes_continue(tree);
}

/* One that is known and not to be deleted, as INBOX, is made anew, and empty: its messages were not
 * deleted, either. They are held, which the state says before the mailbox is there. */
static bool create_known(struct sync_tree *tree, size_t at)
{
	struct store_port *store = tree->ports.store;
	struct boxes *boxes = &tree->boxes;
	struct mailbox_record record;
	struct error err = { 0 };
	bool is_known = false;

	if (store->ops->mailbox_get(store, tree->mailboxes[at].name, &is_known, &record, &err) != 0)
		tree_fail(tree, &err);
	if (!is_known)
		return false;
	if (boxes->items[at].action == BOX_CREATE_REMOTE)
		record.held_local = SYNC_LIMIT_ALL;
	else
		record.held_remote = SYNC_LIMIT_ALL;
	store_batch_put_mailbox(&boxes->commit.batch, &record);
	keyword_table_free(&record.keywords);
	boxes->commit.op.done = noted_known;
	store->ops->commit(store, &boxes->commit);
	return true;
}

/* --- One after the other ------------------------------------------------------------------ */

/* A server refuses to rename a mailbox when one below it, which goes along, would get a name that
 * another has. Here each is renamed by itself: so the new one is made, what was moved into it by
 * the rename is moved there, too (survey.c), and the old one is deleted. */
void boxes_renamed(struct sync_tree *tree, size_t at, const struct error *err)
{
	struct sync_box *box = &tree->boxes.items[at];

	if (err->code == SYNCD_ESERVER && box->action == BOX_RENAME_REMOTE) {
		log_info(tree->options.account, "%s: it cannot be renamed on the server: %s",
			 tree->mailboxes[box->from].name, err->text);
		box->action = BOX_CREATE_REMOTE;
		create_remote(tree, &tree->mailboxes[at]);
		return;
	}
	if (err->code != 0) {
		tree_ended_without_pass(tree, &tree->mailboxes[at], err);
		tree_note_failure(tree, err);
	}
	boxes_continue(tree);
}

/* A list that lacks INBOX, which no server can be without, says nothing of what it lacks. */
static bool is_made_anew(const struct sync_tree *tree, size_t at)
{
	enum sync_box_action action = tree->boxes.items[at].action;

	return tree->mailboxes[at].is_known &&
	       (action == BOX_CREATE_LOCAL || (action == BOX_CREATE_REMOTE && tree->lists_inbox));
}

/* True when it is to be waited for. */
static bool boxes_carry_out(struct sync_tree *tree, size_t at)
{
	switch (tree->boxes.items[at].action) {
	case BOX_CREATE_LOCAL:
	case BOX_CREATE_REMOTE:
		if (is_made_anew(tree, at))
			return create_known(tree, at);
		(void)create(tree, at);
		return false;
	case BOX_RENAME_LOCAL:
	case BOX_RENAME_REMOTE:
	case BOX_RENAME_STATE:
		boxes_rename(tree, at);
		return true;
	case BOX_NOTHING:
	case BOX_PASS:
	case BOX_DELETE_LOCAL:
	case BOX_DELETE_REMOTE:
	case BOX_HOLD_LOCAL:
	case BOX_HOLD_REMOTE:
	case BOX_RESTORE_LOCAL:
	case BOX_RESTORE_REMOTE:
	case BOX_FORGET:
		break;
	}
	return false;
}

static void boxes_would(struct sync_tree *tree, size_t at)
{
	const struct sync_box *box = &tree->boxes.items[at];
	bool is_plain = box->action == BOX_NOTHING || box->action == BOX_PASS;
	bool is_judged = box->action == BOX_DELETE_LOCAL || box->action == BOX_DELETE_REMOTE;

	/* Of deletions the farewell tells, which may hold them. */
	if (!is_plain && !is_judged && tree->ops->would != NULL)
		tree->ops->would(tree, box->name, box->action,
				 box->known == SYNC_NO_BOX ? NULL
							   : tree->mailboxes[box->known].name);
}

static void boxes_refuse_unusable(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ELIMIT,
		  "its name cannot be represented on the other side; it is left alone");
	tree_ended_without_pass(tree, mailbox, &err);
}

static bool is_renamed_away(const struct sync_tree *tree, size_t at)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->boxes.items[i].from == at)
			return true;
	}
	return false;
}

static void trash_created(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.trash.op);
	char text[ERROR_FORMAT_MAX];

	/* Of what is to go there the passes tell. */
	if (code != 0)
		log_warn(tree->options.account, "trash %s: %s", tree->options.trash,
			 error_format(&op->err, text, sizeof(text)));
	tree_note_failure(tree, &op->err);
	tree_piece_done(tree);
}

/* One that is named and is nowhere is made, as any mailbox that the server lacks. */
static bool create_trash(struct sync_tree *tree)
{
	const struct sync_tree_options *options = &tree->options;

	if (options->trash == NULL || options->finds_trash || tree->has_trash ||
	    !options->may_create_remote || options->direction == SYNC_PULL || options->is_dry_run)
		return false;
	log_info(options->account, "%s: making it on the server, for what is deleted",
		 options->trash);
	tree->boxes.trash = (struct remote_create_req){ .name = options->trash };
	tree->boxes.trash.op.done = trash_created;
	tree->ports.remote->ops->create(tree->ports.remote, &tree->boxes.trash);
	return true;
}

/* A rename may be to a place below a mailbox that is being made; and what takes more than one step
 * is alone. */
static bool has_to_wait(const struct sync_tree *tree)
{
	enum sync_box_action action = tree->boxes.items[tree->boxes.next].action;
	bool is_alone = action == BOX_RENAME_LOCAL || action == BOX_RENAME_REMOTE ||
			action == BOX_RENAME_STATE || is_made_anew(tree, tree->boxes.next);

	if (is_alone)
		return tree->boxes.creating > 0;
	return action == BOX_CREATE_REMOTE && !can_create_more(tree);
}

static void boxes_continue(struct sync_tree *tree)
{
	while (tree->err.code == 0 && tree->boxes.next < tree->count) {
		if (has_to_wait(tree))
			return;
		size_t at = tree->boxes.next++;
		if (tree->mailboxes[at].is_unusable &&
		    tree->boxes.items[at].action != BOX_RENAME_LOCAL && !is_renamed_away(tree, at))
			boxes_refuse_unusable(tree, &tree->mailboxes[at]);
		else if (tree->options.is_dry_run)
			boxes_would(tree, at);
		else if (boxes_carry_out(tree, at))
			return;
	}
	if (tree->boxes.creating == 0 && (tree->err.code != 0 || !create_trash(tree)))
		tree_piece_done(tree);
}

/* --- The plan ------------------------------------------------------------------------------ */

/* Of mailboxes that cannot be had on both sides nothing is planned, but that a rename which was cut
 * short be done again. */
static void describe(struct sync_tree *tree, size_t at)
{
	const struct tree_mailbox *mailbox = &tree->mailboxes[at];
	struct sync_box *box = &tree->boxes.items[at];
	struct error err = { 0 };

	*box = (struct sync_box){
		.name = mailbox->name,
		.is_remote = mailbox->is_remote,
		.is_local = mailbox->is_local && (!mailbox->is_unusable || mailbox->is_half_local),
		.record = mailbox->is_known ? &mailbox->record : NULL,
		.status = mailbox->status,
		.remote_id = mailbox->remote_id,
		.local_id = mailbox->local_id,
	};
	/* Of one that both have, nobody asks before the farewell. */
	if (mailbox->is_known && !(box->is_remote && box->is_local) &&
	    tree->ports.store->ops->message_count(tree->ports.store, mailbox->record.id,
						  &box->messages, &err) != 0)
		tree_fail(tree, &err);
}

void boxes_checked(struct sync_tree *tree)
{
	boxes_plan(tree);
}

/* As often as it takes: what is found to be another one changes the plan. */
static void boxes_plan(struct sync_tree *tree)
{
	const struct sync_box_policy policy = {
		.direction = tree->options.direction,
		.may_create_local = tree->options.may_create_local,
		.may_create_remote = tree->options.may_create_remote,
		.may_remove_local = tree->options.may_remove_local,
		.may_remove_remote = tree->options.may_remove_remote,
		.lists_inbox = tree->lists_inbox,
	};
	struct boxes *boxes = &tree->boxes;

	sync_boxes_plan(boxes->items, tree->count, &policy);
	for (; tree->err.code == 0 && boxes->next < tree->count; boxes->next++) {
		if (boxes->items[boxes->next].is_unsure) {
			boxes_check(tree, boxes->next++);
			return;
		}
	}
	boxes->next = 0;
	boxes_continue(tree);
}

/* --- What the server did not tell with its list ---------------------------------------------- */

static void boxes_ask(struct sync_tree *tree);

static void asked(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, boxes.status.op);

	if (code == 0)
		tree->boxes.items[tree->boxes.next - 1].status = tree->boxes.status.status;
	else
		tree_note_failure(tree, &op->err);
	boxes_ask(tree);
}

static void boxes_ask(struct sync_tree *tree)
{
	struct boxes *boxes = &tree->boxes;

	while (tree->err.code == 0 && boxes->next < tree->count) {
		const struct sync_box *box = &boxes->items[boxes->next++];
		if (!box->is_remote || box->record != NULL || box->status.uidvalidity != 0)
			continue;
		boxes->status = (struct remote_status_req){ .name = box->name };
		boxes->status.op.done = asked;
		tree->ports.remote->ops->status(tree->ports.remote, &boxes->status);
		return;
	}
	boxes->next = 0;
	boxes_plan(tree);
}

void tree_boxes_start(struct sync_tree *tree)
{
	struct boxes *boxes = &tree->boxes;

	store_batch_init(&boxes->commit.batch);
	uidset_init(&boxes->uids);
	boxes->items = xcalloc(tree->count + 1, sizeof(*boxes->items));
	for (size_t i = 0; i < tree->count; i++)
		describe(tree, i);
	boxes->next = sync_boxes_may_rename(boxes->items, tree->count) ? 0 : tree->count;
	boxes_ask(tree);
}
