/* Whether a message that goes from one mailbox is in another: moved, and so not deleted (CONTRACT
 * 2.2).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_ELSEWHERE_H
#define SYNCD_SYNC_ELSEWHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/ports.h"

struct elsewhere {
	struct store_port *store;
	uint32_t mailbox_id; /* where it goes from */
	/* Whether another mailbox may be about to lose it, too; NULL: none is. */
	bool (*is_losing)(void *context, uint32_t mailbox_id);
	void *context;
};

/* By its identity and size, as far as a Message-ID vouches for them. */
int elsewhere_find(const struct elsewhere *elsewhere, uint32_t uid, bool *is_found,
		   struct error *err);

#endif
