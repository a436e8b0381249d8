/* Histories: what people do to both sides while syncd works and things break, and
 * the ledger of what must come out.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "support/model.h"
#include "syncd/sync_pass.h"

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
	STEP_BOTH_NEW, /* one message that both sides have from the start; before the first pass
			  only */
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
	struct rng rng;      /* the daemon's */
	bool must_look;      /* at the whole maildir: events are known to be missing */
	bool has_missed;     /* some are, and nobody knows */
	bool has_unrecorded; /* the last pass may have changed files without recording that */
	bool has_tree;       /* passes are begun by the tree */
	int64_t verify_interval_s;
	uint64_t missed; /* changes that complete comparisons reported */
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

/* A power cut has undone something a user did. */
void history_take_back(struct run *run, const struct model_loss *loss);

/* Compares both sides with the ledger; fills run->why. */
void ledger_check(struct run *run);
/* Notes a violation; the first one counts. */
void ledger_violated(struct run *run, const char *what, uint32_t content);

/* What a pass is told of changes. */
struct look {
	struct local_hint *hints; /* NULL: the whole maildir */
	size_t hint_count;
	bool is_remote_quiet;
	size_t events; /* of the world's: those that this look answers */
};

/* Begins a look: whatever a daemon might do now; at everything; at what inotify told, when that
 * is all that changed. Each is ended with how its pass ended. */
void look_choose(struct run *run, struct look *look);
void look_at_all(struct run *run, struct look *look);
void look_by_hints(struct run *run, struct look *look);
void look_end(struct run *run, struct look *look, const struct sync_result *result, bool has_died);

/* Runs a history from beginning to end, in memory that may be used again: fresh pages for each
 * would cost more than the run. True when nothing was violated; run->why says what was. */
bool history_run(const struct history *history, struct run *run);

#endif
