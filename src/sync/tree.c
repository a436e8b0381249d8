/* The tree: lists both sides, makes what is missing, lets moved files follow, and runs the
 * passes.
 * SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_baseline.h"

#define TREE_REPEATS_MAX 3  /* passes over one mailbox in one go */
#define TREE_FAILURES_MAX 3 /* passes in a row that lose the link before all stop */

static void passes_continue(struct sync_tree *tree);

void tree_fail(struct sync_tree *tree, const struct error *err)
{
	if (tree->err.code == 0)
		tree->err = *err;
}

void tree_ended_without_pass(struct sync_tree *tree, struct tree_mailbox *mailbox,
			     const struct error *err)
{
	struct sync_result result = { .err = *err };

	error_mailbox(&result.err, mailbox->name);
	if (tree->ops->ended != NULL)
		tree->ops->ended(tree, mailbox->name, &result);
}

/* --- What is to be passed over ------------------------------------------------------------ */

static void note_aside(void *context, const struct setaside_record *record)
{
	bool *has_aside = context;

	(void)record;
	*has_aside = true;
}

static void note_journal(void *context, const struct journal_record *journal)
{
	bool *has_journal = context;

	(void)journal;
	*has_journal = true;
}

int tree_has_journal(struct sync_tree *tree, uint32_t mailbox_id, bool *has_journal,
		     struct error *err)
{
	struct store_port *store = tree->ports.store;

	*has_journal = false;
	return store->ops->journal_each(store, mailbox_id, note_journal, has_journal, err);
}

/* Another directory has the name by now; its times say nothing, even if they are equal. */
static bool is_other_local(const struct tree_mailbox *mailbox)
{
	return mailbox->local_id != 0 && mailbox->record.local_id != 0 &&
	       mailbox->local_id != mailbox->record.local_id;
}

/* Both sides are what the state says. What is set aside has to be told, and tried, by a pass; and
 * ended, what a kill left under way: a message set aside before may be in tmp/ by now. */
static bool tree_is_unchanged(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	const struct mailbox_record *record = &mailbox->record;
	struct store_port *store = tree->ports.store;
	struct error err = { 0 };
	bool has_aside = false;
	bool has_journal = false;
	const struct sync_terms terms = {
		.direction = tree->options.direction,
		.expunges_deleted = tree->options.expunges_deleted,
		.max_size_bytes = tree->options.max_size_bytes,
	};

	if (!mailbox->is_known || is_other_local(mailbox) || mailbox_has_held(record) ||
	    !sync_policy_is_of(record->policy, &terms) ||
	    sync_verify_is_due(record, tree->now_s, tree->options.verify_interval_s))
		return false;
	mailbox->is_remote_quiet = sync_remote_is_unchanged(record, &mailbox->status);
	return mailbox->is_remote_quiet &&
	       tree->ports.local->ops->is_unchanged(tree->ports.local, mailbox->name,
						    &record->mtimes) &&
	       store->ops->setaside_each(store, record->id, note_aside, &has_aside, &err) == 0 &&
	       !has_aside && tree_has_journal(tree, record->id, &has_journal, &err) == 0 &&
	       !has_journal;
}

static void consider_mailbox(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	if (mailbox->is_wanted || mailbox->is_unusable || !mailbox->is_remote || !mailbox->is_local)
		return;
	if (!tree_is_unchanged(tree, mailbox))
		mailbox->is_wanted = true;
	else if (tree->ops->unchanged != NULL)
		tree->ops->unchanged(tree, mailbox->name);
}

/* By which it will be known under another name. */
static int note_ids(struct sync_tree *tree, const struct tree_mailbox *mailbox, struct error *err)
{
	struct store_port *store = tree->ports.store;
	struct mailbox_record record;
	bool is_new =
		(mailbox->remote_id != 0 && mailbox->remote_id != mailbox->record.remote_id) ||
		(mailbox->local_id != 0 && mailbox->local_id != mailbox->record.local_id);
	bool is_known = false;

	if (!mailbox->is_known || !mailbox->is_remote || !mailbox->is_local || !is_new)
		return 0;
	int code = store->ops->mailbox_get(store, mailbox->name, &is_known, &record, err);
	if (code != 0 || !is_known)
		return code;
	if (is_other_local(mailbox))
		record.mtimes = (struct local_mtimes){ .cur_ns = 0 };
	if (mailbox->remote_id != 0)
		record.remote_id = mailbox->remote_id;
	if (mailbox->local_id != 0)
		record.local_id = mailbox->local_id;
	store_batch_put_mailbox(&tree->consider.batch, &record);
	keyword_table_free(&record.keywords);
	return 0;
}

static void consider_done(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, consider.op);

	if (code != 0)
		tree_fail(tree, &op->err);
	tree_piece_done(tree);
}

