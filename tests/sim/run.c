/* Running one history: passes of the real engine over the model world, restarts
 * after crashes, and the comparison with the ledger at the end.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "syncd/sync_tree.h"

#define SETTLE_PASSES_MAX 12
#define REST_PASSES 3
#define PASS_STEPS_MAX 200000
#define SERVER_FLAGS_MASK (FLAGS_SYSTEM | (uint64_t)3 << FLAGS_SYSTEM_COUNT)
#define VERIFY_INTERVAL_S (24 * 60 * 60)

struct pass_run {
	bool is_done;
	struct sync_result result;
};

/* --- Passes -------------------------------------------------------------------------------- */

static void pass_over(struct sync_pass *pass, const struct sync_result *result)
{
	struct pass_run *pass_run = sync_pass_context(pass);

	pass_run->is_done = true;
	pass_run->result = *result;
}

static void start_pass(struct run *run, const struct sync_ports *ports, const struct look *look,
		       bool is_repeat, struct pass_run *pass_run)
{
	struct sync_pass_options options = {
		.hints = look->hints,
		.hint_count = look->hint_count,
		.is_remote_quiet = look->is_remote_quiet,
		.verify_interval_s = run->verify_interval_s,
		.is_repeat = is_repeat,
		.group_messages = 1 + (uint32_t)(run->history.seed % 4),
		.context = pass_run,
	};

	(void)sync_pass_start(ports, "INBOX", &options, pass_over);
}

/* The tree may begin no pass at all, or several in a row. */
static void tree_pass_over(struct sync_tree *tree, const char *name,
			   const struct sync_result *result)
{
	struct pass_run *pass_run = sync_tree_context(tree);
	struct sync_result before = pass_run->result;

	(void)name;
	pass_run->result = *result;
	sync_counts_add(&pass_run->result.counts, &before.counts);
	pass_run->result.missed += before.missed;
}

static void tree_over(struct sync_tree *tree, const struct error *err)
{
	struct pass_run *pass_run = sync_tree_context(tree);

	pass_run->is_done = true;
	if (err->code != 0)
		pass_run->result.err = *err;
}

/* `target` is borrowed until the tree is over. */
static void start_tree(struct run *run, const struct sync_ports *ports, const struct look *look,
		       struct sync_target *target, struct pass_run *pass_run)
{
	static const struct sync_tree_ops ops = { .ended = tree_pass_over, .done = tree_over };
	bool is_full = look->hints == NULL && !look->is_remote_quiet;
	struct sync_tree_options options = {
		.passes_at_once = 1,
		.verify_interval_s = run->verify_interval_s,
		.targets = is_full ? NULL : target,
		.target_count = 1,
		.context = pass_run,
	};

	*target = (struct sync_target){
		.name = "INBOX",
		.is_remote_quiet = look->is_remote_quiet,
		.hints = look->hints,
		.hint_count = look->hint_count,
	};
	(void)sync_tree_start(ports, &options, &ops);
}

static void trace_look(const struct look *look)
{
	const char *quiet = look->is_remote_quiet ? ", remote quiet" : "";

	if (look->hints != NULL)
		log_trace(NULL, "-- %zu hints of %zu events%s", look->hint_count, look->events,
			  quiet);
	else
		log_trace(NULL, "-- everything%s", quiet);
}

/* Ends the look. */
static void run_pass(struct run *run, struct look *look, bool is_repeat, struct pass_run *pass_run)
{
	struct world *world = &run->world;
	struct sync_ports ports = {
		.remote = &world->remote,
		.local = &world->local,
		.store = &world->store.port,
		.env = &world->env,
	};
	struct sync_target target;

	trace_look(look);
	*pass_run = (struct pass_run){ .is_done = false };
	if (run->has_tree)
		start_tree(run, &ports, look, &target, pass_run);
	else
		start_pass(run, &ports, look, is_repeat, pass_run);
	for (unsigned steps = 0; !pass_run->is_done; steps++) {
		if (steps == PASS_STEPS_MAX || !world_step(world))
			must_fail("the pass goes on", __FILE__, __LINE__);
	}
	must(list_is_empty(&world->tasks));
	look_end(run, look, &pass_run->result, world->is_dead);
	if (world->is_dead)
		world_restart(world);
	for (size_t i = 0; i < world->loss_count; i++)
		history_take_back(run, &world->losses[i]);
	world->loss_count = 0;
}

static uint64_t count_changes(const struct sync_counts *counts)
{
	return counts->fetched + counts->appended + counts->flags_local + counts->flags_remote +
	       counts->expunged + counts->removed;
}

static bool is_idle(const struct sync_result *result)
{
	return result->err.code == 0 && !result->wants_another &&
	       count_changes(&result->counts) == 0;
}

/* Nothing breaks any more: passes must come to one that does nothing, in bounded time. Returns how
 * many changes were made on the way. A server that can be trusted has told them all. */
