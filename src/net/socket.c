/* The lowest layer of a connection: bytes to and from the kernel.
 * SPDX-License-Identifier: MIT */
#include "socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#define SOCKET_READ_SIZE 65536
#define SOCKET_KEEPALIVE_S 30 /* silence after which the kernel asks whether the peer lives */
#define SOCKET_PROBE_S 15     /* from one such question to the next */
#define SOCKET_PROBES 4       /* without an answer, after which it gives up: 90 s in all */
#define SOCKET_USER_TIMEOUT_MS 90000 /* the same for data that is not acknowledged */
#define SOCKET_LINGER_MS 1000        /* for the peer's last words, and a tunnel's exit status */
#define TUNNEL_KILL_AFTER_MS 2000    /* from SIGTERM to SIGKILL */
#define STATUS_NONE (-1)

enum socket_state {
	SOCKET_OPEN,
	SOCKET_ENDING, /* failed; broken() waits a moment for last words and exit status */
	SOCKET_BROKEN, /* broken() was called */
	SOCKET_CLOSING,
};

struct socket {
	struct stream stream;
	struct loop *loop;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	enum socket_state state;
	bool is_reading;
	bool is_read_over;
	bool is_drained_owed;
	bool is_tunnel;
	bool is_terminated; /* the tunnel got its SIGTERM */
	int tunnel_status;  /* its exit status, or STATUS_NONE while it runs */
	int handles_open;
	struct loop_timer timer; /* ENDING: linger; CLOSING: until the tunnel is told to go */
	struct error error;
	uv_process_t process;
	char in[SOCKET_READ_SIZE];
};

struct socket_write {
	uv_write_t uv;
	char data[];
};

static struct socket *socket_of(const struct stream *stream)
{
	return container_of(stream, struct socket, stream);
}

/* --- The end ---------------------------------------------------------------- */

static void socket_break(struct socket *s)
{
	s->state = SOCKET_BROKEN;
	loop_timer_stop(&s->timer);
	(void)uv_read_stop(&s->uv.stream);
	if (s->is_tunnel && s->tunnel_status > 0)
		(void)error_set(&s->error, SYNCD_ENET, "the tunnel command ended with status %d",
				s->tunnel_status);
	if (s->stream.user != NULL)
		s->stream.user->ops->broken(s->stream.user, &s->error);
}

/* Breaks as soon as nothing more worth knowing can come. */
static void socket_settle(struct socket *s)
{
	bool may_read_more = s->is_reading && !s->is_read_over;
	bool may_exit = s->is_tunnel && s->tunnel_status == STATUS_NONE;

	if (s->state == SOCKET_ENDING && !may_read_more && !may_exit)
		socket_break(s);
}

/* A failed write is not the end yet: a server that refuses says why and closes,
 * and its words lie behind our failed write, still to be read. */
static void socket_end(struct socket *s, int rc)
{
	if (s->state == SOCKET_OPEN) {
		s->state = SOCKET_ENDING;
		if (rc == UV_EOF)
			(void)error_set(&s->error, SYNCD_ENET,
					"the connection was closed by the other side");
		else
			(void)error_set(&s->error, rc == UV_ETIMEDOUT ? SYNCD_ETIMEOUT : SYNCD_ENET,
					"the connection was cut: %s", uv_strerror(rc));
		loop_timer_start(&s->timer, SOCKET_LINGER_MS);
	}
	socket_settle(s);
}

static void socket_handle_closed(uv_handle_t *handle)
{
	struct socket *s = handle->data;
	struct stream_user *user = s->stream.user;

	if (--s->handles_open > 0)
		return;
	loop_timer_stop(&s->timer);
	free(s);
	if (user != NULL)
		user->ops->closed(user);
}

static void socket_timer_fired(struct loop_timer *timer)
{
	struct socket *s = container_of(timer, struct socket, timer);

	if (s->state == SOCKET_ENDING) {
		socket_break(s);
		return;
	}
	must(s->state == SOCKET_CLOSING && s->is_tunnel);
	(void)uv_process_kill(&s->process, s->is_terminated ? SIGKILL : SIGTERM);
	if (!s->is_terminated)
		loop_timer_start(&s->timer, TUNNEL_KILL_AFTER_MS);
	s->is_terminated = true;
}

