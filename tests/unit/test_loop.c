/* Tests of the event loops: order, times, cancelling, children, signals.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "syncd/loop.h"
#include "syncd/must.h"

#define TRACE_MAX 64

/* What happened, in order, one letter an event. */
struct trace {
	struct loop *loop;
	char text[TRACE_MAX];
};

struct traced_timer {
	struct loop_timer timer;
	struct trace *trace;
	char letter;
	uint64_t fired_ms;
	int repeats;
	uint64_t repeat_ms;
};

struct traced_defer {
	struct loop_defer defer;
	struct trace *trace;
	char letter;
	int repeats;
};

static void trace_add(struct trace *trace, char letter)
{
	size_t len = strlen(trace->text);

	assert_true(len + 1 < sizeof(trace->text));
	trace->text[len] = letter;
}

static void traced_timer_fired(struct loop_timer *timer)
{
	struct traced_timer *t = container_of(timer, struct traced_timer, timer);

	trace_add(t->trace, t->letter);
	t->fired_ms = loop_now_ms(timer->loop);
	if (t->repeats-- > 0)
		loop_timer_start(timer, t->repeat_ms);
}

static struct traced_timer timer_at(struct trace *trace, char letter)
{
	return (struct traced_timer){ .trace = trace, .letter = letter };
}

static void timer_arm(struct traced_timer *t, uint64_t delay_ms)
{
	loop_timer_init(t->trace->loop, &t->timer, traced_timer_fired);
	loop_timer_start(&t->timer, delay_ms);
}

static void traced_defer_called(struct loop_defer *defer)
{
	struct traced_defer *d = container_of(defer, struct traced_defer, defer);

	trace_add(d->trace, d->letter);
	if (d->repeats-- > 0)
		loop_defer(d->trace->loop, defer, traced_defer_called);
}

/* Each test of the shared parts runs on both loops. */
static struct loop *loop_of_kind(bool is_real)
{
	return is_real ? loop_new() : loop_new_fake();
}

static void timers_fire_in_order_of_time_then_of_start(void **state)
{
	(void)state;
	for (int is_real = 0; is_real < 2; is_real++) {
		struct trace trace = { .loop = loop_of_kind(is_real) };
		struct traced_timer a = timer_at(&trace, 'a');
		struct traced_timer b = timer_at(&trace, 'b');
		struct traced_timer c = timer_at(&trace, 'c');

		timer_arm(&c, 30);
		timer_arm(&a, 5);
		timer_arm(&b, 5);
		loop_run(trace.loop);
		assert_string_equal(trace.text, "abc");
		assert_false(loop_timer_is_armed(&a.timer));
		loop_free(&trace.loop);
	}
}

static void stopped_timer_does_not_fire_and_a_moved_one_fires_later(void **state)
{
	(void)state;
	for (int is_real = 0; is_real < 2; is_real++) {
		struct trace trace = { .loop = loop_of_kind(is_real) };
		struct traced_timer a = timer_at(&trace, 'a');
		struct traced_timer b = timer_at(&trace, 'b');
		struct traced_timer c = timer_at(&trace, 'c');

		timer_arm(&a, 1);
		timer_arm(&b, 2);
		timer_arm(&c, 3);
		loop_timer_stop(&a.timer);
		loop_timer_stop(&a.timer);
		loop_timer_start(&b.timer, 8);
		loop_run(trace.loop);
		assert_string_equal(trace.text, "cb");
		loop_free(&trace.loop);
	}
}

static void fake_clock_stands_at_each_timers_own_time(void **state)
{
	(void)state;
	struct trace trace = { .loop = loop_new_fake() };
	struct traced_timer a = timer_at(&trace, 'a');
	uint64_t start = loop_now_ms(trace.loop);
	int64_t wall = loop_wall_s(trace.loop);

	a.repeats = 2;
	a.repeat_ms = 1000;
	timer_arm(&a, 1000);
	loop_fake_advance(trace.loop, 999);
	assert_string_equal(trace.text, "");
	loop_fake_advance(trace.loop, 1);
	assert_string_equal(trace.text, "a");
	loop_fake_advance(trace.loop, 4000);
	assert_string_equal(trace.text, "aaa");
	assert_int_equal(a.fired_ms, start + 3000);
	assert_int_equal(loop_now_ms(trace.loop), start + 5000);
	assert_int_equal(loop_wall_s(trace.loop), wall + 5);
	loop_free(&trace.loop);
}

