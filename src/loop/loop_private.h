/* What the real and the fake loop share, seen only inside src/loop.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_LOOP_PRIVATE_H
#define SYNCD_LOOP_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/list.h"
#include "syncd/loop.h"

struct loop_ops {
	uint64_t (*now_ms)(const struct loop *loop);
	int64_t (*wall_s)(const struct loop *loop);
	uint64_t (*random)(struct loop *loop);
	struct uv_loop_s *(*uv)(struct loop *loop);
	/* The nearest timer is another one now, or there is none. */
	void (*timers_changed)(struct loop *loop);
	/* The first deferred call was armed. */
	void (*defers_pending)(struct loop *loop);
	void (*job_start)(struct loop_job *job);
	void (*job_cancel)(struct loop_job *job);
	void (*run)(struct loop *loop);
	void (*stop)(struct loop *loop);
	void (*free)(struct loop *loop);
};

/* Both kinds embed this first. */
struct loop {
	const struct loop_ops *ops;
	struct list timers; /* by due_ms; equal ones in the order they were armed */
	struct list defers;
};

void loop_base_init(struct loop *loop, const struct loop_ops *ops);

/* The nearest timer, or NULL. */
struct loop_timer *loop_base_next_timer(const struct loop *loop);

/* Calls back the timers due by now. One that is armed inside waits for the next
 * turn, so that a timer of 0 ms cannot starve the rest. */
void loop_base_run_timers(struct loop *loop);

/* Makes the calls deferred before this turn; those armed inside wait likewise. */
void loop_base_run_defers(struct loop *loop);

#endif
