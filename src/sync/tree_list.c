/* Which mailboxes there are, on either side and in the state.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct tree_mailbox *tree_find(struct sync_tree *tree, const char *name)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (strcmp(tree->mailboxes[i].name, name) == 0)
			return &tree->mailboxes[i];
	}
	return NULL;
}

struct tree_mailbox *tree_add(struct sync_tree *tree, const char *name)
{
	struct tree_mailbox *mailbox = tree_find(tree, name);

	if (mailbox != NULL)
		return mailbox;
	tree->mailboxes = xgrow(tree->mailboxes, tree->count, &tree->cap, sizeof(*tree->mailboxes));
	mailbox = &tree->mailboxes[tree->count++];
	*mailbox = (struct tree_mailbox){ .name = xstrdup(name), .tree = tree };
	return mailbox;
}

static bool tree_selects(struct sync_tree *tree, const char *name)
{
	return tree->ops->selects == NULL || tree->ops->selects(tree, name);
}

static bool tree_selects_remote(struct remote_list_req *req, const char *name)
{
	return tree_selects(container_of(req, struct sync_tree, remote_list), name);
}

static void tree_found_remote(struct remote_list_req *req, const struct mailbox_info *info)
{
	struct sync_tree *tree = container_of(req, struct sync_tree, remote_list);

	if (tree->ops->listed != NULL)
		tree->ops->listed(tree, info);
	/* What is only a name above others (RFC 3501 §6.3.4) holds no messages. */
	if (tree->options.trash != NULL && strcmp(info->name, tree->options.trash) == 0)
		tree->has_trash |= info->is_selectable || info->is_marked_unusable;
	if (info->use == SPECIAL_USE_TRASH && info->is_selectable && tree->trash == NULL)
		tree->trash = xstrdup(info->name);
	tree->lists_inbox |= info->is_selectable && strcmp(info->name, "INBOX") == 0;
	if ((!info->is_selectable && !info->is_marked_unusable) || !tree_selects(tree, info->name))
		return;
	struct tree_mailbox *mailbox = tree_add(tree, info->name);
	if (info->is_left_alone) {
		mailbox->is_left_alone = true;
		return;
	}
	mailbox->is_remote |= !info->is_marked_unusable;
	mailbox->status = info->status;
	mailbox->remote_id = info->lasting_id;
	mailbox->is_unusable |= info->is_marked_unusable;
}

static void tree_found_local(struct local_list_req *req, const struct mailbox_info *info)
{
	struct sync_tree *tree = container_of(req, struct sync_tree, local_list);

	if ((!info->is_selectable && !info->is_marked_unusable) || !tree_selects(tree, info->name))
		return;
	struct tree_mailbox *mailbox = tree_add(tree, info->name);
	mailbox->is_local = true;
	mailbox->local_id = info->lasting_id;
	mailbox->is_unusable |= info->is_marked_unusable;
}

/* What is excluded by now is on neither side for us, and so forgotten (farewell.c); but not what
 * this run alone leaves out. */
void tree_found_known(void *context, const struct mailbox_record *record)
{
	struct sync_tree *tree = context;

	if (!tree_selects(tree, record->name) && !tree->options.selects_for_good)
		return;
	struct tree_mailbox *mailbox = tree_add(tree, record->name);
	if (mailbox->is_left_alone && !tree->options.selects_for_good)
		return;
	mailbox->is_known = true;
	mailbox->is_half_local = mailbox->is_local && mailbox->is_unusable;
	mailbox->record = *record;
	keyword_table_init(&mailbox->record.keywords); /* the caller's are */
}

/* Both lists are there. A mailbox of the server's that is left alone must not look like one that is
 * missing there, nor the one here like one that is new. */
static void leave_alone(struct tree_mailbox *mailbox)
{
	mailbox->is_left_alone &= !mailbox->is_remote;
	if (mailbox->is_left_alone)
		mailbox->is_local = mailbox->is_unusable = false;
}

static int compare_mailboxes(const void *a, const void *b)
{
	const struct tree_mailbox *left = a;
	const struct tree_mailbox *right = b;

	return mailbox_name_compare(left->name, right->name);
}

static void tree_listed(struct sync_tree *tree, const struct port_op *op, int code)
{
	struct error err = { 0 };

	if (code != 0)
		tree_fail(tree, &op->err);
	must(tree->listing > 0);
	if (--tree->listing > 0)
		return;
	for (size_t i = 0; i < tree->count; i++)
		leave_alone(&tree->mailboxes[i]);
	if (tree->err.code == 0 && tree->ports.store->ops->mailbox_each(
					   tree->ports.store, tree_found_known, tree, &err) != 0)
		tree_fail(tree, &err);
	if (tree->count > 1)
		qsort(tree->mailboxes, tree->count, sizeof(*tree->mailboxes), compare_mailboxes);
	tree_piece_done(tree);
}

static void tree_remote_listed(struct port_op *op, int code)
{
	tree_listed(container_of(op, struct sync_tree, remote_list.op), op, code);
}

static void tree_local_listed(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, local_list.op);
	bool is_absent = code == SYNCD_EROOT || code == SYNCD_ENOTFOUND;

	/* A dry run before the first real one finds no maildir: that is an empty one. */
	tree_listed(tree, op, tree->options.is_dry_run && is_absent ? 0 : code);
}

void tree_list_start(struct sync_tree *tree)
{
	tree->listing = 2;
	tree->now_s = tree->ports.env->ops->wall_s(tree->ports.env);
	tree->remote_list.op.done = tree_remote_listed;
	tree->remote_list.selects = tree_selects_remote;
	tree->remote_list.wants_subscribed = tree->options.wants_subscribed;
	tree->remote_list.found = tree_found_remote;
	tree->local_list.op.done = tree_local_listed;
	tree->local_list.found = tree_found_local;
	tree->ports.remote->ops->list(tree->ports.remote, &tree->remote_list);
	tree->ports.local->ops->list(tree->ports.local, &tree->local_list);
}