static void fake_randomness_repeats(void **state)
{
	(void)state;
	struct loop *one = loop_new_fake();
	struct loop *two = loop_new_fake();
	uint64_t first = loop_random(one);

	assert_int_equal(first, loop_random(two));
	assert_int_not_equal(first, loop_random(one));
	loop_free(&one);
	loop_free(&two);
}

static void deferred_calls_come_later_once_and_in_order(void **state)
{
	(void)state;
	for (int is_real = 0; is_real < 2; is_real++) {
		struct trace trace = { .loop = loop_of_kind(is_real) };
		struct traced_defer a = { .trace = &trace, .letter = 'a' };
		struct traced_defer b = { .trace = &trace, .letter = 'b', .repeats = 1 };
		struct traced_defer c = { .trace = &trace, .letter = 'c' };
		struct traced_defer d = { .trace = &trace, .letter = 'd' };

		loop_defer(trace.loop, &b.defer, traced_defer_called);
		loop_defer(trace.loop, &a.defer, traced_defer_called);
		loop_defer(trace.loop, &b.defer, traced_defer_called);
		loop_defer(trace.loop, &c.defer, traced_defer_called);
		loop_defer(trace.loop, &d.defer, traced_defer_called);
		loop_defer_cancel(&c.defer);
		assert_string_equal(trace.text, "");
		loop_run(trace.loop);
		assert_string_equal(trace.text, "badb");
		loop_free(&trace.loop);
	}
}

struct stopper {
	struct loop_defer defer;
	struct loop *loop;
};

static void stopper_called(struct loop_defer *defer)
{
	loop_stop(container_of(defer, struct stopper, defer)->loop);
}

static void stop_ends_run_with_timers_left(void **state)
{
	(void)state;
	for (int is_real = 0; is_real < 2; is_real++) {
		struct trace trace = { .loop = loop_of_kind(is_real) };
		struct traced_timer a = timer_at(&trace, 'a');
		struct stopper stopper = { .loop = trace.loop };

		timer_arm(&a, 100000);
		loop_defer(trace.loop, &stopper.defer, stopper_called);
		loop_run(trace.loop);
		assert_string_equal(trace.text, "");
		loop_timer_stop(&a.timer);
		loop_free(&trace.loop);
	}
}

struct traced_job {
	struct loop_job job;
	struct trace *trace;
	int worked;
	int code;
};

static void traced_job_work(struct loop_job *job)
{
	container_of(job, struct traced_job, job)->worked++;
}

static void traced_job_done(struct loop_job *job, int code)
{
	struct traced_job *j = container_of(job, struct traced_job, job);

	j->code = code;
	trace_add(j->trace, 'j');
}

static void job_works_then_is_done_once(void **state)
{
	(void)state;
	for (int is_real = 0; is_real < 2; is_real++) {
		struct trace trace = { .loop = loop_of_kind(is_real) };
		struct traced_job job = { .trace = &trace, .code = 1 };

		loop_job_start(trace.loop, &job.job, traced_job_work, traced_job_done);
		assert_string_equal(trace.text, "");
		loop_run(trace.loop);
		assert_string_equal(trace.text, "j");
		assert_int_equal(job.worked, 1);
		assert_int_equal(job.code, 0);
		loop_job_cancel(&job.job);
		loop_free(&trace.loop);
	}
}

