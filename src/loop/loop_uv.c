/* The real loop, over libuv. One uv_timer stands for the nearest of all timers,
 * and one uv_idle runs only while deferred calls wait: a loop with nothing to
 * do sleeps in the kernel.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "loop_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

struct loop_real {
	struct loop loop;
	uv_loop_t *uv;
	uv_timer_t timer;
	uv_idle_t idle;
};

struct real_job {
	uv_work_t req;
	struct loop_job *job;
};

static struct loop_real *real_of(const struct loop *loop)
{
	return container_of(loop, struct loop_real, loop);
}

/* The clock is read anew: libuv's cached time is as old as the turn, which would
 * shorten every timeout that is armed after a long callback. */
static uint64_t real_now_ms(const struct loop *loop)
{
	uv_loop_t *uv = real_of(loop)->uv;

	uv_update_time(uv);
	return uv_now(uv);
}

static int64_t real_wall_s(const struct loop *loop)
{
	(void)loop;
	return (int64_t)time(NULL);
}

static uint64_t real_random(struct loop *loop)
{
	uint64_t bits;

	(void)loop;
	must(uv_random(NULL, NULL, &bits, sizeof(bits), 0, NULL) == 0);
	return bits;
}

static struct uv_loop_s *real_uv(struct loop *loop)
{
	return real_of(loop)->uv;
}

static void real_timer_fired(uv_timer_t *handle)
{
	struct loop_real *real = handle->data;

	loop_base_run_timers(&real->loop);
}

static void real_timers_changed(struct loop *loop)
{
	struct loop_real *real = real_of(loop);
	struct loop_timer *next = loop_base_next_timer(loop);

	if (next == NULL) {
		must(uv_timer_stop(&real->timer) == 0);
		return;
	}
	uint64_t now = real_now_ms(loop);
	uint64_t delay = next->due_ms > now ? next->due_ms - now : 0;
	must(uv_timer_start(&real->timer, real_timer_fired, delay, 0) == 0);
}

static void real_idle_turn(uv_idle_t *handle)
{
	struct loop_real *real = handle->data;

	loop_base_run_defers(&real->loop);
	if (list_is_empty(&real->loop.defers))
		must(uv_idle_stop(&real->idle) == 0);
}

static void real_defers_pending(struct loop *loop)
{
	must(uv_idle_start(&real_of(loop)->idle, real_idle_turn) == 0);
}

static void real_job_work(uv_work_t *req)
{
	struct real_job *real_job = container_of(req, struct real_job, req);

	real_job->job->work(real_job->job);
}

static void real_job_after(uv_work_t *req, int status)
{
	struct real_job *real_job = container_of(req, struct real_job, req);
	struct loop_job *job = real_job->job;

	free(real_job);
	job->impl = NULL;
	job->done(job, status == UV_ECANCELED ? SYNCD_ECANCELLED : 0);
}

static void real_job_start(struct loop_job *job)
{
	struct real_job *real_job = xcalloc(1, sizeof(*real_job));

	real_job->job = job;
	job->impl = real_job;
	must(uv_queue_work(real_of(job->loop)->uv, &real_job->req, real_job_work, real_job_after) ==
	     0);
}

static void real_job_cancel(struct loop_job *job)
{
	struct real_job *real_job = job->impl;

	/* UV_EBUSY: it is being worked on, or done; its end is reported as usual. */
	(void)uv_cancel((uv_req_t *)&real_job->req);
}

static void real_run(struct loop *loop)
{
	(void)uv_run(real_of(loop)->uv, UV_RUN_DEFAULT);
}

static void real_stop(struct loop *loop)
{
	uv_stop(real_of(loop)->uv);
}

static void real_free(struct loop *loop)
{
	struct loop_real *real = real_of(loop);

	uv_close((uv_handle_t *)&real->timer, NULL);
	uv_close((uv_handle_t *)&real->idle, NULL);
	must(uv_run(real->uv, UV_RUN_NOWAIT) == 0);
	must(uv_loop_close(real->uv) == 0);
	free(real->uv);
	free(real);
}

static const struct loop_ops real_ops = {
	.now_ms = real_now_ms,
	.wall_s = real_wall_s,
	.random = real_random,
	.uv = real_uv,
	.timers_changed = real_timers_changed,
	.defers_pending = real_defers_pending,
	.job_start = real_job_start,
	.job_cancel = real_job_cancel,
	.run = real_run,
	.stop = real_stop,
	.free = real_free,
};

struct loop *loop_new(void)
{
	struct loop_real *real = xcalloc(1, sizeof(*real));

	/* libuv writes to sockets and pipes without MSG_NOSIGNAL. */
	must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	loop_base_init(&real->loop, &real_ops);
	real->uv = xmalloc(sizeof(*real->uv));
	must(uv_loop_init(real->uv) == 0);
	must(uv_timer_init(real->uv, &real->timer) == 0);
	must(uv_idle_init(real->uv, &real->idle) == 0);
	real->timer.data = real;
	real->idle.data = real;
	return &real->loop;
}
