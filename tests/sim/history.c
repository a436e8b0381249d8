/* Making and printing histories.
 * SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdio.h>
#include <string.h>

const char *const place_names[PLACES] = { "INBOX", "A", "A/B", "C", "C/B" };

struct step_row {
	const char *name;
	unsigned weight;           /* with one mailbox, */
	unsigned weight_mailboxes; /* and with several */
};

static const struct step_row step_rows[STEP_KIND_COUNT] = {
	[STEP_LOCAL_NEW] = { "local new", 6, 6 },
	[STEP_LOCAL_COPY] = { "local copy", 1, 1 },
	[STEP_LOCAL_FLAGS] = { "local flags", 5, 4 },
	[STEP_LOCAL_DELETE] = { "local delete", 4, 3 },
	[STEP_LOCAL_MOVE] = { "local move", 0, 6 },
	[STEP_LOCAL_COPY_OUT] = { "local copy out", 0, 1 },
	[STEP_LOCAL_MAKE] = { "local make mailbox", 0, 1 },
	[STEP_LOCAL_RENAME] = { "local rename mailbox", 0, 1 },
	[STEP_LOCAL_UNMAKE] = { "local delete mailbox", 0, 1 },
	[STEP_REMOTE_NEW] = { "remote new", 6, 6 },
	[STEP_REMOTE_COPY] = { "remote copy", 1, 1 },
	[STEP_REMOTE_FLAGS] = { "remote flags", 5, 4 },
	[STEP_REMOTE_DELETE] = { "remote delete", 4, 3 },
	[STEP_REMOTE_MOVE] = { "remote move", 0, 6 },
	[STEP_REMOTE_COPY_OUT] = { "remote copy out", 0, 1 },
	[STEP_REMOTE_MAKE] = { "remote make mailbox", 0, 1 },
	[STEP_REMOTE_RENAME] = { "remote rename mailbox", 0, 1 },
	[STEP_REMOTE_UNMAKE] = { "remote delete mailbox", 0, 1 },
	[STEP_BOTH_NEW] = { "both new", 0, 0 },
	[STEP_SELECT] = { "select", 0, 1 },
	[STEP_RENUMBER] = { "renumber", 2, 2 },
};

static const char *const fault_names[FAULT_KIND_COUNT] = {
	"none", "fail", "lose reply", "kill before", "kill after", "power before", "power after",
};

/* --- Making ---------------------------------------------------------------------- */

static unsigned weight_of(const struct history *history, size_t kind)
{
	return history->has_mailboxes ? step_rows[kind].weight_mailboxes : step_rows[kind].weight;
}

static enum step_kind choose_kind(const struct history *history, struct rng *rng, bool may_renumber)
{
	uint64_t total = 0;

	for (size_t i = 0; i < STEP_KIND_COUNT; i++)
		total += weight_of(history, i);
	uint64_t draw = rng_below(rng, total);
	for (size_t i = 0; i < STEP_KIND_COUNT; i++) {
		if (draw < weight_of(history, i))
			return i == STEP_RENUMBER && !may_renumber ? STEP_LOCAL_NEW
								   : (enum step_kind)i;
		draw -= weight_of(history, i);
	}
	return STEP_LOCAL_NEW;
}

void history_make(struct history *history, uint64_t seed)
{
	struct rng rng = { .state = seed ^ 0x5eed };
	size_t early = (size_t)rng_below(&rng, 12);
	bool may_renumber = rng_below(&rng, 4) == 0;
	uint64_t most_calls = rng_below(&rng, 2) == 0 ? 12 : 40; /* between two steps */

	memset(history, 0, sizeof(*history));
	history->seed = seed;
	history->has_mailboxes = rng_below(&rng, 2) == 0;
	history->passes = 3 + (unsigned)rng_below(&rng, 10);
	history->step_count = early + rng_below(&rng, HISTORY_STEPS_MAX - early);
	history->fault_count = rng_below(&rng, HISTORY_FAULTS_MAX / 2 + 1);
	for (size_t i = 0; i < history->step_count; i++) {
		struct step *step = &history->steps[i];
		step->kind = choose_kind(history, &rng, may_renumber);
		step->a = rng_next(&rng);
		step->b = rng_next(&rng);
		if (i >= early)
			step->at_call = history->steps[i - 1 + (i == 0)].at_call +
					rng_below(&rng, most_calls);
		else if (rng_below(&rng, 4) == 0)
			step->kind = STEP_BOTH_NEW;
	}
	for (size_t i = 0; i < history->fault_count; i++) {
		uint64_t calls = (history->has_mailboxes ? 100 : 60) * history->passes;
		history->faults[i].at_call = 1 + rng_below(&rng, calls);
		history->faults[i].kind =
			(enum fault_kind)(1 + rng_below(&rng, FAULT_KIND_COUNT - 1));
	}
}

void history_print(const struct history *history)
{
	(void)printf("# seed %llu, %u passes%s\n", (unsigned long long)history->seed,
		     history->passes, history->has_mailboxes ? ", several mailboxes" : "");
	for (size_t i = 0; i < history->step_count; i++) {
		const struct step *step = &history->steps[i];
		(void)printf("#   after call %-4llu %s (%llu, %llu)\n",
			     (unsigned long long)step->at_call, step_rows[step->kind].name,
			     (unsigned long long)step->a % 1000,
			     (unsigned long long)step->b % 1000);
	}
	for (size_t i = 0; i < history->fault_count; i++)
		(void)printf("#   at call    %-4llu fault: %s\n",
			     (unsigned long long)history->faults[i].at_call,
			     fault_names[history->faults[i].kind]);
}