static void cancelled_job_is_still_done_as_cancelled(void **state)
{
	(void)state;
	struct trace trace = { .loop = loop_new_fake() };
	struct traced_job job = { .trace = &trace };

	loop_job_start(trace.loop, &job.job, traced_job_work, traced_job_done);
	loop_job_cancel(&job.job);
	loop_fake_advance(trace.loop, 0);
	assert_string_equal(trace.text, "j");
	assert_int_equal(job.worked, 0);
	assert_int_equal(job.code, SYNCD_ECANCELLED);
	loop_free(&trace.loop);
}

static void cancelled_jobs_of_the_real_loop_are_each_done_once(void **state)
{
	(void)state;
	struct trace trace = { .loop = loop_new() };
	struct traced_job jobs[20];

	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i] = (struct traced_job){ .trace = &trace };
		loop_job_start(trace.loop, &jobs[i].job, traced_job_work, traced_job_done);
	}
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		loop_job_cancel(&jobs[i].job);
	loop_run(trace.loop);
	assert_int_equal(strlen(trace.text), ARRAY_LEN(jobs));
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(jobs[i].code == 0, jobs[i].worked == 1);
	loop_free(&trace.loop);
}

struct traced_child {
	struct loop_child child;
	int calls;
	int code;
	int status;
	size_t len;
	char output[LOOP_CHILD_OUTPUT_MAX];
};

static void traced_child_done(struct loop_child *child, int code, int status, const char *output,
			      size_t output_len)
{
	struct traced_child *c = container_of(child, struct traced_child, child);

	c->calls++;
	c->code = code;
	c->status = status;
	c->len = output_len;
	memcpy(c->output, output, output_len);
}

/* Runs `script` with sh, killing it after timeout_ms. */
static void child_run(struct traced_child *c, char *script, char *const env[], uint64_t timeout_ms,
		      bool cancels)
{
	struct loop *loop = loop_new();
	struct error err;
	char *argv[] = { (char *)"sh", (char *)"-c", script, NULL };

	*c = (struct traced_child){ 0 };
	assert_int_equal(
		loop_child_start(loop, &c->child, argv, env, timeout_ms, traced_child_done, &err),
		0);
	if (cancels)
		loop_child_cancel(&c->child);
	assert_int_equal(c->calls, 0);
	loop_run(loop);
	assert_int_equal(c->calls, 1);
	loop_free(&loop);
}

static void child_gives_output_and_exit_status(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"printf hello; exit 3", NULL, 0, false);
	assert_int_equal(c.code, 0);
	assert_int_equal(c.status, 3);
	assert_int_equal(c.len, 5);
	assert_memory_equal(c.output, "hello", 5);
}

static void child_killed_by_a_signal_has_status_128_and_more(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"kill -KILL $$", NULL, 0, false);
	assert_int_equal(c.code, 0);
	assert_int_equal(c.status, 128 + SIGKILL);
}

static void childs_environment_is_ours_with_the_given_in_front(void **state)
{
	static struct traced_child c;
	char *env[] = { (char *)"SYNCD_A=new", NULL };

	(void)state;
	assert_int_equal(setenv("SYNCD_A", "old", 1), 0);
	assert_int_equal(setenv("SYNCD_B", "kept", 1), 0);
	child_run(&c, (char *)"printf %s-%s \"$SYNCD_A\" \"$SYNCD_B\"", env, 0, false);
	assert_int_equal(c.len, 8);
	assert_memory_equal(c.output, "new-kept", 8);
}

static void childs_stdin_is_empty(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"cat; printf end", NULL, 0, false);
	assert_int_equal(c.len, 3);
}

static void child_deaf_to_sigterm_is_killed(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"trap '' TERM; echo ready; while :; do sleep 0.01; done", NULL, 100,
		  false);
	assert_int_equal(c.code, SYNCD_ETIMEOUT);
	assert_int_equal(c.status, 128 + SIGKILL);
}

static void childs_endless_output_is_cut_at_the_limit(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"head -c 200000 /dev/zero", NULL, 0, false);
	assert_int_equal(c.status, 0);
	assert_int_equal(c.len, LOOP_CHILD_OUTPUT_MAX);
}

