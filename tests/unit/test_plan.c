/* The planner by enumeration (DESIGN 8): every state of one and of two messages, every
 * direction and mask; and the conflict table, row by row.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"

#define S FLAG_SEEN
#define F FLAG_FLAGGED
#define ABSENT 4u /* a party's state is 0..3: which of \Seen and \Flagged; or this */
#define STATES (5u * 5u * 5u)
#define ROUNDS_MAX 3

/* One message as the three parties have it. */
struct party {
	bool is_there;
	uint64_t flags;
};

struct message {
	struct party local;
	struct party remote;
	struct party agreed;
};

static const uint64_t flag_values[] = { 0, S, F, S | F };
static const enum sync_direction directions[] = { SYNC_BOTH, SYNC_PULL, SYNC_PUSH };
static const char *const names[] = { "a", "b" };

static struct party party_of(unsigned value)
{
	return value == ABSENT ? (struct party){ .is_there = false }
			       : (struct party){ true, flag_values[value] };
}

static struct message message_of(unsigned state)
{
	return (struct message){
		.local = party_of(state % 5),
		.remote = party_of(state / 5 % 5),
		.agreed = party_of(state / 25),
	};
}

/* Unknown on both sides: two messages, not one. */
static bool can_be(const struct message *message)
{
	return message->agreed.is_there || message->local.is_there != message->remote.is_there;
}

/* --- A little model of both sides ------------------------------------------------------ */

/* What an observer of one side says of it; false when it says nothing. */
static bool observe(const struct message *message, const struct party *side, uint64_t mask,
		    struct delta_entry *entry)
{
	uint64_t agreed = message->agreed.flags;

	*entry = (struct delta_entry){ .change = SIDE_NEW, .flags = side->flags };
	if (!message->agreed.is_there)
		return side->is_there;
	*entry = (struct delta_entry){ .change = SIDE_GONE, .agreed = agreed };
	if (!side->is_there)
		return true;
	entry->change = SIDE_FLAGS;
	entry->flags = (side->flags & mask) | (agreed & ~mask);
	return entry->flags != agreed;
}

/* Message `index` has UID index + 1 and the name names[index]. */
static void observe_both(const struct message *message, unsigned index,
			 const struct sync_policy *policy, struct delta *local,
			 struct delta *remote)
{
	struct delta_entry entry;

	if (observe(message, &message->local, policy->local_mask, &entry)) {
		entry.uid = entry.change == SIDE_NEW ? 0 : index + 1;
		entry.name = entry.change == SIDE_GONE ? NULL : names[index];
		delta_add(local, &entry);
	}
	if (observe(message, &message->remote, policy->remote_mask, &entry)) {
		entry.uid = index + 1;
		delta_add(remote, &entry);
	}
}

static void plan_messages(struct sync_plan *plan, const struct sync_policy *policy,
			  const struct message *messages, unsigned count)
{
	struct delta local;
	struct delta remote;

	delta_init(&local);
	delta_init(&remote);
	for (unsigned i = 0; i < count; i++)
		observe_both(&messages[i], i, policy, &local, &remote);
	delta_sort(&local);
	delta_sort(&remote);
	sync_plan_init(plan);
	sync_plan_make(plan, policy, &local, &remote);
	delta_free(&local);
	delta_free(&remote);
}

static void change_flags(struct party *side, uint64_t mask, const struct sync_action *action)
{
	assert_int_equal((action->add | action->remove) & ~mask, 0);
	assert_int_equal(action->add & side->flags, 0);
	assert_int_equal(action->remove & ~side->flags, 0);
	assert_true((action->add | action->remove) != 0);
	side->flags = (side->flags | action->add) & ~action->remove;
}

/* Copies a message that `from` has to the side that has none. */
static void copy_message(struct message *message, const struct party *from, struct party *to,
			 uint64_t mask, const struct sync_action *action)
{
	assert_true(from->is_there && !to->is_there);
	*to = (struct party){ true, action->flags & mask };
	message->agreed = (struct party){ true, action->flags };
}

