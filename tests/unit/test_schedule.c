/* What is due for an account, and when.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "syncd/must.h"
#include "syncd/schedule.h"

#define INTERVAL_MS 300000
#define NOW_MS 1000000

static struct schedule rested(void)
{
	struct schedule schedule;

	schedule_init(&schedule, INTERVAL_MS, NOW_MS);
	schedule_begun(&schedule, NOW_MS, true);
	schedule_ended(&schedule, NOW_MS, 0, 0);
	return schedule;
}

static void assert_due(const struct schedule *schedule, uint64_t now_ms, enum schedule_due due)
{
	uint64_t at_ms = 0;

	assert_int_equal(schedule_next(schedule, now_ms, &at_ms), due);
}

static void a_complete_run_is_due_at_once_and_then_at_the_interval(void **state)
{
	struct schedule schedule;
	uint64_t at_ms = 0;

	(void)state;
	schedule_init(&schedule, INTERVAL_MS, NOW_MS);
	assert_due(&schedule, NOW_MS, SCHEDULE_FULL);
	schedule = rested();
	assert_int_equal(schedule_next(&schedule, NOW_MS, &at_ms), SCHEDULE_WAIT);
	assert_int_equal(at_ms, NOW_MS + INTERVAL_MS);
	assert_due(&schedule, NOW_MS + INTERVAL_MS, SCHEDULE_FULL);
}

static void news_of_the_server_is_due_at_once(void **state)
{
	struct schedule schedule = rested();

	(void)state;
	schedule_note_news(&schedule, NOW_MS, false);
	assert_due(&schedule, NOW_MS, SCHEDULE_CHANGES);
	schedule_begun(&schedule, NOW_MS, false);
	assert_due(&schedule, NOW_MS, SCHEDULE_WAIT);
}

static void local_changes_settle_but_are_not_put_off_for_ever(void **state)
{
	struct schedule schedule = rested();
	uint64_t now_ms = NOW_MS;

	(void)state;
	schedule_note_change(&schedule, now_ms);
	assert_due(&schedule, now_ms + SCHEDULE_SETTLE_MS - 1, SCHEDULE_WAIT);
	assert_due(&schedule, now_ms + SCHEDULE_SETTLE_MS, SCHEDULE_CHANGES);
	for (; now_ms < NOW_MS + SCHEDULE_SETTLE_MAX_MS; now_ms += 10)
		schedule_note_change(&schedule, now_ms);
	assert_due(&schedule, NOW_MS + SCHEDULE_SETTLE_MAX_MS, SCHEDULE_CHANGES);
}

static void failures_that_pass_are_retried_later_and_later(void **state)
{
	struct schedule schedule = rested();
	uint64_t delay_ms = SCHEDULE_RETRY_FIRST_MS;

	(void)state;
	for (int i = 0; i < 14; i++) {
		uint64_t at_ms = 0;
		schedule_begun(&schedule, NOW_MS, true);
		schedule_ended(&schedule, NOW_MS, SYNCD_ENET, UINT64_MAX / 3 * (uint64_t)(i % 3));
		assert_int_equal(schedule_next(&schedule, NOW_MS, &at_ms), SCHEDULE_WAIT);
		assert_in_range(at_ms - NOW_MS, delay_ms * 3 / 4, delay_ms * 5 / 4);
		delay_ms = delay_ms * 2 < SCHEDULE_RETRY_LAST_MS ? delay_ms * 2
								 : SCHEDULE_RETRY_LAST_MS;
	}
	/* News does not hammer a server that is down. */
	schedule_note_news(&schedule, NOW_MS, false);
	assert_due(&schedule, NOW_MS, SCHEDULE_WAIT);
	schedule_wake(&schedule, NOW_MS);
	assert_due(&schedule, NOW_MS, SCHEDULE_FULL);
}

static void a_refused_password_waits_for_the_user(void **state)
{
	struct schedule schedule = rested();
	uint64_t at_ms = 0;

	(void)state;
	schedule_ended(&schedule, NOW_MS, SYNCD_EAUTH, 0);
	schedule_note_news(&schedule, NOW_MS, false);
	assert_int_equal(schedule_next(&schedule, NOW_MS + 100 * INTERVAL_MS, &at_ms),
			 SCHEDULE_WAIT);
	assert_true(at_ms == SCHEDULE_NEVER);
	schedule_wake(&schedule, NOW_MS);
	assert_due(&schedule, NOW_MS, SCHEDULE_FULL);
}

static void what_does_not_pass_by_itself_is_tried_at_the_interval(void **state)
{
	static const int codes[] = { SYNCD_EIO, SYNCD_EROOT, SYNCD_ENOSPC, SYNCD_ESERVER };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct schedule schedule = rested();
		uint64_t at_ms = 0;
		schedule_ended(&schedule, NOW_MS, codes[i], 0);
		assert_int_equal(schedule_next(&schedule, NOW_MS, &at_ms), SCHEDULE_WAIT);
		assert_int_equal(at_ms, NOW_MS + INTERVAL_MS);
	}
}

