/* Children: commands whose standard output is gathered and whose end is told.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "syncd/alloc.h"
#include "syncd/loop.h"
#include "syncd/must.h"
#include "syncd/secret.h"

#define CHILD_KILL_AFTER_MS 1000 /* from SIGTERM to SIGKILL */
#define CHILD_DRAIN_MS 100       /* after its exit, while a grandchild holds the pipe open */
#define CHILD_DISCARD_SIZE 4096

enum child_state {
	CHILD_RUNNING,
	CHILD_TERMINATING, /* SIGTERM was sent */
	CHILD_EXITED,      /* the pipe may still hold output */
	CHILD_CLOSING,     /* the handles are being closed */
};

struct child_impl {
	uv_process_t process;
	uv_pipe_t pipe;
	struct loop_timer timer; /* by state: timeout, time to kill, time to drain */
	struct loop_child *child;
	enum child_state state;
	bool is_output_over;
	int handles_open;
	int code;
	int status;
	size_t output_len;
	char output[LOOP_CHILD_OUTPUT_MAX];
	char discard[CHILD_DISCARD_SIZE]; /* output beyond the limit */
};

extern char **environ;

static void child_free(struct child_impl *impl)
{
	secret_wipe(impl->output, sizeof(impl->output));
	secret_wipe(impl->discard, sizeof(impl->discard));
	free(impl);
}

static void child_handle_closed(uv_handle_t *handle)
{
	struct child_impl *impl = handle->data;
	struct loop_child *child = impl->child;

	if (--impl->handles_open > 0)
		return;
	if (child != NULL) { /* NULL: it never started */
		child->impl = NULL;
		child->done(child, impl->code, impl->status, impl->output, impl->output_len);
	}
	child_free(impl);
}

static void child_close(struct child_impl *impl)
{
	impl->state = CHILD_CLOSING;
	loop_timer_stop(&impl->timer);
	uv_close((uv_handle_t *)&impl->process, child_handle_closed);
	uv_close((uv_handle_t *)&impl->pipe, child_handle_closed);
}

static void child_exited(uv_process_t *process, int64_t exit_status, int term_signal)
{
	struct child_impl *impl = container_of(process, struct child_impl, process);

	impl->status = term_signal != 0 ? 128 + term_signal : (int)exit_status;
	impl->state = CHILD_EXITED;
	if (impl->is_output_over || impl->code != 0)
		child_close(impl);
	else
		loop_timer_start(&impl->timer, CHILD_DRAIN_MS);
}

static void child_kill(struct child_impl *impl, int code)
{
	impl->code = code;
	impl->state = CHILD_TERMINATING;
	(void)uv_process_kill(&impl->process, SIGTERM);
	loop_timer_start(&impl->timer, CHILD_KILL_AFTER_MS);
}

static void child_timer_fired(struct loop_timer *timer)
{
	struct child_impl *impl = container_of(timer, struct child_impl, timer);

	switch (impl->state) {
	case CHILD_RUNNING:
		child_kill(impl, SYNCD_ETIMEOUT);
		break;
	case CHILD_TERMINATING:
		(void)uv_process_kill(&impl->process, SIGKILL);
		break;
	case CHILD_EXITED:
		child_close(impl);
		break;
	case CHILD_CLOSING:
		must_fail("no timer while closing", __FILE__, __LINE__);
	}
}

static void child_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct child_impl *impl = handle->data;
	size_t room = sizeof(impl->output) - impl->output_len;

	(void)suggested;
	if (room > 0)
		*buf = uv_buf_init(impl->output + impl->output_len, (unsigned int)room);
	else
		*buf = uv_buf_init(impl->discard, sizeof(impl->discard));
}

static void child_output(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct child_impl *impl = stream->data;

	if (len >= 0) {
		if (buf->base != impl->discard)
			impl->output_len += (size_t)len;
		return;
	}
	impl->is_output_over = true;
	(void)uv_read_stop(stream);
	if (impl->state == CHILD_EXITED)
		child_close(impl);
}

static size_t name_len(const char *assignment)
{
	return strcspn(assignment, "=");
}

static bool env_overrides(char *const *env, const char *ours)
{
	size_t len = name_len(ours);

	for (; *env != NULL; env++) {
		if (name_len(*env) == len && memcmp(*env, ours, len) == 0)
			return true;
	}
	return false;
}

/* Our environment with `env` in front of it; only the array is allocated. */
static char **env_merge(char *const *env)
{
	size_t count = 0;
	size_t cap = 0;
	char **merged = NULL;

	for (char *const *p = env; *p != NULL; p++) {
		merged = xgrow(merged, count, &cap, sizeof(*merged));
		merged[count++] = *p;
	}
	for (char **p = environ; *p != NULL; p++) {
		if (env_overrides(env, *p))
			continue;
		merged = xgrow(merged, count, &cap, sizeof(*merged));
		merged[count++] = *p;
	}
	merged = xgrow(merged, count, &cap, sizeof(*merged));
	merged[count] = NULL;
	return merged;
}

static int child_spawn(struct child_impl *impl, uv_loop_t *uv, char *const argv[],
		       char *const env[])
{
	char **merged = env != NULL ? env_merge(env) : NULL;
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
	};
	stdio[1].data.stream = (uv_stream_t *)&impl->pipe;
	uv_process_options_t options = {
		.exit_cb = child_exited,
		.file = argv[0],
		.args = (char **)argv,
		.env = merged,
		.stdio_count = 3,
		.stdio = stdio,
	};
	int rc = uv_spawn(uv, &impl->process, &options);

	free(merged);
	return rc;
}

int loop_child_start(struct loop *loop, struct loop_child *child, char *const argv[],
		     char *const env[], uint64_t timeout_ms, loop_child_done done,
		     struct error *err)
{
	uv_loop_t *uv = loop_uv(loop);
	struct child_impl *impl = xcalloc(1, sizeof(*impl));

	must(uv != NULL);
	*child = (struct loop_child){ .loop = loop, .done = done };
	loop_timer_init(loop, &impl->timer, child_timer_fired);
	must(uv_pipe_init(uv, &impl->pipe, 0) == 0);
	int rc = child_spawn(impl, uv, argv, env);
	impl->process.data = impl;
	impl->pipe.data = impl;
	impl->handles_open = 2;
	if (rc != 0) {
		child_close(impl);
		bool is_config = rc == UV_ENOENT || rc == UV_EACCES;
		return error_set(err, is_config ? SYNCD_ECONFIG : SYNCD_EIO, "cannot run %s: %s",
				 argv[0], uv_strerror(rc));
	}
	impl->child = child;
	child->impl = impl;
	must(uv_read_start((uv_stream_t *)&impl->pipe, child_alloc, child_output) == 0);
	if (timeout_ms > 0)
		loop_timer_start(&impl->timer, timeout_ms);
	return 0;
}

void loop_child_cancel(struct loop_child *child)
{
	struct child_impl *impl = child->impl;

	if (impl == NULL)
		return;
	switch (impl->state) {
	case CHILD_RUNNING:
		child_kill(impl, SYNCD_ECANCELLED);
		break;
	case CHILD_TERMINATING:
	case CHILD_CLOSING:
		impl->code = SYNCD_ECANCELLED;
		break;
	case CHILD_EXITED:
		impl->code = SYNCD_ECANCELLED;
		child_close(impl);
		break;
	}
}