/* A removal is of a message that was agreed and is gone on the other side. */
static void remove_message(struct message *message, const struct party *other, struct party *side)
{
	assert_true(message->agreed.is_there && side->is_there && !other->is_there);
	*side = (struct party){ .is_there = false };
	message->agreed = *side;
}

static void apply_action(struct message *message, const struct sync_policy *policy,
			 const struct sync_action *action)
{
	switch (action->kind) {
	case SYNC_FETCH:
		copy_message(message, &message->remote, &message->local, policy->local_mask,
			     action);
		break;
	case SYNC_APPEND:
		copy_message(message, &message->local, &message->remote, policy->remote_mask,
			     action);
		break;
	case SYNC_STORE:
		assert_true(message->remote.is_there);
		change_flags(&message->remote, policy->remote_mask, action);
		break;
	case SYNC_SET_FLAGS:
		assert_true(message->local.is_there);
		change_flags(&message->local, policy->local_mask, action);
		break;
	case SYNC_AGREE:
		assert_true(message->agreed.is_there && message->agreed.flags != action->flags);
		message->agreed.flags = action->flags;
		break;
	case SYNC_EXPUNGE:
		remove_message(message, &message->local, &message->remote);
		break;
	case SYNC_REMOVE:
		remove_message(message, &message->remote, &message->local);
		break;
	case SYNC_FORGET:
		assert_true(message->agreed.is_there);
		message->agreed = (struct party){ .is_there = false };
		break;
	}
}

/* Plans and applies until there is nothing to do; returns the number of plans with actions. */
static unsigned settle(struct message *message, const struct sync_policy *policy)
{
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		struct sync_plan plan;
		plan_messages(&plan, policy, message, 1);
		size_t count = plan.count;
		for (size_t i = 0; i < count; i++)
			apply_action(message, policy, &plan.actions[i]);
		sync_plan_free(&plan);
		if (count == 0)
			return round;
	}
	fail_msg("still something to do after %d rounds", ROUNDS_MAX);
	return ROUNDS_MAX;
}

/* --- Every state of one message --------------------------------------------------------- */

typedef void (*check_one)(const struct message *message, const struct sync_policy *policy);

/* A mask's flags outside \Seen and \Flagged never come up, so these four are all. */
static void for_every_case(check_one check)
{
	for (unsigned state = 0; state < STATES; state++) {
		struct message message = message_of(state);
		if (!can_be(&message))
			continue;
		for (unsigned masks = 0; masks < 16; masks++) {
			for (size_t d = 0; d < ARRAY_LEN(directions); d++) {
				struct sync_policy policy = {
					.direction = directions[d],
					.local_mask = flag_values[masks % 4],
					.remote_mask = flag_values[masks / 4],
				};
				check(&message, &policy);
			}
		}
	}
}

static void check_second_plan(const struct message *before, const struct sync_policy *policy)
{
	struct message message = *before;
	unsigned rounds = settle(&message, policy);

	/* Pushing a message that the server lost first forgets that it had it. */
	bool is_pushed_again = policy->direction == SYNC_PUSH && before->agreed.is_there &&
			       before->local.is_there && !before->remote.is_there;
	assert_int_equal(rounds > 1, is_pushed_again);
}

static void planning_again_gives_nothing(void **state)
{
	(void)state;
	for_every_case(check_second_plan);
}

static void check_nothing_lost(const struct message *before, const struct sync_policy *policy)
{
	struct message message = *before;
	bool was_deleted_locally = before->agreed.is_there && !before->local.is_there;
	bool was_deleted_remotely = before->agreed.is_there && !before->remote.is_there;

	(void)settle(&message, policy);
	switch (policy->direction) {
	case SYNC_BOTH:
		assert_int_equal(message.local.is_there,
				 !was_deleted_locally && !was_deleted_remotely);
		assert_int_equal(message.remote.is_there, message.local.is_there);
		break;
	case SYNC_PULL:
		if (before->remote.is_there)
			assert_true(message.local.is_there);
		else
			assert_int_equal(message.local.is_there,
					 before->local.is_there && !was_deleted_remotely);
		break;
	case SYNC_PUSH:
		if (before->local.is_there)
			assert_true(message.remote.is_there);
		else
			assert_int_equal(message.remote.is_there,
					 before->remote.is_there && !was_deleted_locally);
		break;
	}
}

