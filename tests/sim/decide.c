/* What a person says of deletions that are held, and whether that is what becomes of them.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "history.h"
#include "syncd/log.h"

#define HOLD_PASSES_MAX 12

static const char *const decision_names[] = {
	[SYNC_HOLD] = "held",
	[SYNC_ACCEPT] = "accepted",
	[SYNC_RESTORE] = "restored",
};

static void set_decision(struct run *run, enum sync_decision decision)
{
	run->decision = decision;
	log_trace(NULL, "-- deletions are %s", decision_names[decision]);
	if (decision == SYNC_RESTORE)
		ledger_restore(run);
}

void decide_at_random(struct run *run)
{
	if (run->limit.percent == 0)
		return;
	uint64_t draw = rng_below(&run->rng, 12);
	set_decision(run, draw < SYNC_RESTORE + 1 ? (enum sync_decision)draw : SYNC_HOLD);
}

static bool is_there(struct run *run, size_t place, bool is_local)
{
	return is_local ? model_maildir_find(&run->world, place_names[place]) != NULL
			: model_mailbox_find(&run->world, place_names[place]) != NULL;
}

/* Until all is done but what is held. */
static bool come_to_hold(struct run *run)
{
	struct pass_run pass_run = { .is_done = false };
	struct look look;

	for (unsigned i = 0; i < HOLD_PASSES_MAX; i++) {
		look_at_all(run, &look);
		run_pass(run, &look, pass_run.wants_another, &pass_run);
		if (pass_changes(&pass_run) == 0 && !pass_run.wants_another && !pass_run.wants_run)
			return true;
		world_wait(&run->world, 60);
	}
	return false;
}

/* Where mailboxes are renamed, or messages refused, or a server tells less than there is, more than
 * a decision decides. */
static bool is_all_told(const struct run *run)
{
	const struct model_server *server = &run->world.server;

	for (size_t i = 0; i < PLACES; i++) {
		if (run->is_renaming[i])
			return false;
	}
	return !server->is_untrustworthy && server->refuses_fetch == 0 &&
	       server->refuses_append == 0 && run->world.store.setaside_count == 0;
}

void decide_for_good(struct run *run, struct decided *decided)
{
	memset(decided, 0, sizeof(*decided));
	if (run->limit.percent == 0)
		return;
	set_decision(run, SYNC_HOLD);
	decided->is_clear = is_all_told(run) && come_to_hold(run) && is_all_told(run);
	ledger_tally(run, &decided->before);
	for (size_t i = 0; i < PLACES; i++)
		decided->is_one_sided[i] = is_there(run, i, true) != is_there(run, i, false);
	set_decision(run, rng_below(&run->rng, 2) == 0 ? SYNC_ACCEPT : SYNC_RESTORE);
}

/* Accepted, what one side lacked is gone; restored, it is there. Of several copies each side may
 * lack another. A mailbox whose deletion was accepted may have been kept for what the other side
 * never had. */
static void check_place(struct run *run, const struct decided *decided, const struct tallies *after,
			uint32_t content, size_t place)
{
	const struct tally *before = &decided->before.of[content][place];
	unsigned less = before->local < before->remote ? before->local : before->remote;
	unsigned more = before->local < before->remote ? before->remote : before->local;
	unsigned expected = run->decision == SYNC_ACCEPT ? less : more;

	if (run->ledger[content].is_marked || (run->trash != NULL && place_of(run->trash) == place))
		return;
	if (run->ledger[content].created > 1 ||
	    (decided->is_one_sided[place] && run->decision == SYNC_ACCEPT))
		return;
	if (after->of[content][place].local != expected) {
		log_trace(NULL, "## message %u %s: %u here and %u there were %s, %u are left",
			  content, place_names[place], before->local, before->remote,
			  decision_names[run->decision], after->of[content][place].local);
		ledger_violated(run, "it did not come as it was decided", content);
	}
}

void decide_check(struct run *run, const struct decided *decided)
{
	struct tallies after = { 0 };

	if (!decided->is_clear || run->direction != SYNC_BOTH)
		return;
	ledger_tally(run, &after);
	for (uint32_t content = 1; content <= run->contents; content++) {
		for (size_t place = 0; place < PLACES; place++)
			check_place(run, decided, &after, content, place);
	}
}
