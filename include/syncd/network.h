/* Tells when this machine's network changed: an address, an interface or the default route came or
 * went. A hint to look at connections and to retry at once, never the truth.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NETWORK_H
#define SYNCD_NETWORK_H

#include <stdint.h>

#include "syncd/loop.h"

#define NETWORK_QUIET_MS 500 /* changes this close together are one */

struct network_watch;
typedef void (*network_changed_cb)(struct network_watch *watch);

/* Embedded in the user's struct. */
struct network_watch {
	struct loop *loop;
	network_changed_cb cb;
	struct loop_timer timer;
	uint64_t seen; /* the network as it was last seen */
	void *impl;
};

/* Calls `cb` from the loop after each change until network_watch_stop. Loopback and link-local
 * addresses do not count, nor does what was undone within NETWORK_QUIET_MS or only renewed. Where
 * the system does not tell (a fake loop, no permission, another platform) it says so in the
 * debug log and never calls. Keeps loop_run alive until stopped. */
void network_watch_start(struct loop *loop, struct network_watch *watch, network_changed_cb cb);

/* No callback follows; `watch` may go at once, the handle closes in the loop's next turns.
 * Harmless when stopped already or zero-initialised. May be called inside `cb`. */
void network_watch_stop(struct network_watch *watch);

#endif