static void only_what_was_deleted_on_one_side_goes_from_the_other(void **state)
{
	(void)state;
	for_every_case(check_nothing_lost);
}

static void check_one_way(const struct message *before, const struct sync_policy *policy)
{
	struct message message = *before;

	(void)settle(&message, policy);
	if (policy->direction == SYNC_PULL) {
		assert_int_equal(message.remote.is_there, before->remote.is_there);
		assert_int_equal(message.remote.flags, before->remote.flags);
	} else if (policy->direction == SYNC_PUSH) {
		assert_int_equal(message.local.is_there, before->local.is_there);
		assert_int_equal(message.local.flags, before->local.flags);
	}
}

static void one_way_never_changes_the_side_that_wins(void **state)
{
	(void)state;
	for_every_case(check_one_way);
}

/* The value a flag must end with, on the sides that can hold it. */
static bool is_flag_due(const struct message *before, const struct sync_policy *policy,
			uint64_t bit)
{
	bool was_agreed = (before->agreed.flags & bit) != 0;
	bool is_local =
		(policy->local_mask & bit) != 0 ? (before->local.flags & bit) != 0 : was_agreed;
	bool is_remote =
		(policy->remote_mask & bit) != 0 ? (before->remote.flags & bit) != 0 : was_agreed;

	if (policy->direction == SYNC_PULL)
		return is_remote;
	if (policy->direction == SYNC_PUSH)
		return is_local;
	return is_local != was_agreed ? is_local : is_remote;
}

static void check_flags(const struct message *before, const struct sync_policy *policy)
{
	struct message message = *before;

	if (!before->agreed.is_there || !before->local.is_there || !before->remote.is_there)
		return;
	(void)settle(&message, policy);
	for (uint64_t bit = S; bit <= F; bit <<= 1) {
		bool is_due = is_flag_due(before, policy, bit);
		/* The side that wins keeps what it has, even where the loser cannot follow. */
		if ((policy->local_mask & bit) != 0)
			assert_int_equal((message.local.flags & bit) != 0, is_due);
		else
			assert_int_equal(message.local.flags & bit, before->local.flags & bit);
		if ((policy->remote_mask & bit) != 0)
			assert_int_equal((message.remote.flags & bit) != 0, is_due);
		else
			assert_int_equal(message.remote.flags & bit, before->remote.flags & bit);
	}
}

static void each_flag_takes_the_value_of_the_side_that_changed_it(void **state)
{
	(void)state;
	for_every_case(check_flags);
}

static void check_order(const struct message *before, const struct sync_policy *policy)
{
	struct sync_plan plan;

	plan_messages(&plan, policy, before, 1);
	for (size_t i = 1; i < plan.count; i++)
		assert_true(plan.actions[i - 1].kind < plan.actions[i].kind);
	for (size_t i = 0; i < plan.count; i++) {
		const struct sync_action *action = &plan.actions[i];
		/* A removal or copy settles a message: nothing else is done with it. */
		if (action->kind != SYNC_STORE && action->kind != SYNC_SET_FLAGS &&
		    action->kind != SYNC_AGREE)
			assert_int_equal(plan.count, 1);
		assert_int_equal(action->uid, action->kind == SYNC_APPEND ? 0 : 1);
		if (action->kind == SYNC_APPEND)
			assert_string_equal(action->name, names[0]);
	}
	sync_plan_free(&plan);
}

static void each_message_gets_its_actions_in_the_order_of_execution(void **state)
{
	(void)state;
	for_every_case(check_order);
}

static struct message mirrored(const struct message *message)
{
	return (struct message){ message->remote, message->local, message->agreed };
}

static void assert_party(const struct party *a, const struct party *b, uint64_t compared)
{
	assert_int_equal(a->is_there, b->is_there);
	assert_int_equal(a->flags & compared, b->flags & compared);
}

