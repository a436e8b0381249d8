/* The planner: two deltas in, an ordered list of actions out.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_plan.h"

#include "syncd/must.h"

static void plan_simple(struct sync_plan *plan, enum sync_action_kind kind,
			const struct sync_item *item, uint64_t flags)
{
	sync_plan_add(plan, &(struct sync_action){
				    .kind = kind,
				    .uid = item->uid,
				    .name = item->name,
				    .flags = flags,
			    });
}

/* On both sides, and behind all else (CONTRACT 2.2 expunge_deleted). Pulling, nothing is sent. */
static bool is_expunged(const struct sync_policy *policy, uint64_t flags)
{
	return policy->expunges_deleted && policy->direction != SYNC_PULL &&
	       (flags & FLAG_DELETED) != 0;
}

static void plan_expunge_both(struct sync_plan *plan, const struct sync_item *item)
{
	plan_simple(plan, SYNC_EXPUNGE, item, 0);
	plan_simple(plan, SYNC_REMOVE, item, 0);
}

/* Brings both sides to `target` as far as each can hold it. Agreed is only what both can:
 * a keyword that the maildir has no letter for would otherwise, once it gets one, look
 * as if it had been removed there. */
static void plan_merged(struct sync_plan *plan, const struct sync_policy *policy,
			const struct sync_item *item, uint64_t target)
{
	struct sync_action store = {
		.kind = SYNC_STORE,
		.uid = item->uid,
		.add = target & ~item->remote_flags & policy->remote_mask,
		.remove = item->remote_flags & ~target & policy->remote_mask,
	};
	struct sync_action set = {
		.kind = SYNC_SET_FLAGS,
		.uid = item->uid,
		.name = item->name,
		.add = target & ~item->local_flags & policy->local_mask,
		.remove = item->local_flags & ~target & policy->local_mask,
	};

	if (store.add != 0 || store.remove != 0)
		sync_plan_add(plan, &store);
	if (set.add != 0 || set.remove != 0)
		sync_plan_add(plan, &set);
	uint64_t both = policy->local_mask & policy->remote_mask;
	uint64_t agreed = (target & both) | (item->agreed & ~both);
	if (agreed != item->agreed)
		plan_simple(plan, SYNC_AGREE, item, agreed);
}

static void plan_flags(struct sync_plan *plan, const struct sync_policy *policy,
		       const struct sync_item *item, uint64_t target)
{
	if (!is_expunged(policy, target))
		plan_merged(plan, policy, item, target);
	else if (policy->unmarks_deleted)
		plan_merged(plan, policy, item, target & ~FLAG_DELETED);
	else
		plan_expunge_both(plan, item);
}

/* New on the server, or to be brought back. */
static void plan_fetch(struct sync_plan *plan, const struct sync_policy *policy,
		       const struct sync_item *item)
{
	bool is_going = is_expunged(policy, item->remote_flags);

	if (is_going && !policy->unmarks_deleted) {
		plan_simple(plan, SYNC_EXPUNGE, item, item->remote_flags);
		return;
	}
	plan_simple(plan, SYNC_FETCH, item, item->remote_flags & ~(is_going ? FLAG_DELETED : 0));
	if (is_going)
		sync_plan_add(plan, &(struct sync_action){
					    .kind = SYNC_STORE,
					    .uid = item->uid,
					    .remove = FLAG_DELETED,
				    });
}

/* New in the maildir. Without its mark it is sent by the next pass. */
static void plan_append(struct sync_plan *plan, const struct sync_policy *policy,
			const struct sync_item *item)
{
	bool is_going = is_expunged(policy, item->local_flags);

	if (is_going && policy->unmarks_deleted)
		sync_plan_add(plan, &(struct sync_action){
					    .kind = SYNC_SET_FLAGS,
					    .name = item->name,
					    .flags = item->local_flags,
					    .remove = FLAG_DELETED,
				    });
	else
		plan_simple(plan, is_going ? SYNC_REMOVE : SYNC_APPEND, item, item->local_flags);
}

void sync_plan_item(struct sync_plan *plan, const struct sync_policy *policy,
		    const struct sync_item *item)
{
	switch (sync_rule(policy->direction, item->local, item->remote)) {
	case OUTCOME_IMPOSSIBLE:
		must_fail("a pair of changes that the rules know", __FILE__, __LINE__);
	case OUTCOME_NOTHING:
		break;
	case OUTCOME_MERGE:
		plan_flags(plan, policy, item,
			   flags_merge(item->agreed, item->local_flags, item->remote_flags));
		break;
	case OUTCOME_REMOTE_WINS:
		plan_flags(plan, policy, item, item->remote_flags);
		break;
	case OUTCOME_LOCAL_WINS:
		plan_flags(plan, policy, item, item->local_flags);
		break;
	case OUTCOME_FETCH:
		plan_fetch(plan, policy, item);
		break;
	case OUTCOME_APPEND:
		plan_append(plan, policy, item);
		break;
	case OUTCOME_EXPUNGE:
		plan_simple(plan, SYNC_EXPUNGE, item, 0);
		break;
	case OUTCOME_REMOVE:
		plan_simple(plan, SYNC_REMOVE, item, 0);
		break;
	case OUTCOME_FORGET:
		plan_simple(plan, SYNC_FORGET, item, 0);
		break;
	}
}

void sync_plan_unchanged(struct sync_plan *plan, const struct sync_policy *policy, uint32_t uid,
			 uint64_t agreed)
{
	const struct sync_item item = {
		.uid = uid,
		.agreed = agreed,
		.local_flags = agreed,
		.remote_flags = agreed,
	};

	if (is_expunged(policy, agreed))
		plan_flags(plan, policy, &item, agreed);
}

/* The item that at most one entry of each side tells about; NULL says that this
 * side did not change. */
static struct sync_item item_of(const struct delta_entry *local, const struct delta_entry *remote)
{
	const struct delta_entry *any = local != NULL ? local : remote;

	must(any != NULL);
	struct sync_item item = {
		.uid = any->uid,
		.name = local != NULL ? local->name : NULL,
		.local = SIDE_SAME,
		.remote = SIDE_SAME,
		.agreed = any->agreed,
		.local_flags = any->agreed,
		.remote_flags = any->agreed,
	};

	if (local != NULL) {
		item.local = local->change;
		item.local_flags = local->flags;
		if (local->change == SIDE_NEW)
			item.remote = SIDE_NEVER;
	}
	if (remote != NULL) {
		item.remote = remote->change;
		item.remote_flags = remote->flags;
		if (remote->change == SIDE_NEW)
			item.local = SIDE_NEVER;
	}
	return item;
}

void sync_plan_make(struct sync_plan *plan, const struct sync_policy *policy,
		    const struct delta *local, const struct delta *remote)
{
	size_t l = 0;
	size_t r = 0;

	while (l < local->count || r < remote->count) {
		const struct delta_entry *left = l < local->count ? &local->entries[l] : NULL;
		const struct delta_entry *right = r < remote->count ? &remote->entries[r] : NULL;

		if (left != NULL && right != NULL && left->uid != right->uid) {
			if (left->uid < right->uid)
				right = NULL;
			else
				left = NULL;
		}
		struct sync_item item = item_of(left, right);
		sync_plan_item(plan, policy, &item);
		l += left != NULL;
		r += right != NULL;
	}
	sync_plan_sort(plan);
}
