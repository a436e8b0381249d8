/* The fake loop: a clock that stands still until a test moves it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "loop_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define FAKE_START_MS 1000000u
#define FAKE_START_WALL_S 1700000000
#define FAKE_SEED 0x5eed5eed5eed5eedu
#define FAKE_TURNS_MAX 1000000 /* turns without the clock moving: a livelock */

struct loop_fake {
	struct loop loop;
	uint64_t now_ms;
	uint64_t random_state;
	size_t jobs; /* started, not completed */
	bool is_stopped;
};

/* A job is a deferred call that runs its work inline. */
struct fake_job {
	struct loop_defer defer;
	struct loop_job *job;
	bool is_cancelled;
};

static struct loop_fake *fake_of(const struct loop *loop)
{
	return container_of(loop, struct loop_fake, loop);
}

static uint64_t fake_now_ms(const struct loop *loop)
{
	return fake_of(loop)->now_ms;
}

static int64_t fake_wall_s(const struct loop *loop)
{
	return FAKE_START_WALL_S + (int64_t)((fake_of(loop)->now_ms - FAKE_START_MS) / 1000);
}

/* The splitmix64 generator. */
static uint64_t fake_random(struct loop *loop)
{
	uint64_t z = fake_of(loop)->random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static struct uv_loop_s *fake_uv(struct loop *loop)
{
	(void)loop;
	return NULL;
}

/* The queues are looked at whenever the clock moves: nothing to arrange. */
static void fake_nothing_to_arrange(struct loop *loop)
{
	(void)loop;
}

static void fake_job_run(struct loop_defer *defer)
{
	struct fake_job *fake_job = container_of(defer, struct fake_job, defer);
	struct loop_job *job = fake_job->job;
	bool is_cancelled = fake_job->is_cancelled;

	free(fake_job);
	job->impl = NULL;
	fake_of(job->loop)->jobs--;
	if (!is_cancelled)
		job->work(job);
	job->done(job, is_cancelled ? SYNCD_ECANCELLED : 0);
}

static void fake_job_start(struct loop_job *job)
{
	struct fake_job *fake_job = xcalloc(1, sizeof(*fake_job));

	fake_job->job = job;
	job->impl = fake_job;
	fake_of(job->loop)->jobs++;
	loop_defer(job->loop, &fake_job->defer, fake_job_run);
}

static void fake_job_cancel(struct loop_job *job)
{
	struct fake_job *fake_job = job->impl;

	fake_job->is_cancelled = true;
}

/* Turns until nothing is due at the present time. */
static void fake_settle(struct loop_fake *fake)
{
	struct loop_timer *next = loop_base_next_timer(&fake->loop);
	long turns = 0;

	while (!fake->is_stopped && (!list_is_empty(&fake->loop.defers) ||
				     (next != NULL && next->due_ms <= fake->now_ms))) {
		must(++turns < FAKE_TURNS_MAX);
		loop_base_run_defers(&fake->loop);
		loop_base_run_timers(&fake->loop);
		next = loop_base_next_timer(&fake->loop);
	}
}

void loop_fake_advance(struct loop *loop, uint64_t ms)
{
	struct loop_fake *fake = fake_of(loop);
	uint64_t end = fake->now_ms + ms;
	struct loop_timer *next;

	must(loop_uv(loop) == NULL);
	fake->is_stopped = false;
	fake_settle(fake);
	while (!fake->is_stopped && (next = loop_base_next_timer(loop)) != NULL &&
	       next->due_ms <= end) {
		fake->now_ms = next->due_ms;
		fake_settle(fake);
	}
	if (!fake->is_stopped)
		fake->now_ms = end;
}

static void fake_run(struct loop *loop)
{
	struct loop_fake *fake = fake_of(loop);
	struct loop_timer *next;

	fake_settle(fake);
	while (!fake->is_stopped && (next = loop_base_next_timer(loop)) != NULL) {
		fake->now_ms = next->due_ms;
		fake_settle(fake);
	}
	fake->is_stopped = false;
}

static void fake_stop(struct loop *loop)
{
	fake_of(loop)->is_stopped = true;
}

static void fake_free(struct loop *loop)
{
	must(fake_of(loop)->jobs == 0);
	free(fake_of(loop));
}

static const struct loop_ops fake_ops = {
	.now_ms = fake_now_ms,
	.wall_s = fake_wall_s,
	.random = fake_random,
	.uv = fake_uv,
	.timers_changed = fake_nothing_to_arrange,
	.defers_pending = fake_nothing_to_arrange,
	.job_start = fake_job_start,
	.job_cancel = fake_job_cancel,
	.run = fake_run,
	.stop = fake_stop,
	.free = fake_free,
};

struct loop *loop_new_fake(void)
{
	struct loop_fake *fake = xcalloc(1, sizeof(*fake));

	loop_base_init(&fake->loop, &fake_ops);
	fake->now_ms = FAKE_START_MS;
	fake->random_state = FAKE_SEED;
	return &fake->loop;
}
