/* What wakeup's tests see besides its header: the comparison, and a start with other clocks.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_WAKEUP_PRIVATE_H
#define SYNCD_WAKEUP_PRIVATE_H

#include "syncd/wakeup.h"

typedef struct wakeup_clocks (*wakeup_read)(const struct loop *loop);

/* Seconds that only one of the clocks counted between two readings; 0 when they are fewer than
 * the threshold, or when the clock was set back. */
int64_t wakeup_slept_s(struct wakeup_clocks before, struct wakeup_clocks now, int64_t threshold_ms);

/* wakeup_start with clocks that the caller brings, compared every WAKEUP_CHECK_MS. */
void wakeup_start_with(struct loop *loop, struct wakeup *wakeup, wakeup_read read,
		       int64_t threshold_ms, wakeup_cb cb);

#endif
