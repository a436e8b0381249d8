/* Lists of actions.
 * SPDX-License-Identifier: MIT */
#include "syncd/action.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

void sync_plan_init(struct sync_plan *plan)
{
	*plan = (struct sync_plan){ .count = 0 };
}

void sync_plan_free(struct sync_plan *plan)
{
	free(plan->actions);
	sync_plan_init(plan);
}

void sync_plan_add(struct sync_plan *plan, const struct sync_action *action)
{
	plan->actions = xgrow(plan->actions, plan->count, &plan->cap, sizeof(*plan->actions));
	plan->actions[plan->count++] = *action;
}

static int compare_numbers(uint64_t left, uint64_t right)
{
	return (left > right) - (left < right);
}

static int compare_actions(const void *a, const void *b)
{
	const struct sync_action *left = a;
	const struct sync_action *right = b;
	int order = compare_numbers(left->kind, right->kind);

	if (order == 0)
		order = compare_numbers(left->add, right->add);
	if (order == 0)
		order = compare_numbers(left->remove, right->remove);
	if (order == 0)
		order = compare_numbers(left->uid, right->uid);
	if (order == 0 && left->name != NULL && right->name != NULL)
		order = strcmp(left->name, right->name);
	return order;
}

void sync_plan_sort(struct sync_plan *plan)
{
	if (plan->count > 1)
		qsort(plan->actions, plan->count, sizeof(*plan->actions), compare_actions);
}

const struct sync_action *sync_plan_of(const struct sync_plan *plan, enum sync_action_kind kind,
				       size_t *count)
{
	size_t first = 0;

	while (first < plan->count && plan->actions[first].kind < kind)
		first++;
	size_t end = first;
	while (end < plan->count && plan->actions[end].kind == kind)
		end++;
	*count = end - first;
	return *count > 0 ? &plan->actions[first] : NULL;
}

size_t sync_plan_drop(struct sync_plan *plan, enum sync_action_kind kind)
{
	size_t before = plan->count;

	plan->count = 0;
	for (size_t i = 0; i < before; i++) {
		if (plan->actions[i].kind != kind)
			plan->actions[plan->count++] = plan->actions[i];
	}
	return before - plan->count;
}

const char *sync_action_name(enum sync_action_kind kind)
{
	static const char *const names[SYNC_ACTION_KIND_COUNT] = {
		[SYNC_FETCH] = "fetch",     [SYNC_APPEND] = "append", [SYNC_STORE] = "store",
		[SYNC_SET_FLAGS] = "flags", [SYNC_AGREE] = "agree",   [SYNC_EXPUNGE] = "expunge",
		[SYNC_REMOVE] = "remove",   [SYNC_FORGET] = "forget",
	};

	return names[kind];
}