static void consider_start(struct sync_tree *tree)
{
	struct error err = { 0 };

	store_batch_init(&tree->consider.batch);
	for (size_t i = 0; i < tree->count; i++) {
		consider_mailbox(tree, &tree->mailboxes[i]);
		if (note_ids(tree, &tree->mailboxes[i], &err) != 0)
			tree_fail(tree, &err);
	}
	if (tree->consider.batch.count == 0 || tree->options.is_dry_run) {
		store_batch_free(&tree->consider.batch);
		tree_piece_done(tree);
		return;
	}
	tree->consider.op.done = consider_done;
	tree->ports.store->ops->commit(tree->ports.store, &tree->consider);
}

/* --- Passes ----------------------------------------------------------------------------- */

void tree_note_failure(struct sync_tree *tree, const struct error *err)
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

static void tree_want_again(struct tree_mailbox *mailbox)
{
	mailbox->is_wanted = true;
	mailbox->tree->next = 0;
}

enum sync_decision tree_decision(struct sync_tree *tree, const char *name)
{
	return tree->ops->decides != NULL ? tree->ops->decides(tree, name) : SYNC_HOLD;
}

/* Behind the one that lets the state forget what is to be restored there has to be another. */
static unsigned repeats_max(const struct tree_mailbox *mailbox)
{
	return TREE_REPEATS_MAX +
	       (tree_decision(mailbox->tree, mailbox->name) == SYNC_RESTORE ? 1 : 0);
}

static void tree_pass_done(struct sync_pass *pass, const struct sync_result *result)
{
	struct tree_mailbox *mailbox = sync_pass_context(pass);
	struct sync_tree *tree = mailbox->tree;

	mailbox->pass = NULL;
	mailbox->leaves_removals = result->left_removals;
	must(tree->running > 0);
	tree->running--;
	if (tree->ops->ended != NULL)
		tree->ops->ended(tree, mailbox->name, result);
	tree_note_failure(tree, &result->err);
	if (result->wants_another && result->err.code == 0 && !tree->options.is_dry_run &&
	    mailbox->passes < repeats_max(mailbox))
		tree_want_again(mailbox);
	passes_continue(tree);
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

/* Whether another mailbox is still to be passed over: what this one would remove may be what that
 * one gets, and is removed when it has it (DESIGN 5). */
static bool has_others_to_come(const struct sync_tree *tree, const struct tree_mailbox *mailbox)
{
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_mailbox *other = &tree->mailboxes[i];
		if (other != mailbox && ((other->is_wanted && other->passes == 0) ||
					 (other->pass != NULL && other->passes == 1)))
			return true;
	}
	return false;
}

/* Without a trash that is there nothing goes into it, and nothing is removed. */
static const char *trash_of(const struct sync_tree *tree)
{
	const char *found = tree->options.targets != NULL ? tree->options.trash : tree->trash;

	if (!tree->options.finds_trash)
		return tree->options.trash;
	return found != NULL ? found : REMOTE_NO_TRASH;
}

/* Or what is held in it may go as well. */
static bool is_passed_over(struct sync_pass *pass, uint32_t mailbox_id)
{
	const struct tree_mailbox *mailbox = sync_pass_context(pass);
	const struct sync_tree *tree = mailbox->tree;

	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_mailbox *other = &tree->mailboxes[i];
		if (other->is_known && other->record.id == mailbox_id)
			return other->pass != NULL || mailbox_has_held(&other->record);
	}
	return false;
}

