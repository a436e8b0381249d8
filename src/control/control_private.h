/* What the files of the control socket share.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CONTROL_PRIVATE_H
#define SYNCD_CONTROL_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "syncd/buf.h"
#include "syncd/control.h"
#include "syncd/list.h"

#define CLIENT_REPLIES_MAX 64 /* answers owed to one client at once */

struct control {
	struct loop *loop;
	struct control_user *user;
	char *path;
	uv_pipe_t listener;
	struct list clients;
	size_t client_count;
	size_t open_handles; /* the listener's and the clients', until closed */
	size_t owed;         /* replies not answered, their clients there or not */
	bool is_stopping;
	void (*stopped)(struct control_user *user);
	char read_buf[65536]; /* what libuv reads into; taken over at once */
};

struct control_client {
	struct control *control;
	struct list link;
	uv_pipe_t pipe;
	struct buf input;    /* a request line, as far as it has come */
	struct list replies; /* owed */
	size_t reply_count;
	size_t waiting; /* bytes that the kernel has not taken */
	bool is_subscribed;
	bool is_skipping; /* the rest of a line that was too long */
	bool is_input_over;
	bool is_closing;
};

struct control_reply {
	struct control *control;
	struct control_client *client; /* NULL: it has left */
	struct list link;
	json_t *id; /* NULL: a notification, nothing is to be sent */
};

/* --- client.c: bytes of one client --------------------------------------------- */

/* Takes a connection that waits at the listener. */
void client_accept(struct control *control);

/* Sends a JSON value as one line; a client that does not read is dropped. Takes `message`. */
void client_send(struct control_client *client, json_t *message);

/* Closes it when it has said all it will and has been answered. */
void client_end_if_done(struct control_client *client);

/* Closes it now; its replies stay owed, to nobody. */
void client_drop(struct control_client *client);

/* --- request.c: one line ------------------------------------------------------------ */

void request_handle(struct control_client *client, struct slice line);

/* The line was longer than CONTROL_REQUEST_MAX. */
void request_too_long(struct control_client *client);

/* --- render.c: our structs as JSON ---------------------------------------------------- */

json_t *render_status(const struct control_status *status);
json_t *render_sync(const struct control_sync_result *result);
json_t *render_event(const struct control_event *event);

/* A string whatever its bytes are: what is not UTF-8 becomes '?'. */
json_t *render_text(const char *text);

/* {"code", "message"}, or null when there is none. */
json_t *render_error(const struct error *err);

/* --- status.c, reply.c, server.c, peer.c --------------------------------------------- */

void status_free(struct control_status *status);

/* A new answer owed to the client. Takes `id`. */
struct control_reply *reply_new(struct control_client *client, json_t *id);

/* Answers with a result (taken), or a JSON-RPC error of its own. */
void reply_result(struct control_reply *reply, json_t *result);
void reply_fault(struct control_reply *reply, int code, const char *message);

/* One handle is closed; the last one ends a control that stops. */
void server_handle_closed(struct control *control);

/* The user at the other end of a UNIX socket; false when the kernel does not say. */
bool peer_uid(int fd, uid_t *uid);

#endif