static void check_mirror(const struct message *before, const struct sync_policy *policy)
{
	static const enum sync_direction mirror[] = { SYNC_BOTH, SYNC_PUSH, SYNC_PULL };
	struct sync_policy mirror_policy = { mirror[policy->direction], policy->remote_mask,
					     policy->local_mask, false, false };
	struct message message = *before;
	struct message image = mirrored(before);
	/* A message that is brought back by pull keeps agreed flags that the server cannot hold;
	 * one that is pushed again is new, and has what its file has. */
	uint64_t compared = policy->direction == SYNC_BOTH
				    ? ~(uint64_t)0
				    : policy->local_mask & policy->remote_mask;

	(void)settle(&message, policy);
	(void)settle(&image, &mirror_policy);
	image = mirrored(&image);
	assert_party(&image.local, &message.local, compared);
	assert_party(&image.remote, &message.remote, compared);
	assert_party(&image.agreed, &message.agreed, compared);
}

static void both_sides_end_alike_when_they_are_exchanged(void **state)
{
	(void)state;
	for_every_case(check_mirror);
}

/* --- Every state of two messages ----------------------------------------------------------- */

static bool same_action(const struct sync_action *a, const struct sync_action *b)
{
	return a->kind == b->kind && a->uid == b->uid && a->flags == b->flags && a->add == b->add &&
	       a->remove == b->remove &&
	       (a->name == NULL ? b->name == NULL
				: b->name != NULL && strcmp(a->name, b->name) == 0);
}

static void assert_plan_has(const struct sync_plan *plan, const struct sync_plan *part)
{
	for (size_t i = 0; i < part->count; i++) {
		size_t found = 0;
		for (size_t k = 0; k < plan->count; k++)
			found += same_action(&part->actions[i], &plan->actions[k]);
		assert_int_equal(found, 1);
	}
}

/* The plan for message `index` of the two when the other is not there at all. */
static void plan_alone(struct sync_plan *plan, const struct sync_policy *policy,
		       const struct message *message, unsigned index)
{
	struct message messages[2] = { { .agreed = { .is_there = false } } };

	messages[index] = *message;
	plan_messages(plan, policy, messages, 2);
}

static void check_two(const struct message messages[2], const struct sync_policy *policy)
{
	struct sync_plan both;
	struct sync_plan first;
	struct sync_plan second;

	plan_messages(&both, policy, messages, 2);
	plan_alone(&first, policy, &messages[0], 0);
	plan_alone(&second, policy, &messages[1], 1);
	assert_int_equal(both.count, first.count + second.count);
	assert_plan_has(&both, &first);
	assert_plan_has(&both, &second);
	for (size_t i = 1; i < both.count; i++)
		assert_true(both.actions[i - 1].kind <= both.actions[i].kind);
	sync_plan_free(&both);
	sync_plan_free(&first);
	sync_plan_free(&second);
}

static void two_messages_never_meddle_with_each_other(void **state)
{
	static const struct sync_policy policies[] = {
		{ SYNC_BOTH, S | F, S | F, false, false },
		{ SYNC_PULL, S | F, S | F, false, false },
		{ SYNC_PUSH, S | F, S | F, false, false },
		{ SYNC_BOTH, S, F, false, false },
	};

	(void)state;
	for (unsigned pair = 0; pair < STATES * STATES; pair++) {
		struct message messages[2] = { message_of(pair % STATES),
					       message_of(pair / STATES) };
		if (!can_be(&messages[0]) || !can_be(&messages[1]))
			continue;
		for (size_t p = 0; p < ARRAY_LEN(policies); p++)
			check_two(messages, &policies[p]);
	}
}