static void who_wants_to_be_left_alone_is_whatever_wakes(void **state)
{
	struct schedule schedule = rested();
	uint64_t at_ms = 0;

	(void)state;
	schedule_rest(&schedule, NOW_MS, 60);
	schedule_rest(&schedule, NOW_MS, 10); /* said in passing: no reason to come sooner */
	assert_int_equal(schedule_retry_ms(&schedule), 0); /* nothing has failed */
	schedule_wake(&schedule, NOW_MS + 1);
	assert_int_equal(schedule_next(&schedule, NOW_MS + 1, &at_ms), SCHEDULE_WAIT);
	assert_int_equal(at_ms, NOW_MS + 60000);
	assert_due(&schedule, NOW_MS + 60000, SCHEDULE_FULL);
	schedule_ended(&schedule, NOW_MS + 1, SYNCD_EBUSY, 0); /* a person tried */
	assert_int_equal(schedule_retry_ms(&schedule), NOW_MS + 60000);
	assert_due(&schedule, NOW_MS + 59999, SCHEDULE_WAIT);
}

static void a_paused_account_does_nothing(void **state)
{
	struct schedule schedule = rested();

	(void)state;
	schedule.is_paused = true;
	schedule_note_news(&schedule, NOW_MS, false);
	assert_due(&schedule, NOW_MS + 10 * INTERVAL_MS, SCHEDULE_WAIT);
}

/* A run that the server's news began, and that found this. */
static void run_for_news(struct schedule *schedule, uint64_t now_ms, bool is_anything)
{
	schedule_note_news(schedule, now_ms, false);
	schedule_begun(schedule, now_ms, false);
	schedule_ended(schedule, now_ms, 0, 0);
	schedule_found(schedule, now_ms, is_anything);
}

/* When the next news would be looked at. */
static uint64_t delay_of_news(struct schedule schedule, uint64_t now_ms, bool is_full)
{
	uint64_t at_ms = now_ms;

	schedule_note_news(&schedule, now_ms, is_full);
	return schedule_next(&schedule, now_ms, &at_ms) == SCHEDULE_WAIT ? at_ms - now_ms : 0;
}

static struct schedule tired(void)
{
	struct schedule schedule = rested();

	for (int i = 0; i < 20; i++)
		run_for_news(&schedule, NOW_MS, false);
	return schedule;
}

static void news_that_is_none_is_looked_at_later_and_later(void **state)
{
	struct schedule schedule = rested();
	uint64_t wanted_ms = 0;

	(void)state;
	for (int i = 1; i < 20; i++) {
		run_for_news(&schedule, NOW_MS, false);
		if (i == SCHEDULE_FUTILE_FREE + 1)
			wanted_ms = SCHEDULE_FUTILE_FIRST_MS;
		if (wanted_ms > SCHEDULE_FUTILE_LAST_MS)
			wanted_ms = SCHEDULE_FUTILE_LAST_MS;
		assert_int_equal(delay_of_news(schedule, NOW_MS, false), wanted_ms);
		wanted_ms *= 2;
	}
	assert_int_equal(delay_of_news(schedule, NOW_MS, true),
			 SCHEDULE_FUTILE_LAST_MS + SCHEDULE_SETTLE_MS);
}

static void true_news_is_at_once_again(void **state)
{
	struct schedule schedule = tired();

	(void)state;
	run_for_news(&schedule, NOW_MS, true);
	assert_int_equal(delay_of_news(schedule, NOW_MS, false), 0);
}

static void the_user_and_local_changes_end_the_delay(void **state)
{
	struct schedule schedule = tired();

	(void)state;
	schedule_wake(&schedule, NOW_MS);
	assert_due(&schedule, NOW_MS, SCHEDULE_FULL);
	schedule = tired();
	schedule_note_news(&schedule, NOW_MS, false);
	schedule_note_change(&schedule, NOW_MS);
	assert_due(&schedule, NOW_MS + SCHEDULE_SETTLE_MS, SCHEDULE_CHANGES);
	schedule_begun(&schedule, NOW_MS, false);
	schedule_ended(&schedule, NOW_MS, 0, 0);
	schedule_found(&schedule, NOW_MS, true);
	assert_int_equal(delay_of_news(schedule, NOW_MS, false), 0);
}

static void news_that_is_none_but_seldom_is_looked_at_at_once(void **state)
{
	struct schedule schedule = tired();
	uint64_t now_ms = NOW_MS;

	(void)state;
	for (int i = 0; i < 20; i++) {
		now_ms += SCHEDULE_FUTILE_FORGOTTEN_MS + 1;
		assert_int_equal(delay_of_news(schedule, now_ms, false), 0);
		run_for_news(&schedule, now_ms, false);
	}
	assert_int_equal(delay_of_news(schedule, now_ms, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_complete_run_is_due_at_once_and_then_at_the_interval),
		cmocka_unit_test(news_of_the_server_is_due_at_once),
		cmocka_unit_test(local_changes_settle_but_are_not_put_off_for_ever),
		cmocka_unit_test(failures_that_pass_are_retried_later_and_later),
		cmocka_unit_test(a_refused_password_waits_for_the_user),
		cmocka_unit_test(what_does_not_pass_by_itself_is_tried_at_the_interval),
		cmocka_unit_test(who_wants_to_be_left_alone_is_whatever_wakes),
		cmocka_unit_test(a_paused_account_does_nothing),
		cmocka_unit_test(news_that_is_none_is_looked_at_later_and_later),
		cmocka_unit_test(true_news_is_at_once_again),
		cmocka_unit_test(the_user_and_local_changes_end_the_delay),
		cmocka_unit_test(news_that_is_none_but_seldom_is_looked_at_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
