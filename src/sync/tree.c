/* The tree: lists both sides, makes what is missing, and runs the passes.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_tree.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_baseline.h"

#define TREE_REPEATS_MAX 3  /* passes over one mailbox in one go */
#define TREE_FAILURES_MAX 3 /* passes in a row that lose the link before all stop */

/* A mailbox and where it exists. */
struct tree_mailbox {
	char *name;
	bool is_remote;
	bool is_local;
	bool is_known;                /* in the state: */
	struct mailbox_record record; /* without its keywords */
	struct mailbox_status status; /* as the server tells without opening it */
	bool is_remote_quiet;
	const struct local_hint
		*hints; /* for all its passes: they are looked at as things are then */
	size_t hint_count;
	bool is_unusable;
	bool is_considered;
	bool is_wanted; /* a pass is due */
	unsigned passes;
	struct sync_tree *tree;
	struct sync_pass *pass; /* running */
};

struct sync_tree {
	struct sync_ports ports;
	struct sync_tree_options options;
	const struct sync_tree_ops *ops;
	struct tree_mailbox *mailboxes; /* sorted by name, INBOX first; fixed once listed */
	size_t count;
	size_t cap;
	size_t next;    /* first that may still have to be made or passed over */
	size_t running; /* passes */
	size_t listing; /* lists awaited */
	bool is_creating;
	unsigned failures;
	int64_t now_s; /* when the mailboxes were listed */
	struct error err;
	struct remote_list_req remote_list;
	struct local_list_req local_list;
	struct remote_create_req create;
	struct port_op turn;
};

static void tree_continue(struct sync_tree *tree);

static void tree_fail(struct sync_tree *tree, const struct error *err)
{
	if (tree->err.code == 0)
		tree->err = *err;
}

/* --- Which mailboxes there are -------------------------------------------------------- */

static struct tree_mailbox *tree_find(struct sync_tree *tree, const char *name)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (strcmp(tree->mailboxes[i].name, name) == 0)
			return &tree->mailboxes[i];
	}
	return NULL;
}

static struct tree_mailbox *tree_add(struct sync_tree *tree, const char *name)
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

	if ((!info->is_selectable && !info->is_marked_unusable) || !tree_selects(tree, info->name))
		return;
	struct tree_mailbox *mailbox = tree_add(tree, info->name);
	mailbox->is_remote = true;
	mailbox->status = info->status;
	mailbox->is_unusable |= info->is_marked_unusable;
}

static void tree_found_local(struct local_list_req *req, const struct mailbox_info *info)
{
	struct sync_tree *tree = container_of(req, struct sync_tree, local_list);

	if ((!info->is_selectable && !info->is_marked_unusable) || !tree_selects(tree, info->name))
		return;
	struct tree_mailbox *mailbox = tree_add(tree, info->name);
	mailbox->is_local = true;
	mailbox->is_unusable |= info->is_marked_unusable;
}

static void tree_found_known(void *context, const struct mailbox_record *record)
{
	struct sync_tree *tree = context;

	if (!tree_selects(tree, record->name))
		return;
	struct tree_mailbox *mailbox = tree_add(tree, record->name);
	mailbox->is_known = true;
	mailbox->record = *record;
	keyword_table_init(&mailbox->record.keywords); /* the caller's are */
}