static void flag_changes_of_equal_effect_stand_side_by_side(void **state)
{
	/* Messages 1 and 3 get \Seen, 2 gets \Flagged: the plan groups what one STORE can do. */
	static const uint64_t flags[] = { S, F, S };
	const struct sync_policy policy = { SYNC_BOTH, S | F, S | F, false, false };
	struct delta none;
	struct delta local;
	struct sync_plan plan;
	size_t count = 0;

	(void)state;
	delta_init(&none);
	delta_init(&local);
	for (uint32_t uid = 1; uid <= ARRAY_LEN(flags); uid++)
		delta_add(&local, &(struct delta_entry){ .change = SIDE_FLAGS,
							 .uid = uid,
							 .flags = flags[uid - 1] });
	sync_plan_init(&plan);
	sync_plan_make(&plan, &policy, &local, &none);
	const struct sync_action *store = sync_plan_of(&plan, SYNC_STORE, &count);
	assert_int_equal(count, 3);
	assert_int_equal(store[0].uid, 1);
	assert_int_equal(store[1].uid, 3);
	assert_int_equal(store[2].uid, 2);
	assert_null(sync_plan_of(&plan, SYNC_EXPUNGE, &count));
	assert_int_equal(count, 0);
	sync_plan_free(&plan);
	delta_free(&local);
}

/* --- Messages flagged \Deleted (CONTRACT 2.2 expunge_deleted) -----------------------------------
 */

#define T FLAG_DELETED

/* What is planned for one message, one letter an action. */
static const char *letters_of(const struct sync_policy *policy, const struct sync_item *item)
{
	static const char letters[] = {
		[SYNC_FETCH] = 'f',     [SYNC_APPEND] = 'a', [SYNC_STORE] = 's',
		[SYNC_SET_FLAGS] = 'l', [SYNC_AGREE] = '=',  [SYNC_EXPUNGE] = 'X',
		[SYNC_REMOVE] = 'R',    [SYNC_FORGET] = '-'
	};
	static char text[SYNC_ACTION_KIND_COUNT + 1];
	struct sync_plan plan;

	sync_plan_init(&plan);
	sync_plan_item(&plan, policy, item);
	sync_plan_sort(&plan);
	for (size_t i = 0; i < plan.count; i++)
		text[i] = letters[plan.actions[i].kind];
	text[plan.count] = '\0';
	sync_plan_free(&plan);
	return text;
}

/* And whose flags became these. */
static const char *plan_of(enum sync_direction direction, enum side_change local,
			   uint64_t local_flags, enum side_change remote, uint64_t remote_flags)
{
	const struct sync_policy policy = {
		.direction = direction,
		.local_mask = S | T,
		.remote_mask = S | T,
		.expunges_deleted = true,
	};
	const struct sync_item item = {
		.uid = 1,
		.name = "a",
		.local = local,
		.remote = remote,
		.local_flags = local_flags,
		.remote_flags = remote_flags,
	};

	return letters_of(&policy, &item);
}

static void what_is_flagged_deleted_on_either_side_goes_from_both(void **state)
{
	(void)state;
	assert_string_equal(plan_of(SYNC_BOTH, SIDE_FLAGS, T, SIDE_SAME, 0), "XR");
	assert_string_equal(plan_of(SYNC_BOTH, SIDE_SAME, 0, SIDE_FLAGS, T), "XR");
	assert_string_equal(plan_of(SYNC_BOTH, SIDE_FLAGS, S, SIDE_FLAGS, T), "XR");
	assert_string_equal(plan_of(SYNC_PUSH, SIDE_FLAGS, T, SIDE_SAME, 0), "XR");
	assert_string_equal(plan_of(SYNC_BOTH, SIDE_NEVER, 0, SIDE_NEW, S | T), "X");
	assert_string_equal(plan_of(SYNC_BOTH, SIDE_NEW, T, SIDE_NEVER, 0), "R");
	assert_string_equal(plan_of(SYNC_BOTH, SIDE_FLAGS, S, SIDE_SAME, 0), "s=");
}

static void pulling_a_message_flagged_deleted_stays(void **state)
{
	(void)state;
	assert_string_equal(plan_of(SYNC_PULL, SIDE_SAME, 0, SIDE_FLAGS, T), "l=");
	assert_string_equal(plan_of(SYNC_PULL, SIDE_NEVER, 0, SIDE_NEW, T), "f");
}

