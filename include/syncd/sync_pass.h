/* One pass over one mailbox: look at both sides, plan, execute, record. The
 * order of writes of DESIGN 5 lives behind this header.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_PASS_H
#define SYNCD_SYNC_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/ports.h"
#include "syncd/sync_limit.h"
#include "syncd/sync_plan.h"

/* The ports of one account. */
struct sync_ports {
	struct remote_account *remote;
	struct local_account *local;
	struct store_port *store;
	struct env_port *env;
};

/* What was done; counts of messages. */
struct sync_counts {
	uint64_t fetched;
	uint64_t fetched_bytes;
	uint64_t linked; /* came by another name of a file that was here */
	uint64_t appended;
	uint64_t appended_bytes;
	uint64_t flags_remote;
	uint64_t flags_local;
	uint64_t expunged;  /* on the server */
	uint64_t removed;   /* in the maildir */
	uint64_t set_aside; /* messages that one side refuses now */
	uint64_t too_large; /* that were left on the server */
};

void sync_counts_add(struct sync_counts *sum, const struct sync_counts *more);

/* Whether the maildir was changed. */
bool sync_counts_changed_maildir(const struct sync_counts *counts);

struct sync_pass;

/* `counts` holds what was done even when `err` tells of a failure. An
 * err->code of 0 with counts.set_aside > 0 is a success with exceptions. */
struct sync_result {
	struct error err;
	struct sync_counts counts;
	size_t missed;         /* changes that no delta had told, found by listing in full */
	size_t held_deletions; /* 0: none; else err is SYNCD_EHELD */
	bool held_is_remote;   /* they would be on the server */
	bool wants_another;    /* something was left for a pass right after this one */
	/* Something was left for another run over the account, which may judge of it in that many
	 * seconds (sync_waiting.h). */
	bool wants_run;
	int64_t run_in_s;
	bool left_removals;   /* of messages, as the options ask */
	bool is_local_moving; /* the maildir changed while it was read */
};

struct sync_pass_options {
	enum sync_direction direction;
	struct sync_limit deletion_limit; /* of the mailbox's messages */
	enum sync_decision decision;      /* on what would be held */
	/* Messages flagged \Deleted on either side go from both. */
	bool expunges_deleted;
	uint64_t max_size_bytes; /* larger messages are left on the server; 0: none is */
	/* What was deleted in the maildir goes to this mailbox (canonical) of the server, unless it
	 * was in there; NULL: for good. Borrowed until done. */
	const char *trash;
	bool is_dry_run; /* plan only: nothing is written anywhere */
	bool is_repeat;  /* a pass right after one that wanted another */
	/* Nothing is known to have changed on the server: it is only asked when there is something
	 * to be done. */
	bool is_remote_quiet;
	/* Messages that are to be removed on either side are left for a later pass. */
	bool leaves_removals;
	/* Whether a pass over the mailbox of that id is under way, or deletions are held in it;
	 * NULL: in none. */
	bool (*is_passed_over)(struct sync_pass *pass, uint32_t mailbox_id);
	/* What inotify told since the last pass, in order; borrowed until done. NULL: the maildir
	 * is read unless its directories have their mtimes still. */
	const struct local_hint *hints;
	size_t hint_count;
	/* Both sides are listed in full this long after they were last, whatever the deltas tell,
	 * and what these had missed is reported. 0: never. */
	int64_t verify_interval_s;
	/* What a lost connection left open is left alone so long (sync_waiting.h). */
	int64_t unanswered_wait_s;
	const char *account;     /* for the log */
	uint32_t group_messages; /* that share a flush and a commit; 0: as measured best */
	/* With is_dry_run: called with the plan before done; may be NULL. */
	void (*planned)(struct sync_pass *pass, const struct sync_plan *plan,
			const struct keyword_table *keywords);
	/* Called now and then with what is done so far and what the plan asks; may be NULL. */
	void (*progress)(struct sync_pass *pass, const struct sync_counts *done,
			 uint64_t planned_fetches, uint64_t planned_appends);
	void *context; /* the caller's */
};

typedef void (*sync_pass_done)(struct sync_pass *pass, const struct sync_result *result);

/* Starts a pass over mailbox `name` (canonical), which exists on both sides. The
 * ports must outlive it. `done` is called once, later; the pass is freed right
 * after `done` returns. */
struct sync_pass *sync_pass_start(const struct sync_ports *ports, const char *name,
				  const struct sync_pass_options *options, sync_pass_done done);

/* Ends it as soon as what is under way has come back; `done` follows with
 * SYNCD_ECANCELLED. */
void sync_pass_cancel(struct sync_pass *pass);

void *sync_pass_context(const struct sync_pass *pass);

#endif
