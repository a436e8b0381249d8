/* Which of the deletions of mailboxes are carried out now. What goes with all of them together
 * counts against the messages of the account: no deliberate deletion of a mailbox would pass if it
 * counted against that one's.
 * SPDX-License-Identifier: MIT */
#include "elsewhere.h"
#include "tree.h"

static bool is_held(enum sync_box_action action)
{
	return action == BOX_HOLD_LOCAL || action == BOX_HOLD_REMOTE;
}

static bool is_going(enum sync_box_action action)
{
	return action == BOX_DELETE_LOCAL || action == BOX_DELETE_REMOTE;
}

/* --- What would go ----------------------------------------------------------------------- */

static bool is_losing(void *context, uint32_t mailbox_id)
{
	const struct sync_tree *tree = context;

	for (size_t i = 0; i < tree->count; i++) {
		if (tree->mailboxes[i].is_known && tree->mailboxes[i].record.id == mailbox_id)
			return is_going(tree->boxes.items[i].action);
	}
	return false;
}

/* What is in another mailbox by now was moved, and does not go. */
static int count_going(struct sync_tree *tree, size_t at, struct error *err)
{
	struct store_port *store = tree->ports.store;
	const struct elsewhere elsewhere = {
		.store = store,
		.mailbox_id = tree->mailboxes[at].record.id,
		.is_losing = is_losing,
		.context = tree,
	};
	struct remote_flags some[256];
	uint32_t after = 0;
	size_t count = 0;
	int code = 0;

	do {
		code = store->ops->messages_after(store, elsewhere.mailbox_id, after, some,
						  ARRAY_LEN(some), &count, err);
		for (size_t i = 0; code == 0 && i < count; i++) {
			bool is_moved = false;
			code = elsewhere_find(&elsewhere, some[i].uid, &is_moved, err);
			tree->boxes.items[at].messages -= is_moved;
		}
		after = count > 0 ? some[count - 1].uid : 0;
	} while (code == 0 && count > 0);
	return code;
}

static int count_messages(struct sync_tree *tree, struct error *err)
{
	struct store_port *store = tree->ports.store;
	int code = 0;

	for (size_t i = 0; code == 0 && i < tree->count; i++) {
		if (tree->mailboxes[i].is_known)
			code = store->ops->message_count(store, tree->mailboxes[i].record.id,
							 &tree->boxes.items[i].messages, err);
	}
	return code;
}

struct figures {
	size_t going;
	size_t total;
};

static struct figures figures_of(const struct sync_tree *tree, enum sync_box_action action)
{
	struct figures figures = { .going = 0 };

	for (size_t i = 0; i < tree->count; i++) {
		const struct sync_box *box = &tree->boxes.items[i];
		figures.total += box->messages;
		figures.going += box->action == action ? box->messages : 0;
	}
	return figures;
}

static bool is_much(const struct sync_tree *tree, enum sync_box_action action)
{
	const struct figures figures = figures_of(tree, action);

	return sync_limit_is_passed(&tree->options.deletion_limit, figures.going, figures.total);
}

static int count_all_going(struct sync_tree *tree, struct error *err)
{
	bool may_be_held = is_much(tree, BOX_DELETE_LOCAL) || is_much(tree, BOX_DELETE_REMOTE);
	int code = 0;

	for (size_t i = 0; code == 0 && i < tree->count; i++) {
		if (is_going(tree->boxes.items[i].action) &&
		    (may_be_held || mailbox_has_held(&tree->mailboxes[i].record)))
			code = count_going(tree, i, err);
	}
	return code;
}

/* --- What is held ------------------------------------------------------------------------- */

static int note_mailbox(struct sync_tree *tree, const struct tree_mailbox *mailbox, bool is_remote,
			const struct figures *figures, struct error *err)
{
	struct store_port *store = tree->ports.store;
	struct mailbox_record record;
	bool is_known = false;
	int code = store->ops->mailbox_get(store, mailbox->name, &is_known, &record, err);

	if (code != 0 || !is_known)
		return code;
	struct held_deletions *held = is_remote ? &record.held_remote : &record.held_local;
	if (held->count != figures->going || held->total != figures->total) {
		held->count = (uint32_t)figures->going;
		held->total = (uint32_t)figures->total;
		store_batch_put_mailbox(&tree->farewell.commit.batch, &record);
	}
	keyword_table_free(&record.keywords);
	return 0;
}

/* The figures are those of the time when it was too much by itself. */
static int note_held(struct sync_tree *tree, enum sync_box_action action, struct error *err)
{
	const struct figures figures = figures_of(tree, action);
	int code = 0;

	if (!is_much(tree, action))
		return 0;
	for (size_t i = 0; code == 0 && i < tree->count; i++) {
		if (tree->boxes.items[i].action == action)
			code = note_mailbox(tree, &tree->mailboxes[i], action == BOX_HOLD_REMOTE,
					    &figures, err);
	}
	return code;
}

static bool has_any(const struct sync_tree *tree, bool (*is_such)(enum sync_box_action action))
{
	for (size_t i = 0; i < tree->count; i++) {
		if (is_such(tree->boxes.items[i].action))
			return true;
	}
	return false;
}

/* --- What a person has decided --------------------------------------------------------------- */

/* Where nothing is sent, or nothing written here, the other side keeps it to itself. */
static enum sync_box_action decided_action(const struct sync_tree *tree, enum sync_box_action held,
					   enum sync_decision decision)
{
	bool is_remote = held == BOX_HOLD_REMOTE;
	enum sync_direction against = is_remote ? SYNC_PUSH : SYNC_PULL;

	switch (decision) {
	case SYNC_HOLD:
		break;
	case SYNC_ACCEPT:
		return is_remote ? BOX_DELETE_REMOTE : BOX_DELETE_LOCAL;
	case SYNC_RESTORE:
		if (tree->options.direction == against)
			return BOX_FORGET;
		return is_remote ? BOX_RESTORE_LOCAL : BOX_RESTORE_REMOTE;
	}
	return held;
}

static void apply_decisions(struct sync_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct sync_box *box = &tree->boxes.items[i];
		if (is_held(box->action))
			box->action =
				decided_action(tree, box->action, tree_decision(tree, box->name));
	}
}

int farewell_judge(struct sync_tree *tree, struct error *err)
{
	if (!has_any(tree, is_going))
		return 0;
	int code = count_messages(tree, err);
	if (code == 0)
		code = count_all_going(tree, err);
	if (code != 0)
		return code;
	sync_boxes_hold(tree->boxes.items, tree->count, &tree->options.deletion_limit);
	code = note_held(tree, BOX_HOLD_LOCAL, err);
	if (code == 0)
		code = note_held(tree, BOX_HOLD_REMOTE, err);
	apply_decisions(tree);
	return code;
}

void farewell_tell_held(struct sync_tree *tree, size_t at)
{
	const struct sync_box *box = &tree->boxes.items[at];
	struct sync_result result = {
		.held_deletions = box->messages,
		.held_is_remote = box->action == BOX_HOLD_REMOTE,
	};

	if (!is_held(box->action))
		return;
	error_set(
		&result.err, SYNCD_EHELD,
		"it was deleted %s; that %zu messages go with it %s is held back, as that is more "
		"than deletion_limit (%u%%) of the account; syncctl accept carries it out, restore "
		"undoes it",
		result.held_is_remote ? "here" : "on the server", box->messages,
		result.held_is_remote ? "on the server" : "here",
		tree->options.deletion_limit.percent);
	error_context(&result.err, "mailbox %s", box->name);
	if (tree->ops->ended != NULL)
		tree->ops->ended(tree, box->name, &result);
}
