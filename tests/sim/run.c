/* Running one history: passes of the real engine over the model world, restarts
 * after crashes, and the comparison with the ledger at the end.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/sync_pass.h"

#define SETTLE_PASSES_MAX 12
#define PASS_STEPS_MAX 200000
#define SERVER_FLAGS_MASK (FLAGS_SYSTEM | (uint64_t)3 << FLAGS_SYSTEM_COUNT)

struct pass_run {
	bool is_done;
	struct sync_result result;
};

static void violated(struct run *run, const char *what, uint32_t content)
{
	if (run->why[0] == '\0')
		(void)snprintf(run->why, sizeof(run->why), "%s (message %u)", what, content);
}

/* --- The ledger ----------------------------------------------------------------------- */

struct tally {
	unsigned local;
	unsigned remote;
	uint64_t local_flags;
	uint64_t remote_flags;
};

static void tally_sides(struct run *run, struct tally *tallies)
{
	for (size_t i = 0; model_file_visible(&run->world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(&run->world, i);
		if (file->content == 0)
			violated(run, "a torn file is visible", 0);
		tallies[file->content].local++;
		tallies[file->content].local_flags = file->flags;
	}
	for (size_t i = 0; i < run->world.server.count; i++) {
		const struct model_message *message = &run->world.server.messages[i];
		tallies[message->content].remote++;
		tallies[message->content].remote_flags = message->flags;
	}
}

/* A flag that one hand changed once has that value everywhere. */
static void check_touches(struct run *run, uint32_t content, const struct tally *tally)
{
	const struct ledger_row *row = &run->ledger[content];

	if (row->created != 1 || row->is_on_both || row->deleted_weakly > 0 || run->was_renumbered)
		return;
	for (size_t i = 0; i < ARRAY_LEN(row->touches); i++) {
		uint64_t bit = (uint64_t)1 << i;
		uint64_t expected = row->touches[i] == 1 ? ~row->first_flags : row->first_flags;
		if (row->touches[i] <= 1 && ((tally->local_flags ^ expected) & bit) != 0)
			violated(run, "a flag change was lost or invented", content);
	}
}

/* A local message that the server took and lost again, without UIDPLUS. */
static bool is_set_aside(struct world *world, uint32_t content)
{
	for (size_t i = 0; i < world->store.setaside_count; i++) {
		const struct setaside_record *record = &world->store.setaside[i];
		for (size_t n = 0; model_file_visible(world, n) != NULL; n++) {
			const struct model_file *file = model_file_visible(world, n);
			if (file->content == content && strcmp(file->name, record->name) == 0)
				return !world->server.has_uidplus;
		}
	}
	return false;
}

static void check_row(struct run *run, uint32_t content, const struct tally *tally)
{
	const struct ledger_row *row = &run->ledger[content];
	unsigned most = row->created > row->deleted ? row->created - row->deleted : 0;
	unsigned least = most > row->deleted_weakly ? most - row->deleted_weakly : 0;
	unsigned held = tally->local > tally->remote ? tally->local : tally->remote;
	bool is_refused = content == run->world.server.refuses_fetch ||
			  content == run->world.server.refuses_append ||
			  is_set_aside(&run->world, content);

	if (held < least)
		violated(run, "a message was lost", content);
	if (held > most)
		violated(run, "a message was doubled or came back", content);
	if (tally->local != tally->remote && !is_refused)
		violated(run, "a message is not on both sides", content);
	if (tally->local == 1 && tally->remote == 1) {
		if (tally->local_flags != tally->remote_flags)
			violated(run, "flags differ", content);
		check_touches(run, content, tally);
	}
}

void ledger_check(struct run *run)
{
	struct tally tallies[LEDGER_MAX] = { 0 };

	tally_sides(run, tallies);
	for (uint32_t content = 1; content <= run->contents; content++)
		check_row(run, content, &tallies[content]);
	if (run->world.store.journal_count > 0)
		violated(run, "the journal is not empty at rest", 0);
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		if (run->world.files[i].is_used && run->world.files[i].place == PLACE_TMP)
			violated(run, "a file was left in tmp/", 0);
	}
}

/* --- Passes -------------------------------------------------------------------------------- */

static void pass_over(struct sync_pass *pass, const struct sync_result *result)
{
	struct pass_run *pass_run = sync_pass_context(pass);

	pass_run->is_done = true;
	pass_run->result = *result;
}

static void run_pass(struct run *run, bool is_repeat, struct pass_run *pass_run)
{
	struct world *world = &run->world;
	struct sync_ports ports = {
		.remote = &world->remote,
		.local = &world->local,
		.store = &world->store.port,
		.env = &world->env,
	};
	struct sync_pass_options options = {
		.is_repeat = is_repeat,
		.group_messages = 1 + (uint32_t)(run->history.seed % 4),
		.context = pass_run,
	};

	*pass_run = (struct pass_run){ .is_done = false };
	(void)sync_pass_start(&ports, "INBOX", &options, pass_over);
	for (unsigned steps = 0; !pass_run->is_done; steps++) {
		if (steps == PASS_STEPS_MAX || !world_step(world)) {
			must_fail("the pass goes on", __FILE__, __LINE__);
		}
	}
	must(list_is_empty(&world->tasks));
	if (world->is_dead)
		world_restart(world);
	for (size_t i = 0; i < world->lost_count; i++)
		run->ledger[world->lost[i]].deleted_weakly++;
	world->lost_count = 0;
}

static bool is_idle(const struct sync_result *result)
{
	const struct sync_counts *counts = &result->counts;

	return result->err.code == 0 && !result->wants_another &&
	       counts->fetched + counts->appended + counts->flags_local + counts->flags_remote +
			       counts->expunged + counts->removed ==
		       0;
}

/* Nothing breaks any more: it must come to rest, in bounded time. */
static void run_settle(struct run *run)
{
	struct pass_run pass_run = { .is_done = false };

	run->world.faults_are_on = false;
	for (unsigned i = 0; i < SETTLE_PASSES_MAX; i++) {
		run_pass(run, pass_run.result.wants_another, &pass_run);
		if (is_idle(&pass_run.result)) {
			ledger_check(run);
			run->world.faults_are_on = true;
			return;
		}
		world_wait(&run->world, 60);
	}
	violated(run, "it does not come to rest", 0);
	(void)snprintf(run->why + strlen(run->why), sizeof(run->why) - strlen(run->why), ": %s",
		       pass_run.result.err.text);
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
}

bool history_run(const struct history *history, char *why)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct world *world = &run->world;
	struct pass_run pass_run = { .is_done = false };
	struct rng rng = { .state = history->seed ^ 0x9a55 };

	world_init(world, history->seed);
	run->history = *history;
	world->faults = run->history.faults;
	world->fault_count = history->fault_count;
	world->faults_are_on = true;
	world->context = run;
	run_configure(run);
	run_due_steps(run);
	world->after_call = run_after_call;
	for (unsigned i = 0; i < history->passes && run->why[0] == '\0'; i++) {
		run_pass(run, pass_run.result.wants_another, &pass_run);
		world_wait(world, (int64_t)rng_below(&rng, 7200));
		if (rng_below(&rng, 4) == 0) {
			world->after_call = NULL;
			run_settle(run);
			world->after_call = run_after_call;
		}
	}
	world->calls += 1u << 20; /* what is left of the history happens now */
	run_due_steps(run);
	world->after_call = NULL;
	if (run->why[0] == '\0')
		run_settle(run);
	memcpy(why, run->why, sizeof(run->why));
	world_free(world);
	free(run);
	return why[0] == '\0';
}
