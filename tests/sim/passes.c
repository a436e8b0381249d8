/* Passes of the real engine over the model world: one over INBOX, or those of a tree.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "history.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_tree.h"

#define PASS_STEPS_MAX 400000

/* --- Results ------------------------------------------------------------------------------ */

uint64_t pass_changes(const struct pass_run *pass_run)
{
	const struct sync_counts *counts = &pass_run->counts;

	return counts->fetched + counts->linked + counts->appended + counts->flags_local +
	       counts->flags_remote + counts->expunged + counts->removed;
}

bool pass_is_idle(const struct pass_run *pass_run)
{
	return pass_run->err.code == 0 && !pass_run->wants_another && !pass_run->wants_run &&
	       pass_changes(pass_run) == 0;
}

/* Of a mailbox that was only just made the look knows nothing. */
static void note_result(struct pass_run *pass_run, const char *name,
			const struct sync_result *result)
{
	struct look_target *target = look_find(pass_run->look, name);

	sync_counts_add(&pass_run->counts, &result->counts);
	pass_run->missed += result->missed;
	pass_run->wants_run |= result->wants_run;
	if (target == NULL) {
		pass_run->wants_another |= result->wants_another || result->err.code != 0;
		return;
	}
	target->is_over = true;
	target->result = *result;
}

/* A mailbox that was passed over several times is as the last time. */
static void take_results(struct pass_run *pass_run)
{
	for (size_t i = 0; i < pass_run->look->count; i++) {
		const struct look_target *target = &pass_run->look->targets[i];
		pass_run->wants_another |= target->result.wants_another;
		if (pass_run->err.code == 0)
			pass_run->err = target->result.err;
	}
}

/* --- One pass --------------------------------------------------------------------------------- */

static void pass_over(struct sync_pass *pass, const struct sync_result *result)
{
	struct pass_run *pass_run = sync_pass_context(pass);

	pass_run->is_done = true;
	note_result(pass_run, "INBOX", result);
}

static void start_pass(struct run *run, const struct sync_ports *ports, bool is_repeat,
		       struct pass_run *pass_run)
{
	const struct look_target *target = &pass_run->look->targets[0];
	struct sync_pass_options options = {
		.direction = run->direction,
		.hints = target->hints,
		.hint_count = target->hint_count,
		.is_remote_quiet = target->is_remote_quiet,
		.verify_interval_s = run->verify_interval_s,
		.unanswered_wait_s = run->unanswered_wait_s,
		.deletion_limit = run->limit,
		.decision = run->decision,
		.expunges_deleted = run->expunges_deleted,
		.is_repeat = is_repeat,
		.group_messages = 1 + (uint32_t)(run->history.seed % 4),
		.context = pass_run,
	};

	(void)sync_pass_start(ports, target->name, &options, pass_over);
}

/* --- A tree of them -----------------------------------------------------------------------------
 */

static bool tree_selects(struct sync_tree *tree, const char *name)
{
	const struct pass_run *pass_run = sync_tree_context(tree);
	size_t place = place_of(name);

	return place == PLACES || !pass_run->run->is_excluded[place];
}

static enum sync_decision tree_decides(struct sync_tree *tree, const char *name)
{
	const struct pass_run *pass_run = sync_tree_context(tree);

	(void)name;
	return pass_run->run->decision;
}

/* It may begin no pass over a mailbox at all, or several in a row. */
static void tree_pass_over(struct sync_tree *tree, const char *name,
			   const struct sync_result *result)
{
	note_result(sync_tree_context(tree), name, result);
}

static void tree_unchanged(struct sync_tree *tree, const char *name)
{
	note_result(sync_tree_context(tree), name, &(struct sync_result){ .missed = 0 });
}

static void tree_over(struct sync_tree *tree, const struct error *err)
{
	struct pass_run *pass_run = sync_tree_context(tree);

	pass_run->is_done = true;
	pass_run->err = *err;
}

/* `targets` is borrowed until the tree is over. */
static void start_tree(struct run *run, const struct sync_ports *ports, struct sync_target *targets,
		       struct pass_run *pass_run)
{
	static const struct sync_tree_ops ops = {
		.selects = tree_selects,
		.decides = tree_decides,
		.ended = tree_pass_over,
		.unchanged = tree_unchanged,
		.done = tree_over,
	};
	const struct look *look = pass_run->look;
	struct sync_tree_options options = {
		.direction = run->direction,
		.passes_at_once = run->passes_at_once,
		.verify_interval_s = run->verify_interval_s,
		.unanswered_wait_s = run->unanswered_wait_s,
		.deletion_limit = run->limit,
		.expunges_deleted = run->expunges_deleted,
		.trash = run->trash,
		.may_create_local = true,
		.may_create_remote = true,
		.may_remove_local = true,
		.may_remove_remote = true,
		.selects_for_good = true,
		.targets = look->is_full ? NULL : targets,
		.target_count = look->count,
		.context = pass_run,
	};

	for (size_t i = 0; i < look->count; i++)
		targets[i] = (struct sync_target){
			.name = look->targets[i].name,
			.is_remote_quiet = look->targets[i].is_remote_quiet,
			.hints = look->targets[i].hints,
			.hint_count = look->targets[i].hint_count,
		};
	(void)sync_tree_start(ports, &options, &ops);
}

/* --- Either ----------------------------------------------------------------------------------- */

static void trace_look(const struct look *look)
{
	if (look->is_full)
		log_trace(NULL, "-- everything");
	for (size_t i = 0; !look->is_full && i < look->count; i++) {
		const struct look_target *target = &look->targets[i];
		log_trace(NULL, "-- %s: %s, %zu hints of %zu events%s", target->name,
			  target->hints != NULL ? "hints" : "all", target->hint_count,
			  target->events, target->is_remote_quiet ? ", remote quiet" : "");
	}
}

/* What the engine made may have the number of one that people have just deleted. */
static void note_numbers(struct run *run)
{
	for (size_t i = 0; model_maildir_nth(&run->world, i) != NULL; i++) {
		const struct model_maildir *maildir = model_maildir_nth(&run->world, i);
		if (maildir->lasting_id != maildir->id)
			ledger_take_over(run, maildir);
	}
}

void run_pass(struct run *run, struct look *look, bool is_repeat, struct pass_run *pass_run)
{
	struct world *world = &run->world;
	struct sync_ports ports = {
		.remote = &world->remote,
		.local = &world->local,
		.store = &world->store.port,
		.env = &world->env,
	};
	struct sync_target targets[MODEL_MAILBOXES_MAX];

	trace_look(look);
	*pass_run = (struct pass_run){ .run = run, .look = look };
	if (run->has_tree)
		start_tree(run, &ports, targets, pass_run);
	else
		start_pass(run, &ports, is_repeat, pass_run);
	for (unsigned steps = 0; !pass_run->is_done; steps++) {
		if (steps == PASS_STEPS_MAX || !world_step(world))
			must_fail("the pass goes on", __FILE__, __LINE__);
	}
	must(list_is_empty(&world->tasks));
	take_results(pass_run);
	look_end(run, look, world->is_dead);
	pass_run->look = NULL;
	if (world->is_dead)
		world_restart(world);
	for (size_t i = 0; i < world->loss_count; i++)
		ledger_take_back(run, &world->losses[i]);
	world->loss_count = 0;
	note_numbers(run);
}