static void what_was_flagged_deleted_long_ago_goes_too(void **state)
{
	struct sync_policy policy = {
		.local_mask = S | T,
		.remote_mask = S | T,
		.expunges_deleted = true,
	};
	struct sync_plan plan;

	(void)state;
	sync_plan_init(&plan);
	sync_plan_unchanged(&plan, &policy, 1, S);
	assert_int_equal(plan.count, 0);
	sync_plan_unchanged(&plan, &policy, 2, S | T);
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.actions[0].uid, 2);
	policy.expunges_deleted = false;
	sync_plan_unchanged(&plan, &policy, 3, T);
	assert_int_equal(plan.count, 2);
	sync_plan_free(&plan);
}

/* --- What is restored loses the flag ------------------------------------------------------------
 */

struct unmark_case {
	enum sync_direction direction;
	enum side_change local;
	enum side_change remote;
	uint64_t agreed;
	uint64_t local_flags;
	uint64_t remote_flags;
	const char *plan;
};

static void what_is_restored_is_not_marked_as_deleted_any_more(void **state)
{
	static const struct unmark_case cases[] = {
		{ SYNC_BOTH, SIDE_FLAGS, SIDE_SAME, 0, T, 0, "l" },
		{ SYNC_BOTH, SIDE_SAME, SIDE_FLAGS, 0, 0, T, "s" },
		{ SYNC_BOTH, SIDE_FLAGS, SIDE_FLAGS, 0, T, T, "sl" },
		{ SYNC_BOTH, SIDE_FLAGS, SIDE_SAME, T, S | T, T, "sl=" },
		{ SYNC_PUSH, SIDE_FLAGS, SIDE_SAME, 0, T, 0, "l" },
		{ SYNC_BOTH, SIDE_NEVER, SIDE_NEW, 0, 0, S | T, "fs" },
		{ SYNC_BOTH, SIDE_NEVER, SIDE_NEW, 0, 0, S, "f" },
		{ SYNC_BOTH, SIDE_NEW, SIDE_NEVER, 0, T, 0, "l" },
		{ SYNC_BOTH, SIDE_NEW, SIDE_NEVER, 0, S, 0, "a" },
		/* What is gone from one side is the guard's. */
		{ SYNC_BOTH, SIDE_GONE, SIDE_SAME, 0, 0, 0, "X" },
		{ SYNC_BOTH, SIDE_SAME, SIDE_GONE, 0, 0, 0, "R" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct unmark_case *c = &cases[i];
		const struct sync_policy policy = {
			.direction = c->direction,
			.local_mask = S | T,
			.remote_mask = S | T,
			.expunges_deleted = true,
			.unmarks_deleted = true,
		};
		const struct sync_item item = {
			.uid = 1,
			.name = "a",
			.local = c->local,
			.remote = c->remote,
			.agreed = c->agreed,
			.local_flags = c->local_flags,
			.remote_flags = c->remote_flags,
		};
		assert_string_equal(letters_of(&policy, &item), c->plan);
	}
}

static void marks_of_long_ago_are_taken_off_on_both_sides(void **state)
{
	const struct sync_policy policy = {
		.local_mask = S | T,
		.remote_mask = S | T,
		.expunges_deleted = true,
		.unmarks_deleted = true,
	};
	struct sync_plan plan;

	(void)state;
	sync_plan_init(&plan);
	sync_plan_unchanged(&plan, &policy, 1, S);
	assert_int_equal(plan.count, 0);
	sync_plan_unchanged(&plan, &policy, 2, S | T);
	sync_plan_sort(&plan);
	assert_int_equal(plan.count, 3);
	assert_int_equal(plan.actions[0].kind, SYNC_STORE);
	assert_true(plan.actions[0].remove == T);
	assert_int_equal(plan.actions[1].kind, SYNC_SET_FLAGS);
	assert_true(plan.actions[1].remove == T);
	assert_int_equal(plan.actions[2].kind, SYNC_AGREE);
	assert_true(plan.actions[2].flags == S);
	sync_plan_free(&plan);
}

/* --- CONTRACT 3 and direction of 2.2, row by row -------------------------------------------- */

static void the_conflict_table_is_the_contracts(void **state)
{
	static const struct {
		enum side_change local;
		enum side_change remote;
		enum sync_outcome both;
		enum sync_outcome pull; /* "server wins, nothing is sent" */
		enum sync_outcome push;
	} table[] = {
		/* Nothing changed. */
		{ SIDE_SAME, SIDE_SAME, OUTCOME_NOTHING, OUTCOME_NOTHING, OUTCOME_NOTHING },
		/* "Each flag is merged by itself." */
		{ SIDE_SAME, SIDE_FLAGS, OUTCOME_MERGE, OUTCOME_MERGE, OUTCOME_LOCAL_WINS },
		{ SIDE_FLAGS, SIDE_SAME, OUTCOME_MERGE, OUTCOME_REMOTE_WINS, OUTCOME_MERGE },
		{ SIDE_FLAGS, SIDE_FLAGS, OUTCOME_MERGE, OUTCOME_REMOTE_WINS, OUTCOME_LOCAL_WINS },
		/* "A deletion wins over a flag change." */
		{ SIDE_SAME, SIDE_GONE, OUTCOME_REMOVE, OUTCOME_REMOVE, OUTCOME_FORGET },
		{ SIDE_FLAGS, SIDE_GONE, OUTCOME_REMOVE, OUTCOME_REMOVE, OUTCOME_FORGET },
		{ SIDE_GONE, SIDE_SAME, OUTCOME_EXPUNGE, OUTCOME_FETCH, OUTCOME_EXPUNGE },
		{ SIDE_GONE, SIDE_FLAGS, OUTCOME_EXPUNGE, OUTCOME_FETCH, OUTCOME_EXPUNGE },
		{ SIDE_GONE, SIDE_GONE, OUTCOME_FORGET, OUTCOME_FORGET, OUTCOME_FORGET },
		/* "A new local message is appended; a new remote one is delivered." */
		{ SIDE_NEVER, SIDE_NEW, OUTCOME_FETCH, OUTCOME_FETCH, OUTCOME_NOTHING },
		{ SIDE_NEW, SIDE_NEVER, OUTCOME_APPEND, OUTCOME_NOTHING, OUTCOME_APPEND },
	};
	bool is_listed[SIDE_CHANGE_COUNT][SIDE_CHANGE_COUNT] = { { false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		enum side_change local = table[i].local;
		enum side_change remote = table[i].remote;
		is_listed[local][remote] = true;
		assert_int_equal(sync_rule(SYNC_BOTH, local, remote), table[i].both);
		assert_int_equal(sync_rule(SYNC_PULL, local, remote), table[i].pull);
		assert_int_equal(sync_rule(SYNC_PUSH, local, remote), table[i].push);
	}
	for (unsigned pair = 0; pair < SIDE_CHANGE_COUNT * SIDE_CHANGE_COUNT; pair++) {
		enum side_change local = pair % SIDE_CHANGE_COUNT;
		enum side_change remote = pair / SIDE_CHANGE_COUNT;
		for (size_t d = 0; !is_listed[local][remote] && d < ARRAY_LEN(directions); d++)
			assert_int_equal(sync_rule(directions[d], local, remote),
					 OUTCOME_IMPOSSIBLE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_conflict_table_is_the_contracts),
		cmocka_unit_test(planning_again_gives_nothing),
		cmocka_unit_test(only_what_was_deleted_on_one_side_goes_from_the_other),
		cmocka_unit_test(one_way_never_changes_the_side_that_wins),
		cmocka_unit_test(each_flag_takes_the_value_of_the_side_that_changed_it),
		cmocka_unit_test(each_message_gets_its_actions_in_the_order_of_execution),
		cmocka_unit_test(both_sides_end_alike_when_they_are_exchanged),
		cmocka_unit_test(two_messages_never_meddle_with_each_other),
		cmocka_unit_test(flag_changes_of_equal_effect_stand_side_by_side),
		cmocka_unit_test(what_is_flagged_deleted_on_either_side_goes_from_both),
		cmocka_unit_test(pulling_a_message_flagged_deleted_stays),
		cmocka_unit_test(what_was_flagged_deleted_long_ago_goes_too),
		cmocka_unit_test(what_is_restored_is_not_marked_as_deleted_any_more),
		cmocka_unit_test(marks_of_long_ago_are_taken_off_on_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
