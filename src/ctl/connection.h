/* The client's end of the control socket: requests out, lines in, blocking.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CTL_CONNECTION_H
#define SYNCD_CTL_CONNECTION_H

#include <jansson.h>

#include "syncd/buf.h"
#include "syncd/error.h"

#define CONNECTION_LINE_MAX (64 * 1024 * 1024) /* bytes of one answer */

struct connection {
	int fd;
	struct buf input;
};

/* SYNCD_EBUSY (exit status 75) when no daemon answers. */
int connection_open(struct connection *connection, const char *path, struct error *err);
void connection_close(struct connection *connection);

/* Sends {"jsonrpc", "id", "method", "params"}. Takes `params` (NULL: none). */
int connection_request(struct connection *connection, int id, const char *method, json_t *params,
		       struct error *err);

/* The next message from the daemon, owned by the caller. */
int connection_read(struct connection *connection, json_t **message, struct error *err);

#endif
