/* The part of the event loop that the real and the fake one share: the timer
 * list, the queue of deferred calls, and the way to the kind's own functions.
 * SPDX-License-Identifier: MIT */
#include "syncd/loop.h"

#include "loop_private.h"
#include "syncd/must.h"

void loop_base_init(struct loop *loop, const struct loop_ops *ops)
{
	loop->ops = ops;
	list_init(&loop->timers);
	list_init(&loop->defers);
}

void loop_free(struct loop **loop)
{
	must(list_is_empty(&(*loop)->timers));
	must(list_is_empty(&(*loop)->defers));
	(*loop)->ops->free(*loop);
	*loop = NULL;
}

void loop_run(struct loop *loop)
{
	loop->ops->run(loop);
}

void loop_stop(struct loop *loop)
{
	loop->ops->stop(loop);
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->ops->now_ms(loop);
}

int64_t loop_wall_s(const struct loop *loop)
{
	return loop->ops->wall_s(loop);
}

uint64_t loop_random(struct loop *loop)
{
	return loop->ops->random(loop);
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return loop->ops->uv(loop);
}

/* Moves the whole ring of `from` into the empty `to`. */
static void list_take(struct list *to, struct list *from)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	list_append(from, to);
	list_remove(from);
}

/* --- Timers ---------------------------------------------------------------- */

static struct loop_timer *timer_of(struct list *link)
{
	return container_of(link, struct loop_timer, link);
}

void loop_timer_init(struct loop *loop, struct loop_timer *timer, loop_timer_cb cb)
{
	*timer = (struct loop_timer){ .loop = loop, .cb = cb };
	list_init(&timer->link);
}

/* Most timers are timeouts armed with like delays, so that the right place is
 * found at once from the far end. */
static void timer_insert(struct loop *loop, struct loop_timer *timer)
{
	struct list *at = &loop->timers;

	while (at->prev != &loop->timers && timer_of(at->prev)->due_ms > timer->due_ms)
		at = at->prev;
	list_append(at, &timer->link);
}

void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms)
{
	struct loop *loop = timer->loop;
	struct loop_timer *next = loop_base_next_timer(loop);
	uint64_t now = loop_now_ms(loop);

	list_remove(&timer->link);
	timer->due_ms = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
	timer_insert(loop, timer);
	if (next == timer || loop_base_next_timer(loop) == timer)
		loop->ops->timers_changed(loop);
}

void loop_timer_stop(struct loop_timer *timer)
{
	if (!loop_timer_is_armed(timer))
		return;
	bool was_next = loop_base_next_timer(timer->loop) == timer;
	list_remove(&timer->link);
	if (was_next)
		timer->loop->ops->timers_changed(timer->loop);
}

bool loop_timer_is_armed(const struct loop_timer *timer)
{
	return !list_is_empty(&timer->link);
}

struct loop_timer *loop_base_next_timer(const struct loop *loop)
{
	struct list *first = list_first(&loop->timers);

	return first != NULL ? timer_of(first) : NULL;
}

void loop_base_run_timers(struct loop *loop)
{
	struct list due;
	struct loop_timer *timer;
	uint64_t now = loop_now_ms(loop);

	list_init(&due);
	while ((timer = loop_base_next_timer(loop)) != NULL && timer->due_ms <= now) {
		list_remove(&timer->link);
		list_append(&due, &timer->link);
	}
	while (!list_is_empty(&due)) {
		timer = timer_of(list_first(&due));
		list_remove(&timer->link);
		timer->cb(timer);
	}
	loop->ops->timers_changed(loop);
}

/* --- Deferred calls -------------------------------------------------------- */

void loop_defer(struct loop *loop, struct loop_defer *defer, loop_defer_cb cb)
{
	if (defer->is_armed)
		return;
	defer->cb = cb;
	defer->is_armed = true;
	list_append(&loop->defers, &defer->link);
	loop->ops->defers_pending(loop);
}

void loop_defer_cancel(struct loop_defer *defer)
{
	if (!defer->is_armed)
		return;
	defer->is_armed = false;
	list_remove(&defer->link);
}

void loop_base_run_defers(struct loop *loop)
{
	struct list now;

	list_take(&now, &loop->defers);
	while (!list_is_empty(&now)) {
		struct loop_defer *defer = container_of(list_first(&now), struct loop_defer, link);

		loop_defer_cancel(defer);
		defer->cb(defer);
	}
}

/* --- Pool jobs ------------------------------------------------------------- */

void loop_job_start(struct loop *loop, struct loop_job *job, loop_job_work work, loop_job_done done)
{
	*job = (struct loop_job){ .work = work, .done = done, .loop = loop };
	loop->ops->job_start(job);
}

void loop_job_cancel(struct loop_job *job)
{
	if (job->impl != NULL)
		job->loop->ops->job_cancel(job);
}