static uint64_t come_to_rest(struct run *run, unsigned passes_max,
			     void (*look_begin)(struct run *run, struct look *look))
{
	struct pass_run pass_run = { .is_done = false };
	uint64_t changes = 0;
	struct look look;

	for (unsigned i = 0; i < passes_max; i++) {
		look_begin(run, &look);
		run_pass(run, &look, pass_run.result.wants_another, &pass_run);
		changes += count_changes(&pass_run.result.counts);
		run->missed += pass_run.result.missed;
		if (pass_run.result.missed > 0 && !run->world.server.is_untrustworthy)
			ledger_violated(run, "what was told is reported as missed", 0);
		if (is_idle(&pass_run.result))
			return changes;
		world_wait(&run->world, 60);
	}
	ledger_violated(run, "it does not come to rest", 0);
	(void)snprintf(run->why + strlen(run->why), sizeof(run->why) - strlen(run->why), ": %s%s",
		       pass_run.result.wants_another ? "another pass is wanted" : "",
		       pass_run.result.err.text);
	return changes;
}

/* A day later everything is compared, and what the server had not told is reported. */
static void find_out_server(struct run *run)
{
	/* Something else may be done: a next try, and there is nothing that was not told. */
	bool is_alone = run->world.store.setaside_count == 0 && !run->world.server.names_all;

	run->missed = 0;
	world_wait(&run->world, VERIFY_INTERVAL_S + 1);
	uint64_t changes = come_to_rest(run, SETTLE_PASSES_MAX, look_at_all);
	if (changes > 0 && run->missed == 0 && is_alone)
		ledger_violated(run, "what was missed is not reported", 0);
}

/* What inotify told is enough when it told all. A server that cannot be trusted is found out by
 * the next comparison of everything, the others at once. */
static void run_settle(struct run *run)
{
	bool by_hints = !run->must_look && !run->has_missed && rng_below(&run->rng, 2) == 0;

	run->world.faults_are_on = false;
	(void)come_to_rest(run, SETTLE_PASSES_MAX, by_hints ? look_by_hints : look_at_all);
	if (run->world.server.is_untrustworthy)
		find_out_server(run);
	ledger_check(run);
	if (by_hints && run->world.store.setaside_count == 0) /* whose next try may be due */
		(void)come_to_rest(run, 1, look_at_all);
	run->world.faults_are_on = true;
}

/* What nobody has changed is not listed, and not even opened where its status was told: but for
 * a pass that has yet to see how things are by now, and one that compares everything. */
static void check_rest_is_cheap(struct run *run)
{
	struct world *world = &run->world;
	const struct model_server *server = &world->server;
	bool tells = run->has_tree && server->tells_status && server->tells_uidnext;
	unsigned listed = 0;
	unsigned opened = 0;

	if (server->modseqs == MODSEQS_NONE || server->is_untrustworthy || server->names_all ||
	    world->store.setaside_count > 0 || world->store.message_count == 0)
		return;
	world->faults_are_on = false;
	for (unsigned i = 0; i < REST_PASSES && run->why[0] == '\0'; i++) {
		uint64_t listings = model_mailbox_find(world, "INBOX")->listings +
				    model_maildir_find(world, "INBOX")->listings;
		uint64_t opens = model_mailbox_find(world, "INBOX")->opens;
		world_wait(world, 60);
		(void)come_to_rest(run, 1, look_at_all);
		listed += model_mailbox_find(world, "INBOX")->listings +
				  model_maildir_find(world, "INBOX")->listings >
			  listings;
		opened += model_mailbox_find(world, "INBOX")->opens > opens;
	}
	if (listed == REST_PASSES)
		ledger_violated(run, "all is listed though nothing has changed", 0);
	if (tells && opened == REST_PASSES)
		ledger_violated(run, "the mailbox is opened though nothing has changed", 0);
}

/* In the end nothing is refused any more, and what was set aside has its next try: long before
 * everything is compared again. */
static void run_forgive(struct run *run)
{
	struct world *world = &run->world;
	int64_t latest_s = world_now_s(world);

	world->server.refuses_fetch = 0;
	world->server.refuses_append = 0;
	for (size_t i = 0; i < world->store.setaside_count; i++) {
		int64_t next_try_s = world->store.setaside[i].setaside.next_try_s;
		if (next_try_s != INT64_MAX && next_try_s > latest_s)
			latest_s = next_try_s;
	}
	world_wait(world, latest_s + 1 - world_now_s(world));
	run_settle(run);
}

/* --- A whole run ------------------------------------------------------------------------------ */

static void run_due_steps(struct run *run)
{
	while (run->next_step < run->history.step_count &&
	       run->history.steps[run->next_step].at_call <= run->world.calls)
		history_step(run, &run->history.steps[run->next_step++]);
}

static void run_after_call(struct world *world)
{
	run_due_steps(world->context);
}

