/* The control socket itself: bound, listening, closed.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_private.h"
#include "syncd/alloc.h"
#include "syncd/mkdirs.h"
#include "syncd/must.h"

#define LISTEN_BACKLOG 16

/* 0 when somebody listens at the path, else an errno value. */
static int try_connect(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		return errno;
	int rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	(void)close(fd);
	return rc;
}

/* The directory of the socket may be the state's, which nobody has made yet. */
static int make_parent(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	char *parent = xstrndup(path, (size_t)(slash - path));
	int code = mkdirs(parent, err);
	free(parent);
	return code;
}

/* Removes a socket file that nobody listens at. */
static int clear_path(const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, SYNCD_EIO,
				 "the socket's path %s is longer than %zu bytes; choose another "
				 "with -s",
				 path, sizeof(address.sun_path) - 1);
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "cannot examine", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, SYNCD_EIO, "%s is there and is not a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	int rc = try_connect(&address);
	if (rc == 0 || rc == EAGAIN)
		return error_set(err, SYNCD_EBUSY, "another syncd answers on %s", path);
	if (rc == ENOENT)
		return 0;
	if (rc != ECONNREFUSED)
		return error_set_errno(err, rc, "cannot connect to", path);
	return unlink(path) == 0 ? 0 : error_set_errno(err, errno, "cannot remove", path);
}

static void connection_waits(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;

	if (status == 0)
		client_accept(control);
}

static int server_listen(struct control *control, struct error *err)
{
	/* No moment in which others may connect. */
	mode_t mask = umask(0177);
	int rc = uv_pipe_bind(&control->listener, control->path);

	(void)umask(mask);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&control->listener, LISTEN_BACKLOG, connection_waits);
	if (rc != 0)
		return error_set(err, SYNCD_EIO, "cannot listen on %s: %s", control->path,
				 uv_strerror(rc));
	return 0;
}

static void control_free(struct control *control)
{
	free(control->path);
	free(control);
}

static void failed_listener_closed(uv_handle_t *handle)
{
	control_free(handle->data);
}

struct control *control_start(struct loop *loop, const char *path, struct control_user *user,
			      struct error *err)
{
	if (clear_path(path, err) != 0 || make_parent(path, err) != 0)
		return NULL;
	struct control *control = xcalloc(1, sizeof(*control));
	control->loop = loop;
	control->user = user;
	control->path = xstrdup(path);
	list_init(&control->clients);
	must(uv_pipe_init(loop_uv(loop), &control->listener, 0) == 0);
	control->listener.data = control;
	if (server_listen(control, err) != 0) {
		uv_close((uv_handle_t *)&control->listener, failed_listener_closed);
		return NULL;
	}
	control->open_handles = 1;
	return control;
}

void server_handle_closed(struct control *control)
{
	must(control->open_handles > 0);
	if (--control->open_handles > 0)
		return;
	void (*stopped)(struct control_user * user) = control->stopped;
	struct control_user *user = control->user;
	control_free(control);
	stopped(user);
}

static void listener_closed(uv_handle_t *handle)
{
	server_handle_closed(handle->data);
}

void control_stop(struct control *control, void (*stopped)(struct control_user *user))
{
	struct list *link;

	must(!control->is_stopping && control->owed == 0);
	control->is_stopping = true;
	control->stopped = stopped;
	/* libuv removes the socket's file. */
	uv_close((uv_handle_t *)&control->listener, listener_closed);
	while ((link = list_first(&control->clients)) != NULL)
		client_drop(container_of(link, struct control_client, link));
}

bool control_has_subscribers(const struct control *control)
{
	list_for_each(link, &control->clients)
	{
		if (container_of(link, struct control_client, link)->is_subscribed)
			return true;
	}
	return false;
}

void control_emit(struct control *control, const struct control_event *event)
{
	struct list *next;

	if (!control_has_subscribers(control))
		return;
	json_t *message = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "event",
				    "params", render_event(event));
	must(message != NULL);
	for (struct list *link = control->clients.next; link != &control->clients; link = next) {
		struct control_client *client = container_of(link, struct control_client, link);
		next = link->next; /* sending may drop the client */
		if (client->is_subscribed)
			client_send(client, json_incref(message));
	}
	json_decref(message);
}
