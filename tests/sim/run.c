/* Running one history: passes while things break, restarts after crashes, and the
 * comparison with the ledger at the end.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "history.h"
#include "syncd/must.h"

#define SETTLE_PASSES_MAX 12
#define REST_PASSES 3

/* --- Coming to rest ------------------------------------------------------------------------------
 */

/* The server takes mailboxes along with the one above them: here they follow in the next run. */
static bool is_any_one_sided(struct run *run)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (!ledger_has_followed(run, i))
			return true;
	}
	return false;
}

/* A mailbox that is taken for another has flags that nobody told of. */
static bool is_any_blurred(const struct run *run)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (run->is_blurred[i])
			return true;
	}
	return false;
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
		run_pass(run, &look, pass_run.wants_another, &pass_run);
		changes += pass_changes(&pass_run);
		run->missed += pass_run.missed;
		/* What another pass moves to the trash may come between the two looks at it. */
		if (pass_run.missed > 0 && !run->world.server.is_untrustworthy &&
		    !is_any_blurred(run) && run->trash == NULL)
			ledger_violated(run, "what was told is reported as missed", 0);
		if (pass_is_idle(&pass_run) && !is_any_one_sided(run))
			return changes;
		world_wait(&run->world, 60);
	}
	ledger_violated(run, "it does not come to rest", 0);
	(void)snprintf(run->why + strlen(run->why), sizeof(run->why) - strlen(run->why), ": %s%s",
		       pass_run.wants_another ? "another pass is wanted" : "", pass_run.err.text);
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

/* The engine may go on with what it had half renamed; if it cannot, it says so. */
static void settle_halves(struct run *run)
{
	struct pass_run pass_run = { .is_done = false };
	struct look look;

	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		const struct model_maildir *maildir = &run->world.maildirs[i];
		if (maildir->id == 0 || !model_maildir_is_half(maildir))
			continue;
		look_at_all(run, &look);
		run_pass(run, &look, false, &pass_run);
		step_mend_halves(run);
		return;
	}
}

/* What inotify told is enough when it told all. A server that cannot be trusted is found out by
 * the next comparison of everything, the others at once. */
static void run_settle(struct run *run)
{
	bool by_hints = look_may_use_hints(run) && rng_below(&run->rng, 2) == 0;

	struct decided decided;

	run->world.faults_are_on = false;
	step_select_all(run);
	settle_halves(run);
	decide_for_good(run, &decided);
	(void)come_to_rest(run, SETTLE_PASSES_MAX, by_hints ? look_by_hints : look_at_all);
	decide_check(run, &decided);
	if (run->world.server.is_untrustworthy)
		find_out_server(run);
	ledger_check(run);
	ledger_rest(run);
	if (by_hints && run->world.store.setaside_count == 0) /* whose next try may be due */
		(void)come_to_rest(run, 1, look_at_all);
	run->world.faults_are_on = true;
}

/* How often mailboxes were looked into, by place. */
struct toll {
	uint64_t listings[PLACES];
	uint64_t opens[PLACES];
};

static struct toll read_toll(struct run *run)
{
	struct toll toll = { .listings = { 0 } };

	for (size_t i = 0; i < PLACES; i++) {
		const struct model_mailbox *mailbox =
			model_mailbox_find(&run->world, place_names[i]);
		const struct model_maildir *maildir =
			model_maildir_find(&run->world, place_names[i]);
		if (mailbox == NULL || maildir == NULL)
			continue;
		toll.listings[i] = mailbox->listings + maildir->listings;
		toll.opens[i] = mailbox->opens;
	}
	return toll;
}

/* What nobody has changed is not listed, and not even opened where its status was told: but for
 * a pass that has yet to see how things are by now, and one that compares everything. */
static void check_rest_is_cheap(struct run *run)
{
	struct world *world = &run->world;
	const struct model_server *server = &world->server;
	bool tells = run->has_tree && server->tells_status && server->tells_uidnext;
	unsigned listed[PLACES] = { 0 };
	unsigned opened[PLACES] = { 0 };

	/* Pushing, its number of messages does not tell whether one is gone. */
	if (run->direction == SYNC_PUSH && server->modseqs == MODSEQS_CONDSTORE)
		return;
	if (server->modseqs == MODSEQS_NONE || server->is_untrustworthy || server->names_all ||
	    world->store.setaside_count > 0)
		return;
	world->faults_are_on = false;
	for (unsigned n = 0; n < REST_PASSES && run->why[0] == '\0'; n++) {
		struct toll before = read_toll(run);
		world_wait(world, 60);
		(void)come_to_rest(run, 1, look_at_all);
		struct toll after = read_toll(run);
		for (size_t i = 0; i < PLACES; i++) {
			listed[i] += after.listings[i] > before.listings[i];
			opened[i] += after.opens[i] > before.opens[i];
		}
	}
	for (size_t i = 0; i < PLACES; i++) {
		if (model_store_count(world, place_names[i]) == 0)
			continue;
		if (listed[i] == REST_PASSES)
			ledger_violated(run, "all is listed though nothing has changed", 0);
		if (tells && opened[i] == REST_PASSES)
			ledger_violated(run, "the mailbox is opened though nothing has changed", 0);
	}
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
		decide_at_random(run);
		run_pass(run, &look, pass_run.wants_another, &pass_run);
		if (run->decision == SYNC_RESTORE)
			ledger_restore(run);
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
	for (size_t i = 0; i < PLACES; i++)
		run->renamed[i] = i;
	world->faults = run->history.faults;
	world->fault_count = history->fault_count;
	world->faults_are_on = true;
	world->context = run;
	run_configure(run);
	world->is_late = run->unanswered_wait_s > 0;
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