static int compare_mailboxes(const void *a, const void *b)
{
	const struct tree_mailbox *left = a;
	const struct tree_mailbox *right = b;
	bool left_is_inbox = strcmp(left->name, "INBOX") == 0;
	bool right_is_inbox = strcmp(right->name, "INBOX") == 0;

	if (left_is_inbox != right_is_inbox)
		return left_is_inbox ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void tree_listed(struct sync_tree *tree, const struct port_op *op, int code)
{
	struct error err = { 0 };

	if (code != 0)
		tree_fail(tree, &op->err);
	must(tree->listing > 0);
	if (--tree->listing > 0)
		return;
	if (tree->err.code == 0 && tree->ports.store->ops->mailbox_each(
					   tree->ports.store, tree_found_known, tree, &err) != 0)
		tree_fail(tree, &err);
	if (tree->count > 1)
		qsort(tree->mailboxes, tree->count, sizeof(*tree->mailboxes), compare_mailboxes);
	tree_continue(tree);
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

/* --- Passes ----------------------------------------------------------------------------- */

static void tree_note_failure(struct sync_tree *tree, const struct error *err)
{
	switch (error_class_of(err->code)) {
	case ERROR_CLASS_NONE:
		tree->failures = 0;
		break;
	case ERROR_CLASS_AUTH:
		tree_fail(tree, err);
		break;
	case ERROR_CLASS_RETRY:
		/* One mailbox that always breaks the link must not keep the others away. */
		if (++tree->failures >= TREE_FAILURES_MAX)
			tree_fail(tree, err);
		break;
	case ERROR_CLASS_HELD:
	case ERROR_CLASS_MESSAGE:
	case ERROR_CLASS_PERMANENT:
	case ERROR_CLASS_BUG:
		if (err->code == SYNCD_EROOT)
			tree_fail(tree, err);
		break;
	}
}

static void tree_pass_done(struct sync_pass *pass, const struct sync_result *result)
{
	struct tree_mailbox *mailbox = sync_pass_context(pass);
	struct sync_tree *tree = mailbox->tree;

	mailbox->pass = NULL;
	must(tree->running > 0);
	tree->running--;
	if (tree->ops->ended != NULL)
		tree->ops->ended(tree, mailbox->name, result);
	tree_note_failure(tree, &result->err);
	if (result->wants_another && result->err.code == 0 && !tree->options.is_dry_run &&
	    mailbox->passes < TREE_REPEATS_MAX) {
		mailbox->is_wanted = true;
		tree->next = 0;
	}
	tree_continue(tree);
}

static void tree_pass_planned(struct sync_pass *pass, const struct sync_plan *plan,
			      const struct keyword_table *keywords)
{
	struct tree_mailbox *mailbox = sync_pass_context(pass);

	if (mailbox->tree->ops->planned != NULL)
		mailbox->tree->ops->planned(mailbox->tree, mailbox->name, plan, keywords);
}

static void tree_pass_progress(struct sync_pass *pass, const struct sync_counts *done,
			       uint64_t fetches, uint64_t appends)
{
	struct tree_mailbox *mailbox = sync_pass_context(pass);

	if (mailbox->tree->ops->progress != NULL)
		mailbox->tree->ops->progress(mailbox->tree, mailbox->name, done, fetches + appends);
}

static void tree_start_pass(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct sync_pass_options options = {
		.direction = tree->options.direction,
		.deletion_limit_percent = tree->options.deletion_limit_percent,
		.is_dry_run = tree->options.is_dry_run,
		.is_repeat = mailbox->passes > 0,
		.is_remote_quiet = mailbox->is_remote_quiet && mailbox->passes == 0,
		.hints = mailbox->hints,
		.hint_count = mailbox->hint_count,
		.verify_interval_s = tree->options.verify_interval_s,
		.account = tree->options.account,
		.planned = tree_pass_planned,
		.progress = tree_pass_progress,
		.context = mailbox,
	};

	mailbox->is_wanted = false;
	mailbox->passes++;
	tree->running++;
	if (tree->ops->begun != NULL)
		tree->ops->begun(tree, mailbox->name);
	mailbox->pass = sync_pass_start(&tree->ports, mailbox->name, &options, tree_pass_done);
}

/* --- Mailboxes that one side lacks -------------------------------------------------------- */

static void tree_ended_without_pass(struct sync_tree *tree, struct tree_mailbox *mailbox,
				    const struct error *err)
{
	struct sync_result result = { .err = *err };

	error_context(&result.err, "mailbox %s", mailbox->name);
	if (tree->ops->ended != NULL)
		tree->ops->ended(tree, mailbox->name, &result);
}

static void tree_created(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, create.op);
	struct tree_mailbox *mailbox = tree_find(tree, tree->create.name);

	tree->is_creating = false;
	if (code == 0) {
		mailbox->is_remote = true;
		mailbox->is_wanted = true;
	} else {
		tree_ended_without_pass(tree, mailbox, &op->err);
		tree_note_failure(tree, &op->err);
	}
	tree_continue(tree);
}

static void tree_create_remote(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	log_info(tree->options.account, "%s: making it on the server", mailbox->name);
	tree->is_creating = true;
	tree->create.op.done = tree_created;
	tree->create.name = mailbox->name;
	tree->ports.remote->ops->create(tree->ports.remote, &tree->create);
}

static void tree_create_local(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct error err = { 0 };

	log_info(tree->options.account, "%s: making it in the maildir", mailbox->name);
	if (tree->ports.local->ops->create(tree->ports.local, mailbox->name, &err) != 0) {
		tree_ended_without_pass(tree, mailbox, &err);
		return;
	}
	mailbox->is_local = true;
	mailbox->is_wanted = true;
}

static void tree_make_missing(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	bool is_local_missing = !mailbox->is_local;
	bool may_create =
		is_local_missing ? tree->options.may_create_local : tree->options.may_create_remote;

	if (mailbox->is_known) {
		/* Until deletions of mailboxes are followed, nothing is guessed. */
		log_warn(tree->options.account,
			 "%s was deleted %s; it is left alone on the other side", mailbox->name,
			 is_local_missing ? "locally" : "on the server");
		return;
	}
	if (!may_create)
		return;
	if (tree->options.is_dry_run) {
		if (tree->ops->would_create != NULL)
			tree->ops->would_create(tree, mailbox->name, is_local_missing);
		return;
	}
	if (is_local_missing)
		tree_create_local(tree, mailbox);
	else
		tree_create_remote(tree, mailbox);
}

static void note_aside(void *context, const struct setaside_record *record)
{
	bool *has_aside = context;

	(void)record;
	*has_aside = true;
}

/* Both sides are what the state says. What is set aside has to be told, and tried, by a pass. */
static bool tree_is_unchanged(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	const struct mailbox_record *record = &mailbox->record;
	struct store_port *store = tree->ports.store;
	struct error err = { 0 };
	bool has_aside = false;

	if (!mailbox->is_known || !sync_policy_is_of(record->policy, tree->options.direction) ||
	    sync_verify_is_due(record, tree->now_s, tree->options.verify_interval_s))
		return false;
	mailbox->is_remote_quiet = sync_remote_is_unchanged(record, &mailbox->status);
	return mailbox->is_remote_quiet &&
	       tree->ports.local->ops->is_unchanged(tree->ports.local, mailbox->name,
						    &record->mtimes) &&
	       store->ops->setaside_each(store, record->id, note_aside, &has_aside, &err) == 0 &&
	       !has_aside;
}

/* Decides once what a mailbox needs. */
static void tree_consider(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct error err = { 0 };

	if (!mailbox->is_remote && !mailbox->is_local)
		return;
	if (mailbox->is_unusable) {
		error_set(&err, SYNCD_ELIMIT,
			  "its name cannot be represented on the other side; it is left alone");
		tree_ended_without_pass(tree, mailbox, &err);
		return;
	}
	if (!mailbox->is_remote || !mailbox->is_local)
		tree_make_missing(tree, mailbox);
	else if (!tree_is_unchanged(tree, mailbox))
		mailbox->is_wanted = true;
	else if (tree->ops->unchanged != NULL)
		tree->ops->unchanged(tree, mailbox->name);
}

/* --- The order -------------------------------------------------------------------------------- */

static void tree_end(struct sync_tree *tree)
{
	tree->ops->done(tree, &tree->err);
	for (size_t i = 0; i < tree->count; i++)
		free(tree->mailboxes[i].name);
	free(tree->mailboxes);
	free(tree);
}

static void tree_continue(struct sync_tree *tree)
{
	while (tree->err.code == 0 && !tree->is_creating && tree->next < tree->count &&
	       tree->running < tree->options.passes_at_once) {
		struct tree_mailbox *mailbox = &tree->mailboxes[tree->next];
		if (mailbox->passes == 0 && !mailbox->is_wanted && !mailbox->is_considered) {
			mailbox->is_considered = true;
			tree_consider(tree, mailbox);
			continue;
		}
		if (mailbox->is_wanted && mailbox->pass == NULL)
			tree_start_pass(tree, mailbox);
		tree->next++;
	}
	if (tree->running == 0 && !tree->is_creating &&
	    (tree->err.code != 0 || tree->next == tree->count))
		tree_end(tree);
}

/* Without its root a maildir looks like one whose every message was deleted. A
 * root or mark is only ever made while the state knows nothing. */
static int tree_check_root(struct sync_tree *tree, struct error *err)
{
	struct sync_tree known = { .ops = &(struct sync_tree_ops){ .selects = NULL } };
	int code = tree->ports.store->ops->mailbox_each(tree->ports.store, tree_found_known, &known,
							err);
	bool is_first = known.count == 0;

	for (size_t i = 0; i < known.count; i++)
		free(known.mailboxes[i].name);
	free(known.mailboxes);
	if (code != 0 || (is_first && tree->options.is_dry_run))
		return code;
	return tree->ports.local->ops->check(tree->ports.local, is_first, err);
}

static void tree_begin(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, turn);
	struct error err = { 0 };

	if (code != 0)
		tree_fail(tree, &op->err);
	else if (tree_check_root(tree, &err) != 0)
		tree_fail(tree, &err);
	if (tree->err.code != 0 || tree->options.targets != NULL) {
		tree_continue(tree);
		return;
	}
	tree->listing = 2;
	tree->now_s = tree->ports.env->ops->wall_s(tree->ports.env);
	tree->remote_list.op.done = tree_remote_listed;
	tree->remote_list.selects = tree_selects_remote;
	tree->remote_list.found = tree_found_remote;
	tree->local_list.op.done = tree_local_listed;
	tree->local_list.found = tree_found_local;
	tree->ports.remote->ops->list(tree->ports.remote, &tree->remote_list);
	tree->ports.local->ops->list(tree->ports.local, &tree->local_list);
}