static void socket_tunnel_exited(uv_process_t *process, int64_t exit_status, int term_signal)
{
	struct socket *s = process->data;

	s->tunnel_status = term_signal != 0 ? 128 + term_signal : (int)exit_status;
	if (s->state == SOCKET_CLOSING)
		uv_close((uv_handle_t *)process, socket_handle_closed);
	else
		socket_settle(s);
}

/* A tunnel's command sees the end of its input first and may go by itself; a
 * process handle closed before that would leave a zombie. */
static void socket_close(struct stream *stream)
{
	struct socket *s = socket_of(stream);

	must(s->state != SOCKET_CLOSING);
	s->state = SOCKET_CLOSING;
	loop_timer_stop(&s->timer);
	s->handles_open = s->is_tunnel ? 2 : 1;
	uv_close(&s->uv.handle, socket_handle_closed);
	if (s->is_tunnel && s->tunnel_status != STATUS_NONE)
		uv_close((uv_handle_t *)&s->process, socket_handle_closed);
	else if (s->is_tunnel)
		loop_timer_start(&s->timer, SOCKET_LINGER_MS);
}

/* --- Bytes ------------------------------------------------------------------ */

static void socket_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct socket *s = handle->data;

	(void)suggested;
	*buf = uv_buf_init(s->in, sizeof(s->in));
}

static void socket_read(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf)
{
	struct socket *s = handle->data;

	if (len > 0) {
		s->stream.user->ops->data(s->stream.user, (struct slice){ buf->base, (size_t)len });
	} else if (len < 0) {
		s->is_read_over = true;
		socket_end(s, (int)len);
	}
}

static void socket_read_start(struct stream *stream)
{
	struct socket *s = socket_of(stream);

	must(s->state != SOCKET_CLOSING);
	if (s->is_reading)
		return;
	s->is_reading = true;
	if (s->state == SOCKET_OPEN || s->state == SOCKET_ENDING)
		must(uv_read_start(&s->uv.stream, socket_alloc, socket_read) == 0);
}

static void socket_read_stop(struct stream *stream)
{
	struct socket *s = socket_of(stream);

	s->is_reading = false;
	(void)uv_read_stop(&s->uv.stream);
}

static size_t socket_unsent(const struct stream *stream)
{
	return uv_stream_get_write_queue_size(&socket_of(stream)->uv.stream);
}

static void socket_written(uv_write_t *uv, int status)
{
	struct socket *s = uv->handle->data;

	free(container_of(uv, struct socket_write, uv));
	if (s->state != SOCKET_OPEN)
		return;
	if (status != 0) {
		socket_end(s, status);
		return;
	}
	if (!s->is_drained_owed || socket_unsent(&s->stream) > STREAM_LOW_WATER)
		return;
	s->is_drained_owed = false;
	if (s->stream.user != NULL)
		s->stream.user->ops->drained(s->stream.user);
}

static enum stream_write_result socket_write(struct stream *stream, struct slice data)
{
	struct socket *s = socket_of(stream);

	must(s->state != SOCKET_CLOSING);
	if (s->state != SOCKET_OPEN || data.len == 0)
		return STREAM_OK;
	must(data.len <= UINT32_MAX);
	struct socket_write *req = xmalloc(sizeof(*req) + data.len);
	memcpy(req->data, data.data, data.len);
	uv_buf_t buf = uv_buf_init(req->data, (unsigned int)data.len);
	must(uv_write(&req->uv, &s->uv.stream, &buf, 1, socket_written) == 0);
	if (socket_unsent(stream) < STREAM_HIGH_WATER)
		return STREAM_OK;
	s->is_drained_owed = true;
	return STREAM_FULL;
}

/* --- The peer --------------------------------------------------------------- */

static bool address_is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
		const unsigned char *bytes = in6->sin6_addr.s6_addr;
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && bytes[12] == 127);
	}
	return false;
}

static bool socket_is_loopback(const struct stream *stream)
{
	const struct socket *s = socket_of(stream);
	struct sockaddr_storage peer;
	int len = sizeof(peer);

	if (s->is_tunnel)
		return false;
	if (uv_tcp_getpeername(&s->uv.tcp, (struct sockaddr *)&peer, &len) != 0)
		return false;
	return address_is_loopback(&peer);
}

