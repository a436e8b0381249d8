/* Stands between a mail program and the server in the benchmark: counts, and adds a round trip.
 *
 *     delay_proxy TARGET_PORT ROUND_TRIP_MS
 *
 * Forwards a port of 127.0.0.1, printed as the first line, to another one, untouched: what it
 * carries is TLS. Each piece leaves half a round trip after it came, however many are under way, so
 * that distance costs time and no throughput. A line on stdin asks for the counters as JSON and
 * zeroes them; the end of stdin ends the program.
 *
 * A turn is a round trip that the client had to wait for: it sent something, and then something
 * came from the server. Counted as the client sees it, on each connection by itself, when the
 * answer reaches it; so the first flight counts, and a farewell that nobody answers does not. Where
 * there is a delay, connecting counts as one turn and costs it: the kernel accepts for us at once,
 * so a client that believes to be connected is only listened to a round trip later.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* ppoll, accept4 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "syncd/must.h"

#define READ_BYTES (64 * 1024)
/* One direction of one connection holds no more than this: 20 ms at more than 3 GB/s. */
#define QUEUE_BYTES (64 * 1024 * 1024)
#define LINKS_MAX 256

/* Bytes on their way; an empty one is the end of the stream. */
struct chunk {
	struct chunk *next;
	int64_t due_us;
	size_t at;
	size_t size;
	char bytes[];
};

/* One direction of a connection. */
struct flow {
	int from_fd;
	int to_fd;
	struct chunk *first;
	struct chunk **last;
	size_t queued_bytes;
	bool is_read_out; /* the end of the stream was read, */
	bool is_done;     /* and passed on */
	bool is_stuck;    /* the receiver takes no more for now */
};

struct link {
	struct link *next;
	int64_t opens_us; /* the client counts as connected from here on */
	bool is_open;
	bool is_asking; /* the client has sent and nothing came since */
	int client_fd;
	int server_fd;
	struct flow up;
	struct flow down;
};

struct counters {
	uint64_t up_bytes;
	uint64_t down_bytes;
	uint64_t turns;
	uint64_t connections;
};

struct proxy {
	int listen_fd;
	int target_port;
	int64_t one_way_us;
	bool is_over;
	struct link *links;
	struct counters counters;
};

static int64_t now_us(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static void send_at_once(int fd)
{
	int on = 1;

	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
}

static int listen_on_any_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 64) == 0);
	must(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	printf("%d\n", ntohs(address.sin_port));
	must(fflush(stdout) == 0);
	return fd;
}

static void report_and_zero(struct counters *counters)
{
	printf("{\"up\": %llu, \"down\": %llu, \"turns\": %llu, \"connections\": %llu}\n",
	       (unsigned long long)counters->up_bytes, (unsigned long long)counters->down_bytes,
	       (unsigned long long)counters->turns, (unsigned long long)counters->connections);
	must(fflush(stdout) == 0);
	memset(counters, 0, sizeof(*counters));
}

static void heed_control(struct proxy *proxy)
{
	char line[64];
	ssize_t size = read(STDIN_FILENO, line, sizeof(line));

	proxy->is_over = size <= 0;
	if (!proxy->is_over)
		report_and_zero(&proxy->counters);
}

static void flow_init(struct flow *flow, int from_fd, int to_fd)
{
	memset(flow, 0, sizeof(*flow));
	flow->from_fd = from_fd;
	flow->to_fd = to_fd;
	flow->last = &flow->first;
}

static void flow_clear(struct flow *flow)
{
	while (flow->first != NULL) {
		struct chunk *chunk = flow->first;
		flow->first = chunk->next;
		free(chunk);
	}
}

