/* Tells that the machine was suspended: connections are dead though nothing says so, and timers
 * did not count the time.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_WAKEUP_H
#define SYNCD_WAKEUP_H

#include <stdint.h>

#include "syncd/loop.h"

/* How often an idle process is woken to compare clocks: where the kernel tells of a resume, and
 * where it does not. */
#define WAKEUP_CHECK_TOLD_MS (10u * 60u * 1000u)
#define WAKEUP_CHECK_MS (60u * 1000u)

/* Two clocks: one stands still while the machine sleeps, the other goes on. */
struct wakeup_clocks {
	int64_t awake_ms;
	int64_t passed_ms;
};

struct wakeup;
typedef void (*wakeup_cb)(struct wakeup *wakeup, int64_t slept_s);

/* Embedded in the user's struct. */
struct wakeup {
	struct loop *loop;
	wakeup_cb cb;
	struct wakeup_clocks (*read)(const struct loop *loop);
	int64_t threshold_ms;
	struct wakeup_clocks last;
	struct loop_timer timer;
	void *impl;
};

/* Calls `cb` after each sleep until wakeup_stop: on Linux at once after the resume, elsewhere
 * within WAKEUP_CHECK_MS. Without a clock that counts sleep (not Linux) the wall clock set forward
 * by more than 30 s looks like a sleep. Keeps loop_run alive until stopped. */
void wakeup_start(struct loop *loop, struct wakeup *wakeup, wakeup_cb cb);

/* No callback follows; `wakeup` may go at once, the handle closes in the loop's next turns.
 * Harmless when stopped already or zero-initialised. May be called inside `cb`. */
void wakeup_stop(struct wakeup *wakeup);

#endif