static bool socket_is_secure(const struct stream *stream)
{
	return socket_of(stream)->is_tunnel || socket_is_loopback(stream);
}

static const struct stream_ops socket_ops = {
	.write = socket_write,
	.read_start = socket_read_start,
	.read_stop = socket_read_stop,
	.close = socket_close,
	.unsent = socket_unsent,
	.is_secure = socket_is_secure,
	.is_loopback = socket_is_loopback,
};

/* --- Birth ------------------------------------------------------------------ */

static struct socket *socket_new(struct loop *loop)
{
	struct socket *s = xcalloc(1, sizeof(*s));

	s->stream.ops = &socket_ops;
	s->loop = loop;
	s->tunnel_status = STATUS_NONE;
	s->process.data = s;
	loop_timer_init(loop, &s->timer, socket_timer_fired);
	return s;
}

struct stream *socket_new_tcp(struct loop *loop)
{
	struct socket *s = socket_new(loop);

	must(uv_tcp_init(loop_uv(loop), &s->uv.tcp) == 0);
	s->uv.handle.data = s;
	return &s->stream;
}

static void tcp_set(int fd, int option, int value)
{
	(void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
}

/* A session in IDLE is silent for half an hour: only the kernel notices that its peer has gone
 * without a word. Best effort: a connection without these works, it only notices
 * later. */
static void socket_tune(struct socket *s)
{
	uv_os_fd_t fd;

	(void)uv_tcp_nodelay(&s->uv.tcp, 1);
	(void)uv_tcp_keepalive(&s->uv.tcp, 1, SOCKET_KEEPALIVE_S);
	if (uv_fileno(&s->uv.handle, &fd) != 0)
		return;
		/* libuv has set these to one second and ten probes, which a radio that changes
		 * cells loses. */
#ifdef TCP_KEEPINTVL
	tcp_set(fd, TCP_KEEPINTVL, SOCKET_PROBE_S);
	tcp_set(fd, TCP_KEEPCNT, SOCKET_PROBES);
#endif
#ifdef TCP_USER_TIMEOUT
	tcp_set(fd, TCP_USER_TIMEOUT, SOCKET_USER_TIMEOUT_MS);
#endif
}

static void socket_connected(uv_connect_t *uv, int status)
{
	struct socket_connect *req = container_of(uv, struct socket_connect, uv);

	if (status == 0)
		socket_tune(uv->handle->data);
	req->done(req, status);
}

int socket_connect_start(struct stream *stream, struct socket_connect *req,
			 const struct sockaddr *address, socket_connect_done done)
{
	req->done = done;
	return uv_tcp_connect(&req->uv, &socket_of(stream)->uv.tcp, address, socket_connected);
}

static int tunnel_spawn(struct socket *s, const char *command, uv_os_sock_t inside)
{
	char *args[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_INHERIT_FD, .data.fd = inside },
		{ .flags = UV_INHERIT_FD, .data.fd = inside },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
	};
	uv_process_options_t options = {
		.exit_cb = socket_tunnel_exited,
		.file = "/bin/sh",
		.args = args,
		.stdio_count = 3,
		.stdio = stdio,
	};

	return uv_spawn(loop_uv(s->loop), &s->process, &options);
}

struct stream *socket_new_tunnel(struct loop *loop, const char *command, struct error *err)
{
	uv_os_sock_t ends[2];
	int rc = uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, 0);

	if (rc != 0) {
		(void)error_set(err, SYNCD_EIO, "cannot make a socket pair: %s", uv_strerror(rc));
		return NULL;
	}
	struct socket *s = socket_new(loop);
	s->is_tunnel = true;
	must(uv_pipe_init(loop_uv(loop), &s->uv.pipe, 0) == 0);
	s->uv.handle.data = s;
	must(uv_pipe_open(&s->uv.pipe, ends[0]) == 0);
	rc = tunnel_spawn(s, command, ends[1]);
	(void)close(ends[1]);
	if (rc == 0)
		return &s->stream;
	s->tunnel_status = 0; /* there is none to wait for */
	stream_close(&s->stream);
	(void)error_set(err, SYNCD_EIO, "cannot start the tunnel command: %s", uv_strerror(rc));
	return NULL;
}
