/* From where on a mailbox has to be looked at.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_baseline.h"

#define POLICY_TERMS_BITS 16
#define POLICY_SIZE_BITS 13

/* Spreads the number, so that all its bits count where the upper ones are pushed out. */
static uint64_t spread(uint64_t number)
{
	return (number ^ (number >> 31)) * 0x9e3779b97f4a7c15u;
}

static uint64_t terms_number(const struct sync_terms *terms)
{
	uint64_t size = spread(terms->max_size_bytes) >> (64 - POLICY_SIZE_BITS);

	return ((uint64_t)terms->direction + 1) | (terms->expunges_deleted ? 4 : 0) | size << 3;
}

uint64_t sync_policy_digest(const struct sync_terms *terms, uint64_t local_mask)
{
	return spread(local_mask) << POLICY_TERMS_BITS | terms_number(terms);
}

bool sync_policy_is_of(uint64_t policy, const struct sync_terms *terms)
{
	return (policy & ((1u << POLICY_TERMS_BITS) - 1)) == terms_number(terms);
}

bool sync_verify_is_due(const struct mailbox_record *mailbox, int64_t now_s, int64_t interval_s)
{
	if (interval_s == 0)
		return false;
	return now_s < mailbox->verified_s || now_s - mailbox->verified_s >= interval_s;
}

bool sync_remote_is_unchanged(const struct mailbox_record *mailbox,
			      const struct mailbox_status *status)
{
	return status->uidvalidity != 0 && status->highestmodseq != 0 &&
	       status->uidvalidity == mailbox->uidvalidity &&
	       status->highestmodseq == mailbox->highestmodseq &&
	       status->uidnext == mailbox->uidnext && status->messages == mailbox->exists;
}

void sync_baseline_list_anew(struct mailbox_record *mailbox)
{
	mailbox->policy = 0;
}

void sync_baseline_void(struct mailbox_record *mailbox)
{
	mailbox->uidvalidity = mailbox->uidvalidity == SYNC_BASELINE_VOID ? 1 : SYNC_BASELINE_VOID;
	mailbox->highestmodseq = 0;
	mailbox->mtimes = (struct local_mtimes){ .cur_ns = 0 };
}
