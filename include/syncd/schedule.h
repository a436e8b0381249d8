/* What is due for an account, and when. Pure: times go in, a decision comes out.
 * All times are the loop's monotonic milliseconds.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SCHEDULE_H
#define SYNCD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"

#define SCHEDULE_NEVER UINT64_MAX
#define SCHEDULE_SETTLE_MS 50      /* local changes come in bursts; this long after the last, */
#define SCHEDULE_SETTLE_MAX_MS 500 /* but no later than this after the first */
/* The server's news by which nothing was found: after so many in a row the next waits for so long
 * since the last, twice as long each time. Such news that comes seldom does not count. */
#define SCHEDULE_FUTILE_FREE 3
#define SCHEDULE_FUTILE_FIRST_MS 100
#define SCHEDULE_FUTILE_LAST_MS 800 /* true news still takes less than a second (CONTRACT 3) */
#define SCHEDULE_FUTILE_FORGOTTEN_MS 10000
#define SCHEDULE_RETRY_FIRST_MS 2000
#define SCHEDULE_RETRY_LAST_MS (15 * 60 * 1000)

struct schedule {
	uint64_t interval_ms;   /* a complete look at least this often */
	uint64_t full_at_ms;    /* when the next complete look is due */
	uint64_t changes_at_ms; /* when the mailboxes noted as changed are due; or never */
	uint64_t changes_by_ms; /* the latest time they may be put off to */
	uint64_t news_ms;       /* no sooner is anything done for what the server tells */
	uint64_t futile_ms;     /* when a run found nothing last that the server had asked for */
	unsigned futile;        /* such runs in a row */
	bool is_for_news;       /* what is due is due to the server alone */
	bool was_for_news;      /* so was the run under way */
	uint64_t not_before_ms; /* after a failure: nothing is tried before */
	uint64_t rest_until_ms; /* the server wants to be left alone: nor before, who wakes ever */
	unsigned failures;      /* in a row */
	bool is_paused;         /* by the user */
	bool is_stopped;        /* by a refused password: until the user acts */
};

enum schedule_due {
	SCHEDULE_WAIT,    /* until *at_ms (SCHEDULE_NEVER: for an event) */
	SCHEDULE_FULL,    /* a complete run is due now */
	SCHEDULE_CHANGES, /* a run over the mailboxes noted as changed is due now */
};

/* A complete run is due at once. */
void schedule_init(struct schedule *schedule, uint64_t interval_ms, uint64_t now_ms);

enum schedule_due schedule_next(const struct schedule *schedule, uint64_t now_ms, uint64_t *at_ms);

/* A mailbox changed here: due when it settles. */
void schedule_note_change(struct schedule *schedule, uint64_t now_ms);

/* The server told of a change, of a mailbox or (`is_full`) of more than that: due at once, unless
 * that was said in vain too often. */
void schedule_note_news(struct schedule *schedule, uint64_t now_ms, bool is_full);

/* A complete look is wanted no later than in `delay_ms`. */
void schedule_want_full(struct schedule *schedule, uint64_t now_ms, uint64_t delay_ms);

/* A run begins: what it covers is no longer due. */
void schedule_begun(struct schedule *schedule, uint64_t now_ms, bool is_full);

/* A run ended with `code` (the worst of the account and its mailboxes). Failures that pass
 * by themselves are tried again after 2, 4, 8 ... seconds, each made longer or shorter by up to a
 * quarter with `random`; refused passwords not at all; the rest at the interval. */
void schedule_ended(struct schedule *schedule, uint64_t now_ms, int code, uint64_t random);

/* The server wants to be left alone for that long (LOGIN-DELAY, RFC 2449 §6.5), whatever wakes. */
void schedule_rest(struct schedule *schedule, uint64_t now_ms, uint32_t delay_s);

/* When something is tried again after a failure; 0: it is not put off. */
uint64_t schedule_retry_ms(const struct schedule *schedule);

/* After schedule_ended: whether the run found anything to do. */
void schedule_found(struct schedule *schedule, uint64_t now_ms, bool is_anything);

/* The user acted, the network or the machine came back: try at once. */
void schedule_wake(struct schedule *schedule, uint64_t now_ms);

#endif
