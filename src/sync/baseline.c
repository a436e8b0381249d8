/* From where on a mailbox has to be looked at.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_baseline.h"

#define POLICY_RULE_BITS 3

static uint64_t rules_of(enum sync_direction direction, bool expunges_deleted)
{
	return ((uint64_t)direction + 1) | (expunges_deleted ? 4 : 0);
}

uint64_t sync_policy_digest(enum sync_direction direction, bool expunges_deleted,
			    uint64_t local_mask)
{
	/* Spreads the mask, so that its upper bits count where the rules' push it out. */
	uint64_t mixed = (local_mask ^ (local_mask >> 31)) * 0x9e3779b97f4a7c15u;

	return mixed << POLICY_RULE_BITS | rules_of(direction, expunges_deleted);
}

bool sync_policy_is_of(uint64_t policy, enum sync_direction direction, bool expunges_deleted)
{
	return (policy & ((1u << POLICY_RULE_BITS) - 1)) == rules_of(direction, expunges_deleted);
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

void sync_baseline_void(struct mailbox_record *mailbox)
{
	mailbox->uidvalidity = mailbox->uidvalidity == UINT32_MAX ? 1 : UINT32_MAX;
	mailbox->highestmodseq = 0;
	mailbox->mtimes = (struct local_mtimes){ .cur_ns = 0 };
}
