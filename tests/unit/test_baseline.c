/* From where on a mailbox has to be looked at.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "syncd/must.h"
#include "syncd/sync_baseline.h"

#define DAY_S 86400

static const struct mailbox_record agreed = {
	.uidvalidity = 7,
	.uidnext = 101,
	.highestmodseq = 5000,
	.exists = 90,
	.verified_s = 1000000,
};
static const struct mailbox_status same = {
	.uidvalidity = 7,
	.uidnext = 101,
	.highestmodseq = 5000,
	.messages = 90,
};

static void a_status_as_it_was_means_unchanged(void **state)
{
	(void)state;
	assert_true(sync_remote_is_unchanged(&agreed, &same));
}

static void any_number_that_differs_means_changed(void **state)
{
	struct mailbox_status statuses[] = { same, same, same, same };

	(void)state;
	statuses[0].uidvalidity++;
	statuses[1].uidnext++;
	statuses[2].highestmodseq--; /* a server restored from its backup */
	statuses[3].messages--;      /* Gmail: an expunge raises no HIGHESTMODSEQ */
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		assert_false(sync_remote_is_unchanged(&agreed, &statuses[i]));
}

static void what_was_not_told_is_never_unchanged(void **state)
{
	struct mailbox_record never = { .uidvalidity = 0 };
	struct mailbox_status untold = { .uidvalidity = 0 };
	struct mailbox_record without = agreed;
	struct mailbox_status nomodseq = same;

	(void)state;
	without.highestmodseq = 0;
	nomodseq.highestmodseq = 0;
	assert_false(sync_remote_is_unchanged(&never, &untold));
	assert_false(sync_remote_is_unchanged(&agreed, &untold));
	assert_false(sync_remote_is_unchanged(&without, &nomodseq));
}

static void a_policy_tells_terms_and_masks_apart(void **state)
{
	uint64_t masks[] = { 0, 1, FLAGS_SYSTEM, FLAGS_KEYWORDS, UINT64_MAX, UINT64_MAX >> 1 };

	const uint64_t sizes[] = { 0, 1, 1000, 1u << 20, 25u << 20 };
	struct sync_terms terms[SYNC_DIRECTION_COUNT * ARRAY_LEN(sizes) * 2];
	size_t count = 0;

	(void)state;
	for (int direction = 0; direction < SYNC_DIRECTION_COUNT; direction++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			terms[count++] = (struct sync_terms){ (enum sync_direction)direction, false,
							      sizes[i] };
			terms[count++] = (struct sync_terms){ (enum sync_direction)direction, true,
							      sizes[i] };
		}
	}
	for (size_t t = 0; t < count; t++) {
		for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
			uint64_t policy = sync_policy_digest(&terms[t], masks[i]);
			assert_true(policy != 0); /* that stands for "none" */
			for (size_t other = 0; other < count; other++)
				assert_int_equal(sync_policy_is_of(policy, &terms[other]),
						 other == t);
			for (size_t k = 0; k < i; k++)
				assert_true(policy != sync_policy_digest(&terms[t], masks[k]));
		}
	}
	assert_false(sync_policy_is_of(0, &terms[0]));
}

static void a_look_at_everything_is_due_after_the_interval(void **state)
{
	const struct {
		int64_t now_s;
		int64_t interval_s;
		bool is_due;
	} cases[] = {
		{ 1000000, DAY_S, false },           { 1000000 + DAY_S - 1, DAY_S, false },
		{ 1000000 + DAY_S, DAY_S, true },    { 999999, DAY_S, true }, /* set back */
		{ 1000000 + 100 * DAY_S, 0, false }, { 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(sync_verify_is_due(&agreed, cases[i].now_s, cases[i].interval_s),
				 cases[i].is_due);
}

static void a_mailbox_that_is_being_forgotten_is_another_one(void **state)
{
	struct mailbox_record records[] = { agreed, agreed };
	struct mailbox_status statuses[] = { same, same };

	(void)state;
	statuses[1].uidvalidity = records[1].uidvalidity = UINT32_MAX;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		sync_baseline_void(&records[i]);
		assert_int_not_equal(records[i].uidvalidity, 0);
		assert_int_not_equal(records[i].uidvalidity, statuses[i].uidvalidity);
		assert_false(sync_remote_is_unchanged(&records[i], &statuses[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_as_it_was_means_unchanged),
		cmocka_unit_test(any_number_that_differs_means_changed),
		cmocka_unit_test(what_was_not_told_is_never_unchanged),
		cmocka_unit_test(a_policy_tells_terms_and_masks_apart),
		cmocka_unit_test(a_look_at_everything_is_due_after_the_interval),
		cmocka_unit_test(a_mailbox_that_is_being_forgotten_is_another_one),
	};

	return cmocka_run_group_tests_name("baseline", tests, NULL, NULL);
}