static void tree_add_target(struct sync_tree *tree, const struct sync_target *target)
{
	struct tree_mailbox *mailbox = tree_add(tree, target->name);

	mailbox->is_remote = true;
	mailbox->is_local = true;
	mailbox->is_considered = true;
	mailbox->is_wanted = true;
	mailbox->is_remote_quiet = target->is_remote_quiet;
	mailbox->hints = target->hints;
	mailbox->hint_count = target->hint_count;
}

struct sync_tree *sync_tree_start(const struct sync_ports *ports,
				  const struct sync_tree_options *options,
				  const struct sync_tree_ops *ops)
{
	struct sync_tree *tree = xcalloc(1, sizeof(*tree));

	must(options->passes_at_once > 0);
	tree->ports = *ports;
	tree->options = *options;
	tree->ops = ops;
	for (size_t i = 0; options->targets != NULL && i < options->target_count; i++)
		tree_add_target(tree, &options->targets[i]);
	tree->turn.done = tree_begin;
	ports->env->ops->defer(ports->env, &tree->turn);
	return tree;
}

void sync_tree_cancel(struct sync_tree *tree)
{
	struct error err = { 0 };

	error_set(&err, SYNCD_ECANCELLED, "cancelled");
	tree_fail(tree, &err);
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->mailboxes[i].pass != NULL)
			sync_pass_cancel(tree->mailboxes[i].pass);
	}
}

void *sync_tree_context(const struct sync_tree *tree)
{
	return tree->options.context;
}