static void configure_modseqs(struct model_server *server, struct rng *rng)
{
	static const enum model_modseqs kinds[] = {
		MODSEQS_NONE,    MODSEQS_CONDSTORE, MODSEQS_CONDSTORE,
		MODSEQS_QRESYNC, MODSEQS_QRESYNC,   MODSEQS_QRESYNC,
	};

	server->modseqs = kinds[rng_below(rng, ARRAY_LEN(kinds))];
	server->tells_status = rng_below(rng, 4) != 0;
	server->forgets_vanished = rng_below(rng, 3) == 0;
	server->names_unknown = rng_below(rng, 3) == 0;
	server->names_all = rng_below(rng, 3) == 0;
	server->hides_expunges = rng_below(rng, 2) == 0 && server->modseqs == MODSEQS_CONDSTORE;
	server->is_lazy = rng_below(rng, 2) == 0;
	server->bumps_for_nothing = rng_below(rng, 3) == 0;
	server->is_untrustworthy = rng_below(rng, 6) == 0;
	log_trace(NULL, "modseqs %d%s%s%s%s%s%s%s%s", server->modseqs,
		  server->tells_status ? ", tells status" : "",
		  server->forgets_vanished ? ", forgets vanished" : "",
		  server->names_unknown ? ", names unknown" : "",
		  server->names_all ? ", names all" : "",
		  server->hides_expunges ? ", hides expunges" : "", server->is_lazy ? ", lazy" : "",
		  server->bumps_for_nothing ? ", bumps for nothing" : "",
		  server->is_untrustworthy ? ", not to be trusted" : "");
}

static void configure_clocks(struct world *world, struct rng *rng)
{
	static const int64_t steps_ns[] = { 20000000, 2000000000 };
	static const int64_t ticks_ns[] = { 1, 4000000, 1000000000, 2000000000 };

	world->step_ns = steps_ns[rng_below(rng, ARRAY_LEN(steps_ns))];
	world->tick_ns = ticks_ns[rng_below(rng, ARRAY_LEN(ticks_ns))];
}

static void run_configure(struct run *run)
{
	struct model_server *server = &run->world.server;
	struct rng rng = { .state = run->history.seed ^ 0xc0f1 };

	server->has_uidplus = rng_below(&rng, 3) != 0;
	server->tells_uidnext = rng_below(&rng, 4) != 0;
	server->lies_about_size = rng_below(&rng, 4) == 0;
	server->flags_mask = SERVER_FLAGS_MASK;
	run->world.may_see_moving = rng_below(&rng, 2) == 0;
	if (rng_below(&rng, 4) == 0)
		server->refuses_fetch = 1 + (uint32_t)rng_below(&rng, 12);
	if (rng_below(&rng, 4) == 0)
		server->refuses_append = 1 + (uint32_t)rng_below(&rng, 12);
	server->refuses_silently = rng_below(&rng, 3) == 0;
	server->lanes = 1 + (unsigned)rng_below(&rng, 3);
	configure_modseqs(server, &rng);
	configure_clocks(&run->world, &rng);
	run->has_tree = rng_below(&rng, 2) == 0;
	if (server->is_untrustworthy || rng_below(&rng, 2) == 0)
		run->verify_interval_s = VERIFY_INTERVAL_S;
}

/* Until the next pass: as after a push, as between two polls, or as over a weekend. */
static void run_wait(struct run *run)
{
	static const uint64_t longest_s[] = { 4, 4, 7200, 7200, 7200, 200000 };

	world_wait(&run->world,
		   (int64_t)rng_below(&run->rng,
				      longest_s[rng_below(&run->rng, ARRAY_LEN(longest_s))]));
}

static void run_passes(struct run *run)
{
	struct world *world = &run->world;
	struct pass_run pass_run = { .is_done = false };
	struct look look;

	for (unsigned i = 0; i < run->history.passes && run->why[0] == '\0'; i++) {
		look_choose(run, &look);
		run_pass(run, &look, pass_run.result.wants_another, &pass_run);
		run_wait(run);
		if (rng_below(&run->rng, 4) == 0) {
			world->after_call = NULL;
			run_settle(run);
			world->after_call = run_after_call;
		}
	}
}

bool history_run(const struct history *history, struct run *run)
{
	struct world *world = &run->world;

	memset(run, 0, sizeof(*run));
	world_init(world, history->seed);
	run->history = *history;
	run->rng.state = history->seed ^ 0x9a55;
	run->must_look = true;
	world->faults = run->history.faults;
	world->fault_count = history->fault_count;
	world->faults_are_on = true;
	world->context = run;
	run_configure(run);
	run_due_steps(run);
	world->after_call = run_after_call;
	run_passes(run);
	world->calls += 1u << 20; /* what is left of the history happens now */
	run_due_steps(run);
	world->after_call = NULL;
	if (run->why[0] == '\0')
		run_settle(run);
	if (run->why[0] == '\0')
		run_forgive(run);
	if (run->why[0] == '\0')
		check_rest_is_cheap(run);
	world_free(world);
	return run->why[0] == '\0';
}
