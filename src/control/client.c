/* The bytes of one client: lines in, lines out, never waited for.
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

struct client_write {
	uv_write_t req;
	struct control_client *client;
	size_t len;
	char data[];
};

static struct control_client *client_of(void *handle)
{
	return ((uv_handle_t *)handle)->data;
}

static void client_closed(uv_handle_t *handle)
{
	struct control_client *client = client_of(handle);
	struct control *control = client->control;

	must(list_is_empty(&client->replies));
	buf_free(&client->input);
	free(client);
	server_handle_closed(control);
}

void client_drop(struct control_client *client)
{
	struct list *link;

	if (client->is_closing)
		return;
	client->is_closing = true;
	client->control->client_count--;
	list_remove(&client->link);
	while ((link = list_first(&client->replies)) != NULL) {
		list_remove(link);
		container_of(link, struct control_reply, link)->client = NULL;
	}
	uv_close((uv_handle_t *)&client->pipe, client_closed);
}

void client_end_if_done(struct control_client *client)
{
	if (client->is_input_over && client->waiting == 0 && client->reply_count == 0 &&
	    !client->is_subscribed)
		client_drop(client);
}

/* A UNIX socket whose other end is closed, not only shut for sending: nothing reaches it. */
static bool client_is_gone(const struct control_client *client)
{
	struct pollfd end = { .fd = -1 };

	return uv_fileno((const uv_handle_t *)&client->pipe, &end.fd) == 0 &&
	       poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0;
}

/* --- Output ------------------------------------------------------------------------ */

static void client_written(uv_write_t *req, int status)
{
	struct client_write *write = container_of(req, struct client_write, req);
	struct control_client *client = write->client;

	client->waiting -= write->len;
	free(write);
	if (status != 0)
		client_drop(client);
	else
		client_end_if_done(client);
}

static void client_queue(struct control_client *client, const char *data, size_t len)
{
	struct client_write *write = xmalloc(sizeof(*write) + len);

	write->client = client;
	write->len = len;
	memcpy(write->data, data, len);
	uv_buf_t buf = uv_buf_init(write->data, (unsigned)len);
	client->waiting += len;
	if (uv_write(&write->req, (uv_stream_t *)&client->pipe, &buf, 1, client_written) != 0) {
		client->waiting -= len;
		free(write);
		client_drop(client);
	}
}

/* Hands to the kernel what it takes at once; the rest waits. */
static void client_write(struct control_client *client, char *data, size_t len)
{
	size_t sent = 0;

	if (client->waiting == 0) {
		uv_buf_t buf = uv_buf_init(data, (unsigned)len);
		int rc = uv_try_write((uv_stream_t *)&client->pipe, &buf, 1);
		if (rc < 0 && rc != UV_EAGAIN) {
			client_drop(client);
			return;
		}
		sent = rc > 0 ? (size_t)rc : 0;
	} else if (client->waiting + len > CONTROL_OUTPUT_MAX) {
		log_warn(NULL, "a control client does not read what it asked for: dropped");
		client_drop(client);
		return;
	}
	if (sent < len)
		client_queue(client, data + sent, len - sent);
	else
		client_end_if_done(client);
}

void client_send(struct control_client *client, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);

	must(text != NULL);
	json_decref(message);
	size_t len = strlen(text);
	text[len] = '\n'; /* in the place of the NUL */
	if (!client->is_closing)
		client_write(client, text, len + 1);
	free(text);
}

/* --- Input --------------------------------------------------------------------------- */

static void client_take_line(struct control_client *client)
{
	if (client->is_skipping)
		client->is_skipping = false;
	else
		request_handle(client, buf_slice(&client->input));
	buf_reset(&client->input);
}

/* Bytes of a line that is not over yet, or its last ones. */
static void client_take_part(struct control_client *client, const char *data, size_t len)
{
	if (client->is_skipping)
		return;
	if (buf_add(&client->input, data, len) != 0) {
		client->is_skipping = true;
		buf_reset(&client->input);
		request_too_long(client);
	}
}

static void client_take(struct control_client *client, const char *data, size_t len)
{
	while (len > 0 && !client->is_closing) {
		const char *newline = memchr(data, '\n', len);
		size_t part = newline != NULL ? (size_t)(newline - data) : len;
		client_take_part(client, data, part);
		if (newline != NULL && !client->is_closing)
			client_take_line(client);
		part += newline != NULL ? 1 : 0;
		data += part;
		len -= part;
	}
}

static void client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct control *control = client_of(handle)->control;

	(void)suggested;
	*buf = uv_buf_init(control->read_buf, sizeof(control->read_buf));
}

static void client_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct control_client *client = client_of(stream);

	if (len > 0) {
		client_take(client, buf->base, (size_t)len);
	} else if (len == UV_EOF && !client_is_gone(client)) {
		/* Half-closed: it may wait for answers still. */
		(void)uv_read_stop(stream);
		client->is_input_over = true;
		client_end_if_done(client);
	} else if (len < 0) {
		client_drop(client);
	}
}

/* --- Arrival --------------------------------------------------------------------------- */

/* Those that had shut their end for sending, and left since: nobody has told us. */
static void drop_gone(struct control *control)
{
	struct list *next;

	for (struct list *link = control->clients.next; link != &control->clients; link = next) {
		struct control_client *client = container_of(link, struct control_client, link);
		next = link->next;
		if (client->is_input_over && client_is_gone(client))
			client_drop(client);
	}
}

static bool client_is_welcome(const struct control_client *client)
{
	uv_os_fd_t fd;
	uid_t uid;

	if (uv_fileno((const uv_handle_t *)&client->pipe, &fd) != 0 || !peer_uid(fd, &uid)) {
		log_warn(NULL, "a control client cannot be identified: refused");
		return false;
	}
	if (uid != geteuid() && uid != 0) {
		log_warn(NULL, "a control client of user %ld: refused", (long)uid);
		return false;
	}
	if (client->control->client_count > CONTROL_CLIENTS_MAX)
		drop_gone(client->control);
	if (client->control->client_count > CONTROL_CLIENTS_MAX) {
		log_warn(NULL, "more than %d control clients: refused", CONTROL_CLIENTS_MAX);
		return false;
	}
	return true;
}

void client_accept(struct control *control)
{
	struct control_client *client = xcalloc(1, sizeof(*client));

	client->control = control;
	buf_init(&client->input, CONTROL_REQUEST_MAX);
	list_init(&client->replies);
	list_append(&control->clients, &client->link);
	control->client_count++;
	control->open_handles++;
	must(uv_pipe_init(loop_uv(control->loop), &client->pipe, 0) == 0);
	client->pipe.data = client;
	if (uv_accept((uv_stream_t *)&control->listener, (uv_stream_t *)&client->pipe) != 0 ||
	    !client_is_welcome(client) ||
	    uv_read_start((uv_stream_t *)&client->pipe, client_alloc, client_read) != 0)
		client_drop(client);
}
