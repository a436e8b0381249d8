/* Sleep is what one clock counted and the other did not.
 * SPDX-License-Identifier: MIT */
#include "syncd/wakeup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/watch/wakeup_private.h"
#include "syncd/must.h"

static void only_forward_jumps_past_the_threshold_are_sleep(void **state)
{
	static const struct {
		struct wakeup_clocks before, now;
		int64_t slept_s;
	} cases[] = {
		{ { 0, 0 }, { 60000, 60000 }, 0 },
		{ { 0, 0 }, { 60000, 89999 }, 0 },
		{ { 0, 0 }, { 60000, 90000 }, 30 },
		{ { 500, 1700000000000 }, { 1500, 1700003601500 }, 3600 },
		{ { 0, 100000 }, { 60000, 10000 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(wakeup_slept_s(cases[i].before, cases[i].now, 30000),
				 cases[i].slept_s);
}

struct sleeper {
	struct wakeup wakeup;
	int calls;
	int64_t slept_s;
	bool stops;
};

static int64_t extra_ms; /* what the machine slept so far */

static struct wakeup_clocks fake_read(const struct loop *loop)
{
	int64_t now = (int64_t)loop_now_ms(loop);

	return (struct wakeup_clocks){ now, now + extra_ms };
}

static void woke(struct wakeup *wakeup, int64_t slept_s)
{
	struct sleeper *s = container_of(wakeup, struct sleeper, wakeup);

	s->calls++;
	s->slept_s = slept_s;
	if (s->stops)
		wakeup_stop(wakeup);
}

static void each_sleep_is_told_once_within_the_check_interval(void **state)
{
	struct loop *loop = loop_new_fake();
	struct sleeper s = { 0 };

	(void)state;
	wakeup_start_with(loop, &s.wakeup, fake_read, 5000, woke);
	loop_fake_advance(loop, 10 * WAKEUP_CHECK_MS);
	assert_int_equal(s.calls, 0);
	extra_ms += 7200000;
	loop_fake_advance(loop, WAKEUP_CHECK_MS);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.slept_s, 7200);
	loop_fake_advance(loop, 10 * WAKEUP_CHECK_MS);
	assert_int_equal(s.calls, 1);
	s.stops = true;
	extra_ms += 60000;
	loop_fake_advance(loop, WAKEUP_CHECK_MS);
	assert_int_equal(s.calls, 2);
	wakeup_stop(&s.wakeup);
	loop_free(&loop);
}

static void start_and_stop_leave_an_empty_loop(void **state)
{
	struct loop *loop = loop_new();
	struct sleeper s = { 0 };

	(void)state;
	wakeup_stop(&s.wakeup);
	wakeup_start(loop, &s.wakeup, woke);
	wakeup_stop(&s.wakeup);
	wakeup_stop(&s.wakeup);
	loop_run(loop);
	loop_free(&loop);
	assert_int_equal(s.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_forward_jumps_past_the_threshold_are_sleep),
		cmocka_unit_test(each_sleep_is_told_once_within_the_check_interval),
		cmocka_unit_test(start_and_stop_leave_an_empty_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
