/* Compares two clocks, when the kernel tells of a resume and now and then.
 * SPDX-License-Identifier: MIT */
#include "syncd/wakeup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#ifdef __linux__
#include <sys/timerfd.h>
#endif

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"
#include "wakeup_private.h"

#define SLEEP_MIN_MS 5000 /* a shorter sleep breaks nothing */
#define JUMP_MIN_MS 30000 /* of the wall clock, which is also set by hand and by NTP */

int64_t wakeup_slept_s(struct wakeup_clocks before, struct wakeup_clocks now, int64_t threshold_ms)
{
	int64_t slept_ms = (now.passed_ms - before.passed_ms) - (now.awake_ms - before.awake_ms);

	return slept_ms >= threshold_ms ? slept_ms / 1000 : 0;
}

static void wakeup_compare(struct wakeup *wakeup)
{
	struct wakeup_clocks now = wakeup->read(wakeup->loop);
	int64_t slept_s = wakeup_slept_s(wakeup->last, now, wakeup->threshold_ms);

	wakeup->last = now;
	if (slept_s > 0)
		wakeup->cb(wakeup, slept_s);
}

static void wakeup_timer_fired(struct loop_timer *timer)
{
	struct wakeup *wakeup = container_of(timer, struct wakeup, timer);

	loop_timer_start(timer, WAKEUP_CHECK_MS);
	wakeup_compare(wakeup);
}

static void wakeup_init(struct loop *loop, struct wakeup *wakeup, wakeup_read read,
			int64_t threshold_ms, wakeup_cb cb)
{
	*wakeup = (struct wakeup){
		.loop = loop, .cb = cb, .read = read, .threshold_ms = threshold_ms
	};
	loop_timer_init(loop, &wakeup->timer, wakeup_timer_fired);
	wakeup->last = read(loop);
}

void wakeup_start_with(struct loop *loop, struct wakeup *wakeup, wakeup_read read,
		       int64_t threshold_ms, wakeup_cb cb)
{
	wakeup_init(loop, wakeup, read, threshold_ms, cb);
	loop_timer_start(&wakeup->timer, WAKEUP_CHECK_MS);
}

#ifdef __linux__
struct wakeup_impl {
	uv_poll_t poll;
	int fd;
	struct wakeup *wakeup;
};

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	must(clock_gettime(clock, &now) == 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct wakeup_clocks read_boot(const struct loop *loop)
{
	(void)loop;
	return (struct wakeup_clocks){ clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_BOOTTIME) };
}

/* The wall clock jumps on a resume, and TFD_TIMER_CANCEL_ON_SET ends the timer then; its own time
 * is only for the case that this fails. */
static bool timer_arm(int fd)
{
	struct itimerspec at = { 0 };

	if (clock_gettime(CLOCK_REALTIME, &at.it_value) != 0)
		return false;
	at.it_value.tv_sec += WAKEUP_CHECK_TOLD_MS / 1000u;
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) == 0;
}

static void timer_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct wakeup_impl, poll));
}

static void timer_close(struct wakeup_impl *impl)
{
	(void)uv_poll_stop(&impl->poll);
	(void)close(impl->fd);
	uv_close((uv_handle_t *)&impl->poll, timer_closed);
}

static void timer_ready(uv_poll_t *poll, int status, int events)
{
	struct wakeup_impl *impl = container_of(poll, struct wakeup_impl, poll);
	struct wakeup *wakeup = impl->wakeup;
	uint64_t count;

	(void)events;
	/* ECANCELED says that the clock was set; arming anew takes that up as well. */
	bool is_read = read(impl->fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ||
		       errno == ECANCELED || errno == EAGAIN;
	if (status < 0 || !is_read || !timer_arm(impl->fd)) {
		log_debug(NULL, "suspends are noticed by the clock alone from now on");
		wakeup->impl = NULL;
		timer_close(impl);
		loop_timer_start(&wakeup->timer, WAKEUP_CHECK_MS);
	}
	wakeup_compare(wakeup);
}

static bool timer_open(struct wakeup *wakeup)
{
	struct uv_loop_s *uv = loop_uv(wakeup->loop);
	int fd = uv != NULL ? timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC) : -1;

	if (fd < 0 || !timer_arm(fd)) {
		log_debug(NULL, "suspends are noticed by the clock alone: %s",
			  uv != NULL ? strerror(errno) : "no real loop");
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	struct wakeup_impl *impl = xcalloc(1, sizeof(*impl));
	impl->fd = fd;
	impl->wakeup = wakeup;
	must(uv_poll_init(uv, &impl->poll, fd) == 0);
	must(uv_poll_start(&impl->poll, UV_READABLE, timer_ready) == 0);
	wakeup->impl = impl;
	return true;
}

void wakeup_start(struct loop *loop, struct wakeup *wakeup, wakeup_cb cb)
{
	wakeup_init(loop, wakeup, read_boot, SLEEP_MIN_MS, cb);
	if (!timer_open(wakeup))
		loop_timer_start(&wakeup->timer, WAKEUP_CHECK_MS);
}

static void wakeup_close(struct wakeup *wakeup)
{
	if (wakeup->impl != NULL)
		timer_close(wakeup->impl);
	wakeup->impl = NULL;
}
#else
static struct wakeup_clocks read_wall(const struct loop *loop)
{
	return (struct wakeup_clocks){ (int64_t)loop_now_ms(loop), loop_wall_s(loop) * 1000 };
}

void wakeup_start(struct loop *loop, struct wakeup *wakeup, wakeup_cb cb)
{
	wakeup_start_with(loop, wakeup, read_wall, JUMP_MIN_MS, cb);
}

static void wakeup_close(struct wakeup *wakeup)
{
	(void)wakeup;
}
#endif

void wakeup_stop(struct wakeup *wakeup)
{
	if (wakeup->loop == NULL)
		return;
	loop_timer_stop(&wakeup->timer);
	wakeup_close(wakeup);
	wakeup->loop = NULL;
}
