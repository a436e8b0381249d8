/* What kind of world a seed makes: the server's traits, the clocks, the mailboxes.
 * SPDX-License-Identifier: MIT */
#include "history.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define SERVER_FLAGS_MASK (FLAGS_SYSTEM | (uint64_t)3 << FLAGS_SYSTEM_COUNT)

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

/* Several mailboxes are the tree's business. Each may be on one side only, or not be at all. */
static void configure_mailboxes(struct run *run, struct rng *rng)
{
	struct model_server *server = &run->world.server;

	run->has_tree = run->history.has_mailboxes || rng_below(rng, 2) == 0;
	run->passes_at_once = 1;
	run->world.names_keywords = true;
	run->world.reuses_lasting_ids = rng_below(rng, 3) == 0;
	server->has_move = rng_below(rng, 3) != 0;
	server->tells_ids = rng_below(rng, 3) != 0;
	server->tells_email_ids = rng_below(rng, 2) == 0;
	server->shares_uidvalidity = rng_below(rng, 3) == 0;
	server->renumbers_renamed = rng_below(rng, 6) == 0;
	if (!run->history.has_mailboxes)
		return;
	run->passes_at_once += (unsigned)rng_below(rng, 3);
	for (size_t i = 1; i < MAILBOXES_MAX; i++) {
		if (rng_below(rng, 4) != 0)
			(void)model_maildir_create(&run->world, place_names[i]);
		if (rng_below(rng, 4) != 0)
			(void)model_mailbox_create(&run->world, place_names[i]);
	}
}

static void configure_options(struct run *run)
{
	struct rng rng = { .state = run->history.seed ^ 0x0b71 };

	if (rng_below(&rng, 4) == 0 && run->has_tree)
		run->trash = place_names[rng_below(&rng, PLACES)];
	run->expunges_deleted = rng_below(&rng, 4) == 0;
	if (rng_below(&rng, 4) == 0)
		run->direction = rng_below(&rng, 2) == 0 ? SYNC_PULL : SYNC_PUSH;
	log_trace(NULL, "direction %d, trash %s%s", run->direction,
		  run->trash != NULL ? run->trash : "none",
		  run->expunges_deleted ? ", expunges deleted" : "");
}

void run_configure(struct run *run)
{
	struct model_server *server = &run->world.server;
	struct rng rng = { .state = run->history.seed ^ 0xc0f1 };

	server->has_uidplus = rng_below(&rng, 3) != 0;
	server->tells_uidnext = rng_below(&rng, 4) != 0;
	server->lies_about_size = rng_below(&rng, 4) == 0;
	server->flags_mask = SERVER_FLAGS_MASK;
	if (rng_below(&rng, 8) == 0)
		server->drops = (uint64_t)2 << FLAGS_SYSTEM_COUNT;
	run->world.may_see_moving = rng_below(&rng, 2) == 0;
	if (rng_below(&rng, 4) == 0)
		server->refuses_fetch = 1 + (uint32_t)rng_below(&rng, 12);
	if (rng_below(&rng, 4) == 0)
		server->refuses_append = 1 + (uint32_t)rng_below(&rng, 12);
	server->refuses_silently = rng_below(&rng, 3) == 0;
	server->lanes = 1 + (unsigned)rng_below(&rng, 3);
	configure_modseqs(server, &rng);
	configure_clocks(&run->world, &rng);
	configure_mailboxes(run, &rng);
	if (server->is_untrustworthy || rng_below(&rng, 2) == 0)
		run->verify_interval_s = VERIFY_INTERVAL_S;
	if (rng_below(&rng, 3) == 0) {
		run->limit.percent = rng_below(&rng, 4) == 0 ? 50 : 1;
		run->limit.messages = 1 + (size_t)rng_below(&rng, 2);
		log_trace(NULL, "%zu deletions of more than %u%% are held", run->limit.messages,
			  run->limit.percent);
	}
	configure_options(run);
	if (rng_below(&rng, 2) == 0)
		run->unanswered_wait_s = MODEL_LATE_S + 2;
}
