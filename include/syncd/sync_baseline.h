/* From where on a mailbox has to be looked at: what the state says both sides were like
 * when they were last equal, and when that may be built upon. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SYNC_BASELINE_H
#define SYNCD_SYNC_BASELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/ports.h"
#include "syncd/record.h"
#include "syncd/sync_plan.h"

/* What the configuration says of which changes matter. */
struct sync_terms {
	enum sync_direction direction;
	bool expunges_deleted;
	uint64_t max_size_bytes; /* 0: none */
};

/* A digest of what decided which changes mattered: what was seen and left alone under other terms
 * or with other keyword letters would never be told again by a delta. Not 0. */
uint64_t sync_policy_digest(const struct sync_terms *terms, uint64_t local_mask);

/* Whether the digest was made under these terms. */
bool sync_policy_is_of(uint64_t policy, const struct sync_terms *terms);

/* Both sides have not been listed in full for `interval_s` (0: that is never asked), or the clock
 * was set back behind the last time. */
bool sync_verify_is_due(const struct mailbox_record *mailbox, int64_t now_s, int64_t interval_s);

/* The server's status is the one that the state has applied. Without a HIGHESTMODSEQ it never is,
 * as flags may have changed; the number of messages counts because servers without
 * QRESYNC need not raise HIGHESTMODSEQ when one goes (RFC 7162 §3.1.2). */
bool sync_remote_is_unchanged(const struct mailbox_record *mailbox,
			      const struct mailbox_status *status);

/* The next look lists both sides in full; what is known stays. For a mailbox of which some messages
 * are being forgotten, on purpose: no delta would tell of them. */
void sync_baseline_list_anew(struct mailbox_record *mailbox);

/* For a mailbox whose messages are being forgotten, in several commits: whatever the server's
 * UIDVALIDITY, the next pass takes it for another one, forgets the rest, and pairs anew. Nothing
 * that was forgotten would be told by a delta. */
#define SYNC_BASELINE_VOID UINT32_MAX /* a UIDVALIDITY that no server has, as far as we know */
void sync_baseline_void(struct mailbox_record *mailbox);

#endif