static void accept_link(struct proxy *proxy)
{
	int fd = accept4(proxy->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	struct link *link = calloc(1, sizeof(*link));
	must(link != NULL);
	send_at_once(fd);
	link->client_fd = fd;
	link->server_fd = -1;
	link->opens_us = now_us() + 2 * proxy->one_way_us;
	link->next = proxy->links;
	proxy->links = link;
	proxy->counters.connections++;
	proxy->counters.turns += proxy->one_way_us > 0;
}

static void open_link(struct proxy *proxy, struct link *link)
{
	struct sockaddr_in address = loopback(proxy->target_port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	send_at_once(fd);
	link->is_open = true;
	link->server_fd = fd;
	flow_init(&link->up, link->client_fd, fd);
	flow_init(&link->down, fd, link->client_fd);
}

static void close_link(struct link *link)
{
	flow_clear(&link->up);
	flow_clear(&link->down);
	(void)close(link->client_fd);
	if (link->server_fd >= 0)
		(void)close(link->server_fd);
	free(link);
}

static bool is_just_not_now(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* Returns how many bytes came. A connection that broke has ended. */
static size_t flow_read(struct flow *flow, int64_t due_us)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + READ_BYTES);

	must(chunk != NULL);
	ssize_t size = recv(flow->from_fd, chunk->bytes, READ_BYTES, MSG_DONTWAIT);
	if (is_just_not_now(size)) {
		free(chunk);
		return 0;
	}
	chunk->next = NULL;
	chunk->due_us = due_us;
	chunk->at = 0;
	chunk->size = size > 0 ? (size_t)size : 0;
	flow->is_read_out = size <= 0;
	flow->queued_bytes += chunk->size;
	*flow->last = chunk;
	flow->last = &chunk->next;
	return chunk->size;
}

static void flow_end(struct flow *flow)
{
	flow_clear(flow);
	(void)shutdown(flow->to_fd, SHUT_WR);
	flow->is_read_out = true;
	flow->is_done = true;
}

/* Returns how many bytes the receiver took of those that are due. */
static size_t flow_write(struct flow *flow, int64_t now)
{
	size_t written = 0;

	flow->is_stuck = false;
	while (!flow->is_done && flow->first != NULL && flow->first->due_us <= now) {
		struct chunk *chunk = flow->first;
		ssize_t size = send(flow->to_fd, chunk->bytes + chunk->at, chunk->size - chunk->at,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (is_just_not_now(size)) {
			flow->is_stuck = true;
			break;
		}
		if (size <= 0) {
			flow_end(flow);
			break;
		}
		written += (size_t)size;
		chunk->at += (size_t)size;
		flow->queued_bytes -= (size_t)size;
		if (chunk->at < chunk->size)
			continue;
		flow->first = chunk->next;
		if (flow->first == NULL)
			flow->last = &flow->first;
		free(chunk);
	}
	return written;
}

static void note_answer(struct proxy *proxy, struct link *link, size_t bytes)
{
	if (bytes == 0)
		return;
	proxy->counters.down_bytes += bytes;
	proxy->counters.turns += link->is_asking;
	link->is_asking = false;
}

static void serve_link(struct proxy *proxy, struct link *link, short client, short server)
{
	int64_t now = now_us();

	if (client & (POLLIN | POLLHUP | POLLERR)) {
		size_t bytes = flow_read(&link->up, now + proxy->one_way_us);
		proxy->counters.up_bytes += bytes;
		link->is_asking |= bytes > 0;
	}
	if (server & (POLLIN | POLLHUP | POLLERR))
		(void)flow_read(&link->down, now + proxy->one_way_us);
	(void)flow_write(&link->up, now);
	note_answer(proxy, link, flow_write(&link->down, now));
}

/* What to wait for at the end where `in` comes from and `out` goes to. */
static struct pollfd wanted(const struct flow *in, const struct flow *out)
{
	struct pollfd end = { .fd = in->from_fd };

	if (!in->is_read_out && in->queued_bytes < QUEUE_BYTES)
		end.events |= POLLIN;
	if (out->is_stuck)
		end.events |= POLLOUT;
	/* poll reports a hang-up even where nothing is wanted. */
	if (end.events == 0)
		end.fd = -1;
	return end;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t flow_due_us(const struct flow *flow)
{
	return flow->first == NULL || flow->is_stuck || flow->is_done ? INT64_MAX
								      : flow->first->due_us;
}

/* Fills the two entries of a link; returns when it wants attention without any event. */
static int64_t watch_link(struct link *link, struct pollfd *ends)
{
	if (!link->is_open) {
		ends[0].fd = ends[1].fd = -1;
		return link->opens_us;
	}
	ends[0] = wanted(&link->up, &link->down);
	ends[1] = wanted(&link->down, &link->up);
	return sooner(flow_due_us(&link->up), flow_due_us(&link->down));
}

static void wait_for_events(struct pollfd *ends, size_t count, int64_t until_us)
{
	int64_t left_us = until_us - now_us();
	struct timespec left = { .tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000 };

	if (left_us <= 0)
		memset(&left, 0, sizeof(left));
	int ready = ppoll(ends, (nfds_t)count, until_us == INT64_MAX ? NULL : &left, NULL);
	must(ready >= 0 || errno == EINTR);
}

static void sweep_links(struct proxy *proxy)
{
	struct link **place = &proxy->links;

	while (*place != NULL) {
		struct link *link = *place;
		if (!link->is_open && link->opens_us <= now_us())
			open_link(proxy, link);
		if (link->is_open && link->up.is_done && link->down.is_done) {
			*place = link->next;
			close_link(link);
			continue;
		}
		place = &link->next;
	}
}

static void step(struct proxy *proxy)
{
	struct pollfd ends[2 + 2 * LINKS_MAX] = { { .fd = STDIN_FILENO, .events = POLLIN },
						  { .fd = proxy->listen_fd, .events = POLLIN } };
	int64_t until_us = INT64_MAX;
	size_t count = 2;

	for (struct link *link = proxy->links; link != NULL; link = link->next, count += 2) {
		must(count < ARRAY_LEN(ends));
		until_us = sooner(until_us, watch_link(link, ends + count));
	}
	wait_for_events(ends, count, until_us);
	count = 2;
	for (struct link *link = proxy->links; link != NULL; link = link->next, count += 2)
		if (link->is_open)
			serve_link(proxy, link, ends[count].revents, ends[count + 1].revents);
	sweep_links(proxy);
	if (ends[1].revents & POLLIN)
		accept_link(proxy);
	if (ends[0].revents != 0)
		heed_control(proxy);
}

int main(int argc, char **argv)
{
	struct proxy proxy = { 0 };

	must(argc == 3 && signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	proxy.target_port = atoi(argv[1]);
	proxy.one_way_us = (int64_t)atoi(argv[2]) * 500;
	proxy.listen_fd = listen_on_any_port();
	while (!proxy.is_over)
		step(&proxy);
	while (proxy.links != NULL) {
		struct link *link = proxy.links;
		proxy.links = link->next;
		close_link(link);
	}
	(void)close(proxy.listen_fd);
	return 0;
}