static void child_past_its_time_is_killed_and_reported_as_timeout(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"exec sleep 60", NULL, 20, false);
	assert_int_equal(c.code, SYNCD_ETIMEOUT);
	assert_int_equal(c.status, 128 + SIGTERM);
}

static void cancelled_child_is_done_as_cancelled(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"exec sleep 60", NULL, 0, true);
	assert_int_equal(c.code, SYNCD_ECANCELLED);
}

static void grandchild_holding_the_pipe_does_not_delay_for_ever(void **state)
{
	static struct traced_child c;

	(void)state;
	child_run(&c, (char *)"sleep 5 & printf x", NULL, 0, false);
	assert_int_equal(c.code, 0);
	assert_int_equal(c.len, 1);
}

static void missing_command_fails_at_the_start_and_calls_nothing(void **state)
{
	struct traced_child c = { 0 };
	struct loop *loop = loop_new();
	struct error err;
	char *argv[] = { (char *)"/nonexistent/command", NULL };

	(void)state;
	assert_int_equal(loop_child_start(loop, &c.child, argv, NULL, 0, traced_child_done, &err),
			 SYNCD_ECONFIG);
	assert_non_null(strstr(err.text, "/nonexistent/command"));
	loop_run(loop);
	assert_int_equal(c.calls, 0);
	loop_free(&loop);
}

struct traced_signal {
	struct loop_signal sig;
	int signum;
};

static void traced_signal_came(struct loop_signal *sig, int signum)
{
	container_of(sig, struct traced_signal, sig)->signum = signum;
	loop_stop(sig->loop);
}

static void signal_arrives_and_does_not_keep_the_loop_alive(void **state)
{
	struct trace trace = { .loop = loop_new() };
	struct traced_signal s = { 0 };
	struct traced_timer guard = timer_at(&trace, 'x');
	struct error err;

	(void)state;
	assert_int_equal(loop_signal_start(trace.loop, &s.sig, SIGUSR1, traced_signal_came, &err),
			 0);
	loop_run(trace.loop);
	assert_int_equal(s.signum, 0);
	timer_arm(&guard, 5000);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	loop_run(trace.loop);
	assert_int_equal(s.signum, SIGUSR1);
	loop_timer_stop(&guard.timer);
	loop_signal_stop(&s.sig);
	loop_signal_stop(&s.sig);
	loop_free(&trace.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_time_then_of_start),
		cmocka_unit_test(stopped_timer_does_not_fire_and_a_moved_one_fires_later),
		cmocka_unit_test(fake_clock_stands_at_each_timers_own_time),
		cmocka_unit_test(fake_randomness_repeats),
		cmocka_unit_test(deferred_calls_come_later_once_and_in_order),
		cmocka_unit_test(stop_ends_run_with_timers_left),
		cmocka_unit_test(job_works_then_is_done_once),
		cmocka_unit_test(cancelled_job_is_still_done_as_cancelled),
		cmocka_unit_test(cancelled_jobs_of_the_real_loop_are_each_done_once),
		cmocka_unit_test(child_gives_output_and_exit_status),
		cmocka_unit_test(child_killed_by_a_signal_has_status_128_and_more),
		cmocka_unit_test(childs_environment_is_ours_with_the_given_in_front),
		cmocka_unit_test(childs_stdin_is_empty),
		cmocka_unit_test(child_deaf_to_sigterm_is_killed),
		cmocka_unit_test(childs_endless_output_is_cut_at_the_limit),
		cmocka_unit_test(child_past_its_time_is_killed_and_reported_as_timeout),
		cmocka_unit_test(cancelled_child_is_done_as_cancelled),
		cmocka_unit_test(grandchild_holding_the_pipe_does_not_delay_for_ever),
		cmocka_unit_test(missing_command_fails_at_the_start_and_calls_nothing),
		cmocka_unit_test(signal_arrives_and_does_not_keep_the_loop_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
