/* When what is due.
 * SPDX-License-Identifier: MIT */
#include "syncd/schedule.h"

void schedule_init(struct schedule *schedule, uint64_t interval_ms, uint64_t now_ms)
{
	*schedule = (struct schedule){
		.interval_ms = interval_ms,
		.full_at_ms = now_ms,
		.changes_at_ms = SCHEDULE_NEVER,
	};
}

enum schedule_due schedule_next(const struct schedule *schedule, uint64_t now_ms, uint64_t *at_ms)
{
	uint64_t at = schedule->full_at_ms < schedule->changes_at_ms ? schedule->full_at_ms
								     : schedule->changes_at_ms;

	*at_ms = SCHEDULE_NEVER;
	if (schedule->is_paused || schedule->is_stopped)
		return SCHEDULE_WAIT;
	if (at < schedule->not_before_ms)
		at = schedule->not_before_ms;
	if (at < schedule->rest_until_ms)
		at = schedule->rest_until_ms;
	if (at > now_ms) {
		*at_ms = at;
		return SCHEDULE_WAIT;
	}
	return schedule->full_at_ms <= now_ms ? SCHEDULE_FULL : SCHEDULE_CHANGES;
}

/* Whoever acts here, or is told something true, has done with the delays. */
static void schedule_forget_futile(struct schedule *schedule)
{
	schedule->futile = 0;
	schedule->news_ms = 0;
	schedule->is_for_news = false;
}

void schedule_note_change(struct schedule *schedule, uint64_t now_ms)
{
	uint64_t at = now_ms + SCHEDULE_SETTLE_MS;

	/* What waits for its time with the server's news does not wait for them. */
	if (schedule->is_for_news)
		schedule->changes_at_ms = SCHEDULE_NEVER;
	schedule_forget_futile(schedule);
	if (schedule->changes_at_ms == SCHEDULE_NEVER)
		schedule->changes_by_ms = now_ms + SCHEDULE_SETTLE_MAX_MS;
	schedule->changes_at_ms = at < schedule->changes_by_ms ? at : schedule->changes_by_ms;
}

void schedule_note_news(struct schedule *schedule, uint64_t now_ms, bool is_full)
{
	uint64_t at = now_ms < schedule->news_ms ? schedule->news_ms : now_ms;

	if (schedule->changes_at_ms == SCHEDULE_NEVER)
		schedule->is_for_news = true;
	if (is_full)
		schedule_want_full(schedule, now_ms, at - now_ms + SCHEDULE_SETTLE_MS);
	else if (at < schedule->changes_at_ms)
		schedule->changes_at_ms = schedule->changes_by_ms = at;
}

void schedule_want_full(struct schedule *schedule, uint64_t now_ms, uint64_t delay_ms)
{
	if (now_ms + delay_ms < schedule->full_at_ms)
		schedule->full_at_ms = now_ms + delay_ms;
}

void schedule_begun(struct schedule *schedule, uint64_t now_ms, bool is_full)
{
	schedule->changes_at_ms = SCHEDULE_NEVER;
	schedule->was_for_news = schedule->is_for_news;
	schedule->is_for_news = false;
	if (is_full)
		schedule->full_at_ms = now_ms + schedule->interval_ms;
}

static uint64_t schedule_backoff(const struct schedule *schedule, uint64_t random)
{
	uint64_t delay_ms = SCHEDULE_RETRY_FIRST_MS;

	for (unsigned i = 1; i < schedule->failures && delay_ms < SCHEDULE_RETRY_LAST_MS; i++)
		delay_ms *= 2;
	if (delay_ms > SCHEDULE_RETRY_LAST_MS)
		delay_ms = SCHEDULE_RETRY_LAST_MS;
	return delay_ms - delay_ms / 4 + random % (delay_ms / 2 + 1);
}

void schedule_ended(struct schedule *schedule, uint64_t now_ms, int code, uint64_t random)
{
	switch (error_class_of(code)) {
	case ERROR_CLASS_NONE:
	case ERROR_CLASS_HELD:
	case ERROR_CLASS_MESSAGE:
		schedule->failures = 0;
		schedule->not_before_ms = 0;
		return;
	case ERROR_CLASS_AUTH:
		schedule->is_stopped = true;
		return;
	case ERROR_CLASS_RETRY:
		schedule->failures++;
		schedule->not_before_ms = now_ms + schedule_backoff(schedule, random);
		schedule->full_at_ms = schedule->not_before_ms;
		return;
	case ERROR_CLASS_PERMANENT:
	case ERROR_CLASS_BUG:
		schedule->failures = 0;
		schedule->not_before_ms = 0;
		schedule->full_at_ms = now_ms + schedule->interval_ms;
		return;
	}
}

void schedule_rest(struct schedule *schedule, uint64_t now_ms, uint32_t delay_s)
{
	uint64_t until_ms = now_ms + (uint64_t)delay_s * 1000;

	if (schedule->rest_until_ms < until_ms)
		schedule->rest_until_ms = until_ms;
}

uint64_t schedule_retry_ms(const struct schedule *schedule)
{
	if (schedule->not_before_ms == 0 || schedule->not_before_ms > schedule->rest_until_ms)
		return schedule->not_before_ms;
	return schedule->rest_until_ms;
}

static uint64_t schedule_futile_delay(const struct schedule *schedule)
{
	uint64_t delay_ms = SCHEDULE_FUTILE_FIRST_MS;

	if (schedule->futile <= SCHEDULE_FUTILE_FREE)
		return 0;
	for (unsigned i = SCHEDULE_FUTILE_FREE + 1;
	     i < schedule->futile && delay_ms < SCHEDULE_FUTILE_LAST_MS; i++)
		delay_ms *= 2;
	return delay_ms < SCHEDULE_FUTILE_LAST_MS ? delay_ms : SCHEDULE_FUTILE_LAST_MS;
}

void schedule_found(struct schedule *schedule, uint64_t now_ms, bool is_anything)
{
	bool was_for_news = schedule->was_for_news;

	schedule->was_for_news = false;
	if (is_anything)
		schedule_forget_futile(schedule);
	if (is_anything || !was_for_news)
		return;
	if (now_ms - schedule->futile_ms > SCHEDULE_FUTILE_FORGOTTEN_MS)
		schedule->futile = 0;
	schedule->futile++;
	schedule->futile_ms = now_ms;
	schedule->news_ms = now_ms + schedule_futile_delay(schedule);
}

void schedule_wake(struct schedule *schedule, uint64_t now_ms)
{
	schedule_forget_futile(schedule);
	schedule->is_stopped = false;
	schedule->failures = 0;
	schedule->not_before_ms = 0;
	schedule->full_at_ms = now_ms;
}
