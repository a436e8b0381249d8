/* The event loop: time, timers, deferred calls, pool jobs, children, signals.
 * Two kinds behind one type: the real one over libuv, and a fake one with a
 * clock that tests move by hand. Sessions and adapters see only this header.
 *
 * The contract of everything that completes later: it never calls back before
 * the call that started it has returned; exactly once; a start that returned
 * an error never calls back; cancelled still completes, as SYNCD_ECANCELLED.
 * Requests are caller-owned structs embedded in the caller's own, found again
 * with container_of; they must stay alive and in place until they completed.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_LOOP_H
#define SYNCD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "syncd/error.h"
#include "syncd/list.h"

struct loop;
struct uv_loop_s;

/* The real loop. loop_new makes the process ignore SIGPIPE. loop_free requires that
 * everything started on it is over (always-on invariant: an empty loop); *loop
 * becomes NULL. */
struct loop *loop_new(void);
void loop_free(struct loop **loop);

/* A loop whose clock stands still until loop_fake_advance. It has timers,
 * deferred calls and pool jobs (run inline at the next turn), no sockets,
 * children or signals. */
struct loop *loop_new_fake(void);

/* Moves the fake clock by `ms`, running what becomes due in order, each timer
 * at its own time. Runs deferred calls even for 0 ms. */
void loop_fake_advance(struct loop *loop, uint64_t ms);

/* Runs until loop_stop, or until nothing is left to wait for. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Monotonic milliseconds; and wall-clock seconds since 1970. The fake loop
 * starts both at fixed values and moves them together. */
uint64_t loop_now_ms(const struct loop *loop);
int64_t loop_wall_s(const struct loop *loop);

/* libuv's loop, for net and watch only; NULL on a fake loop. */
struct uv_loop_s *loop_uv(struct loop *loop);

/* Uniformly random bits; the fake loop's are seeded and repeatable. */
uint64_t loop_random(struct loop *loop);

/* --- Timers (one shot) --------------------------------------------------- */

struct loop_timer;
typedef void (*loop_timer_cb)(struct loop_timer *timer);

struct loop_timer {
	struct loop *loop;
	loop_timer_cb cb;
	uint64_t due_ms;
	struct list link; /* while armed */
};

/* Makes the timer known, unarmed. Must come first. */
void loop_timer_init(struct loop *loop, struct loop_timer *timer, loop_timer_cb cb);

/* Arms it `delay_ms` from now; armed already, it is moved. */
void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms);

/* Disarms; no callback follows. Harmless when unarmed: no completion is owed,
 * a timer is not a request. */
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_armed(const struct loop_timer *timer);

/* --- Deferred calls ------------------------------------------------------ */

struct loop_defer;
typedef void (*loop_defer_cb)(struct loop_defer *defer);

/* Zero-initialised is unarmed. */
struct loop_defer {
	loop_defer_cb cb;
	struct list link;
	bool is_armed;
};

/* Calls `cb` in the loop's next turn, in the order of the calls. Armed
 * already, nothing changes. */
void loop_defer(struct loop *loop, struct loop_defer *defer, loop_defer_cb cb);
void loop_defer_cancel(struct loop_defer *defer);

/* --- Pool jobs ------------------------------------------------------------ */

struct loop_job;
/* In a pool thread: touches only the job's own data. */
typedef void (*loop_job_work)(struct loop_job *job);
/* `code` is 0, or SYNCD_ECANCELLED: it never ran. */
typedef void (*loop_job_done)(struct loop_job *job, int code);

struct loop_job {
	loop_job_work work;
	loop_job_done done;
	struct loop *loop;
	void *impl; /* the loop's */
};

/* Runs `work` in the pool, then `done` in the loop. */
void loop_job_start(struct loop *loop, struct loop_job *job, loop_job_work work,
		    loop_job_done done);

/* Asks for a job not yet begun to be dropped; `done` follows in any case. Harmless
 * on a job that is over, or zero-initialised and never started. */
void loop_job_cancel(struct loop_job *job);

/* --- Children -------------------------------------------------------------- */

#define LOOP_CHILD_OUTPUT_MAX 65536 /* bytes kept of a child's standard output */

struct loop_child;
/* `status` is the exit status, or 128 + signal. `output` is what it wrote to
 * stdout (wiped after the call: it may be a password), valid during the call. */
typedef void (*loop_child_done)(struct loop_child *child, int code, int status, const char *output,
				size_t output_len);

struct loop_child {
	struct loop *loop;
	loop_child_done done;
	void *impl; /* the loop's */
};

/* Runs argv[0] with `argv` (NULL-terminated) and, in addition to our own
 * environment, `env` (NULL-terminated "NAME=value" strings, may be NULL).
 * stdin is /dev/null, stderr is ours. Killed (SIGTERM, then SIGKILL) and
 * completed with SYNCD_ETIMEOUT after `timeout_ms`, 0 for none. Returns 0, or
 * an error when it could not be started. Strings are copied. */
int loop_child_start(struct loop *loop, struct loop_child *child, char *const argv[],
		     char *const env[], uint64_t timeout_ms, loop_child_done done,
		     struct error *err);
/* Kills it; `done` follows with SYNCD_ECANCELLED. Harmless when it is over. */
void loop_child_cancel(struct loop_child *child);

/* --- Signals ---------------------------------------------------------------- */

struct loop_signal;
typedef void (*loop_signal_cb)(struct loop_signal *sig, int signum);
struct loop_signal {
	struct loop *loop;
	loop_signal_cb cb;
	void *impl; /* the loop's */
};

/* Calls `cb` for each delivery until loop_signal_stop. A signal handle does not
 * keep loop_run alive. */
int loop_signal_start(struct loop *loop, struct loop_signal *sig, int signum, loop_signal_cb cb,
		      struct error *err);
void loop_signal_stop(struct loop_signal *sig);

#endif
