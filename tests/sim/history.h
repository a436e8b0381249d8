/* Histories: what people do to both sides while syncd works and things break, and
 * the ledger of what must come out.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "support/model.h"

#define HISTORY_STEPS_MAX 64
#define HISTORY_FAULTS_MAX 16
#define LEDGER_MAX 256

enum step_kind {
	STEP_LOCAL_NEW,
	STEP_LOCAL_COPY, /* of a message that came into being locally */
	STEP_LOCAL_FLAGS,
	STEP_LOCAL_DELETE,
	STEP_REMOTE_NEW,
	STEP_REMOTE_COPY,
	STEP_REMOTE_FLAGS,
	STEP_REMOTE_DELETE,
	STEP_BOTH_NEW, /* one message that both sides have from the start; before the first pass only */
	STEP_RENUMBER, /* a new UIDVALIDITY */
	STEP_KIND_COUNT,
};

struct step {
	uint64_t at_call; /* happens once so many port calls were made */
	enum step_kind kind;
	uint64_t a; /* choices, taken modulo what there is to choose from */
	uint64_t b;
};

struct history {
	uint64_t seed;
	struct step steps[HISTORY_STEPS_MAX];
	size_t step_count;
	struct fault faults[HISTORY_FAULTS_MAX];
	size_t fault_count;
	unsigned passes; /* run while things break */
};

/* What is known of one content: how many were made, and how many deletions were
 * asked for. A deletion is weak when the state could not know it: then the message
 * may come back, as losing it would be worse. */
struct ledger_row {
	bool is_local; /* where it came into being */
	bool is_on_both;
	unsigned created;
	unsigned deleted;
	unsigned deleted_weakly;
	uint64_t first_flags;
	unsigned touches[8]; /* changes of each flag bit */
};

struct run {
	struct world world;
	struct history history;
	size_t next_step;
	struct ledger_row ledger[LEDGER_MAX];
	uint32_t contents; /* ledger rows in use; row 0 is not */
	bool was_renumbered;
	char why[256]; /* the first violation, "" when all is well */
};

void history_make(struct history *history, uint64_t seed);
void history_print(const struct history *history);

/* Carries out a step of the history on the world and in the ledger. */
void history_step(struct run *run, const struct step *step);

/* Compares both sides with the ledger; fills run->why. */
void ledger_check(struct run *run);

/* Runs a history from beginning to end. True when nothing was violated; `why`
 * (256 bytes) says what was. */
bool history_run(const struct history *history, char *why);

#endif
