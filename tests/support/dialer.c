/* One connection of a test.
 * SPDX-License-Identifier: MIT */
#include "support/dialer.h"

#include "syncd/must.h"

#define GUARD_MS 5000 /* a test that waits longer hangs */

static void dialer_check(struct dialer *dialer)
{
	if (dialer->is_enough != NULL && dialer->is_enough(dialer))
		loop_stop(dialer->loop);
}

static void dialer_sink_event(struct stream_sink *sink)
{
	dialer_check(sink->context);
}

static void dialer_hangs(struct loop_timer *timer)
{
	(void)timer;
	must_fail("the test's event came in time", __FILE__, __LINE__);
}

static void dialer_run(struct dialer *dialer, bool (*is_enough)(const struct dialer *dialer))
{
	dialer->is_enough = is_enough;
	if (is_enough(dialer))
		return;
	loop_timer_start(&dialer->guard, GUARD_MS);
	loop_run(dialer->loop);
	loop_timer_stop(&dialer->guard);
	dialer->is_enough = NULL;
}

static void dialer_ended(struct dialer *dialer, struct stream *stream, const struct error *err)
{
	dialer->done_calls++;
	must((stream == NULL) == (err != NULL));
	if (err != NULL)
		dialer->err = *err;
	if (stream != NULL) {
		buf_free(&dialer->sink.data);
		stream_sink_init(&dialer->sink, stream);
		dialer->sink.on_event = dialer_sink_event;
		dialer->sink.context = dialer;
	}
	dialer_check(dialer);
}

static void dialer_dialled(struct net_dial *dial, struct stream *stream, const struct error *err)
{
	dialer_ended(container_of(dial, struct dialer, dial), stream, err);
}

static void dialer_secured(struct net_starttls *req, struct stream *stream, const struct error *err)
{
	dialer_ended(container_of(req, struct dialer, starttls), stream, err);
}

void dialer_start(struct dialer *dialer, struct loop *loop, struct net_context *context)
{
	*dialer = (struct dialer){ .loop = loop, .context = context };
	buf_init(&dialer->sink.data, STREAM_SINK_MAX);
	loop_timer_init(loop, &dialer->guard, dialer_hangs);
	net_dial_start(context, &dialer->dial, dialer_dialled);
	must(dialer->done_calls == 0);
}

static bool is_done(const struct dialer *dialer)
{
	return dialer->done_calls > 0;
}

int dialer_wait_done(struct dialer *dialer)
{
	dialer_run(dialer, is_done);
	return dialer->err.code;
}

int dialer_open(struct dialer *dialer, struct loop *loop, struct net_context *context)
{
	dialer_start(dialer, loop, context);
	return dialer_wait_done(dialer);
}

int dialer_starttls(struct dialer *dialer, size_t unread)
{
	struct stream *plain = dialer->sink.stream;

	dialer->done_calls = 0;
	dialer->sink.stream = NULL;
	net_starttls_start(dialer->context, &dialer->starttls, plain, unread, dialer_secured);
	must(dialer->done_calls == 0);
	return dialer_wait_done(dialer);
}

static bool has_data(const struct dialer *dialer)
{
	return dialer->sink.data.len >= dialer->wanted || dialer->sink.broken_calls > 0;
}

void dialer_wait_data(struct dialer *dialer, size_t len)
{
	dialer->wanted = len;
	stream_read_start(dialer->sink.stream);
	dialer_run(dialer, has_data);
}

static bool is_broken(const struct dialer *dialer)
{
	return dialer->sink.broken_calls > 0;
}

void dialer_wait_broken(struct dialer *dialer)
{
	dialer_run(dialer, is_broken);
}

static bool is_drained(const struct dialer *dialer)
{
	return dialer->sink.drained_calls > 0;
}

void dialer_wait_drained(struct dialer *dialer)
{
	dialer_run(dialer, is_drained);
}

static void idle_over(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

void dialer_idle(struct dialer *dialer, uint64_t ms)
{
	struct loop_timer timer;

	loop_timer_init(dialer->loop, &timer, idle_over);
	loop_timer_start(&timer, ms);
	loop_run(dialer->loop);
	loop_timer_stop(&timer);
}

void dialer_close(struct dialer *dialer)
{
	bool has_stream = dialer->sink.stream != NULL;

	if (has_stream)
		stream_close(dialer->sink.stream);
	must(dialer->sink.closed_calls == 0);
	loop_run(dialer->loop);
	must(dialer->done_calls == 1);
	must(dialer->sink.closed_calls == (has_stream ? 1 : 0));
	must(dialer->sink.broken_calls <= 1);
	buf_free(&dialer->sink.data);
}