static void tree_start_pass(struct sync_tree *tree, struct tree_mailbox *mailbox)
{
	struct sync_pass_options options = {
		.direction = tree->options.direction,
		.deletion_limit = tree->options.deletion_limit,
		.decision = tree_decision(tree, mailbox->name),
		.expunges_deleted = tree->options.expunges_deleted,
		.max_size_bytes = tree->options.max_size_bytes,
		.trash = trash_of(tree),
		.is_dry_run = tree->options.is_dry_run,
		.is_repeat = mailbox->passes > 0,
		.is_remote_quiet = mailbox->is_remote_quiet && mailbox->passes == 0,
		.hints = mailbox->hints,
		.hint_count = mailbox->hint_count,
		.leaves_removals = tree->survey.is_blind || has_others_to_come(tree, mailbox),
		.is_passed_over = is_passed_over,
		.verify_interval_s = tree->options.verify_interval_s,
		.unanswered_wait_s = tree->options.unanswered_wait_s,
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

static void passes_continue(struct sync_tree *tree)
{
	while (tree->err.code == 0 && tree->next < tree->count &&
	       tree->running < tree->options.passes_at_once) {
		struct tree_mailbox *mailbox = &tree->mailboxes[tree->next];
		if (mailbox->is_wanted && mailbox->pass == NULL)
			tree_start_pass(tree, mailbox);
		tree->next++;
	}
	if (tree->running > 0 || (tree->err.code == 0 && tree->next < tree->count))
		return;
	for (size_t i = 0; tree->err.code == 0 && !tree->survey.is_blind && i < tree->count; i++) {
		if (tree->mailboxes[i].leaves_removals)
			tree_want_again(&tree->mailboxes[i]);
	}
	if (tree->err.code == 0 && tree->next < tree->count)
		passes_continue(tree);
	else
		tree_piece_done(tree);
}

static void passes_start(struct sync_tree *tree)
{
	tree->next = 0;
	passes_continue(tree);
}

static void note_known(void *context, const struct mailbox_record *record)
{
	bool *is_first = context;

	(void)record;
	*is_first = false;
}

/* Without its root a maildir looks like one whose every message was deleted. A
 * root or mark is only ever made while the state knows nothing. */
static int tree_check_root(struct sync_tree *tree, struct error *err)
{
	bool is_first = true;
	int code =
		tree->ports.store->ops->mailbox_each(tree->ports.store, note_known, &is_first, err);

	if (code != 0 || (is_first && tree->options.is_dry_run))
		return code;
	return tree->ports.local->ops->check(tree->ports.local, is_first, err);
}

/* --- The story --------------------------------------------------------------------------- */

struct tree_state_row {
	const char *name;
	void (*enter)(struct sync_tree *tree); /* ends with tree_piece_done, now or later */
	bool is_for_all;                       /* left out when targets are given */
	bool writes;                           /* left out of a dry run */
};

static const struct tree_state_row states[TREE_STATE_COUNT] = {
	[TREE_START] = { "start", NULL, false, false },
	[TREE_LIST] = { "list", tree_list_start, true, false },
	[TREE_BOXES] = { "mailboxes", tree_boxes_start, true, false },
	[TREE_CONSIDER] = { "consider", consider_start, true, false },
	[TREE_SURVEY] = { "survey", survey_start, false, true },
	[TREE_TRANSFER] = { "transfer", transfer_start, false, true },
	[TREE_PASSES] = { "passes", passes_start, false, false },
	[TREE_FAREWELL] = { "farewell", farewell_start, true, false },
	[TREE_PASSES_AGAIN] = { "passes again", passes_start, true, true },
};

static void tree_end(struct sync_tree *tree)
{
	tree->ops->done(tree, &tree->err);
	for (size_t i = 0; i < tree->count; i++)
		free(tree->mailboxes[i].name);
	free(tree->mailboxes);
	free(tree->trash);
	store_batch_free(&tree->consider.batch);
	boxes_free(&tree->boxes);
	survey_free(&tree->survey);
	transfer_free(&tree->transfer);
	farewell_free(&tree->farewell);
	free(tree);
}

static bool is_left_out(const struct sync_tree *tree, const struct tree_state_row *row)
{
	return (row->is_for_all && tree->options.targets != NULL) ||
	       (row->writes && tree->options.is_dry_run);
}

static void tree_advance(struct sync_tree *tree)
{
	do {
		do
			tree->state++;
		while (tree->state < TREE_STATE_COUNT && is_left_out(tree, &states[tree->state]));
		if (tree->state == TREE_STATE_COUNT || tree->err.code != 0) {
			tree_end(tree);
			return;
		}
		log_debug(tree->options.account, "tree: %s", states[tree->state].name);
		tree->is_stepping = true;
		tree->is_piece_over = false;
		states[tree->state].enter(tree);
		tree->is_stepping = false;
	} while (tree->is_piece_over);
}

void tree_piece_done(struct sync_tree *tree)
{
	if (tree->is_stepping)
		tree->is_piece_over = true;
	else
		tree_advance(tree);
}

/* What the state knows, where nothing is listed: for copies, whose originals may be anywhere. */
static int tree_load_known(struct sync_tree *tree, struct error *err)
{
	struct store_port *store = tree->ports.store;

	return tree->options.targets == NULL
		       ? 0
		       : store->ops->mailbox_each(store, tree_found_known, tree, err);
}

static void tree_begin(struct port_op *op, int code)
{
	struct sync_tree *tree = container_of(op, struct sync_tree, turn);
	struct error err = op->err;

	if (code == 0)
		code = tree_check_root(tree, &err);
	if (code == 0)
		code = tree_load_known(tree, &err);
	if (code != 0)
		tree_fail(tree, &err);
	tree_advance(tree);
}

static void tree_add_target(struct sync_tree *tree, const struct sync_target *target)
{
	struct tree_mailbox *mailbox = tree_add(tree, target->name);

	mailbox->is_remote = true;
	mailbox->is_local = true;
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
	tree->state = TREE_START;
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
	boxes_cancel(&tree->boxes);
	survey_cancel(&tree->survey);
	transfer_cancel(&tree->transfer);
	farewell_cancel(&tree->farewell);
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->mailboxes[i].pass != NULL)
			sync_pass_cancel(tree->mailboxes[i].pass);
	}
}

void *sync_tree_context(const struct sync_tree *tree)
{
	return tree->options.context;
}

const char *sync_tree_found_trash(const struct sync_tree *tree)
{
	return tree->trash;
}
