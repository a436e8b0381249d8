/* The client's end of the control socket.
 * SPDX-License-Identifier: MIT */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "syncd/must.h"

#define READ_SIZE 65536

int connection_open(struct connection *connection, const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	buf_init(&connection->input, CONNECTION_LINE_MAX);
	connection->fd = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, SYNCD_EUSAGE, "the socket's path %s is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	connection->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connection->fd < 0)
		return error_set_errno(err, errno, "cannot make a socket for", path);
	if (connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return error_set(err, SYNCD_EBUSY, "no syncd is running: nothing answers on %s",
				 path);
	return error_set(err, SYNCD_EBUSY, "cannot connect to %s: %s", path, strerror(errno));
}

void connection_close(struct connection *connection)
{
	if (connection->fd >= 0)
		(void)close(connection->fd);
	connection->fd = -1;
	buf_free(&connection->input);
}

static int connection_cut(struct error *err)
{
	return error_set(err, SYNCD_ENET, "syncd ended the connection before it answered");
}

static int send_all(int fd, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return connection_cut(err);
		data += sent;
		len -= (size_t)sent;
	}
	return 0;
}

int connection_request(struct connection *connection, int id, const char *method, json_t *params,
		       struct error *err)
{
	json_t *request =
		json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", id, "method", method);

	must(request != NULL);
	if (params != NULL)
		must(json_object_set_new(request, "params", params) == 0);
	char *text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	must(text != NULL);
	size_t len = strlen(text);
	text[len] = '\n'; /* in the place of the NUL */
	int code = send_all(connection->fd, text, len + 1, err);
	free(text);
	return code;
}

/* Reads until a whole line is there; *len is its length. */
static int read_line(struct connection *connection, size_t *len, struct error *err)
{
	struct buf *input = &connection->input;
	size_t seen = 0;

	for (;;) {
		const char *newline = input->len > seen
					      ? memchr(input->data + seen, '\n', input->len - seen)
					      : NULL;
		if (newline != NULL) {
			*len = (size_t)(newline - input->data);
			return 0;
		}
		seen = input->len;
		char *room = buf_reserve(input, READ_SIZE);
		if (room == NULL)
			return error_set(err, SYNCD_ELIMIT, "syncd's answer is too long");
		ssize_t got = read(connection->fd, room, READ_SIZE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return connection_cut(err);
		input->len += (size_t)got;
		input->data[input->len] = '\0';
	}
}

int connection_read(struct connection *connection, json_t **message, struct error *err)
{
	json_error_t error;
	size_t len = 0;
	int code = read_line(connection, &len, err);

	if (code != 0)
		return code;
	*message = json_loadb(connection->input.data, len, 0, &error);
	buf_consume(&connection->input, len + 1);
	if (*message == NULL)
		return error_set(err, SYNCD_EPROTO, "syncd's answer is not JSON: %s", error.text);
	return 0;
}
