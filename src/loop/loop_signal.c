/* Signals as events of the loop.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <uv.h>

#include "syncd/alloc.h"
#include "syncd/loop.h"
#include "syncd/must.h"

struct signal_impl {
	uv_signal_t handle;
	struct loop_signal *sig;
};

static void signal_arrived(uv_signal_t *handle, int signum)
{
	struct signal_impl *impl = container_of(handle, struct signal_impl, handle);

	impl->sig->cb(impl->sig, signum);
}

static void signal_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct signal_impl, handle));
}

int loop_signal_start(struct loop *loop, struct loop_signal *sig, int signum, loop_signal_cb cb,
		      struct error *err)
{
	struct signal_impl *impl = xcalloc(1, sizeof(*impl));

	must(loop_uv(loop) != NULL);
	*sig = (struct loop_signal){ .loop = loop, .cb = cb };
	must(uv_signal_init(loop_uv(loop), &impl->handle) == 0);
	int rc = uv_signal_start(&impl->handle, signal_arrived, signum);
	if (rc != 0) {
		uv_close((uv_handle_t *)&impl->handle, signal_closed);
		return error_set(err, SYNCD_EBUG, "cannot watch for signal %d: %s", signum,
				 uv_strerror(rc));
	}
	uv_unref((uv_handle_t *)&impl->handle);
	impl->sig = sig;
	sig->impl = impl;
	return 0;
}

void loop_signal_stop(struct loop_signal *sig)
{
	struct signal_impl *impl = sig->impl;

	if (impl == NULL)
		return;
	sig->impl = NULL;
	uv_close((uv_handle_t *)&impl->handle, signal_closed);
}
