/* Hears the kernel tell of changes, and compares what is left of them when they are over.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* getifaddrs, IFF_ values */

#include "syncd/network.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "network_private.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define READ_BYTES 16384
#define READS_MAX 64 /* a turn */

struct network_impl {
	uv_poll_t poll;
	int fd;
	struct network_watch *watch;
};

/* --- The network as a number ------------------------------------------------------ */

/* FNV-1a. */
static uint64_t hash_add(uint64_t hash, const void *data, size_t len)
{
	for (const unsigned char *p = data; len > 0; p++, len--)
		hash = (hash ^ *p) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_address(uint64_t hash, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		return hash_add(hash, &in->sin_addr, sizeof(in->sin_addr));
	}
	const struct sockaddr_in6 *in6 = (const void *)address;
	return hash_add(hash, &in6->sin6_addr, sizeof(in6->sin6_addr));
}

static bool interface_counts(const struct ifaddrs *one)
{
	const struct sockaddr *address = one->ifa_addr;

	if (address == NULL || (one->ifa_flags & IFF_LOOPBACK) != 0)
		return false;
	if (address->sa_family == AF_INET)
		return true;
	if (address->sa_family != AF_INET6)
		return false;
	return !IN6_IS_ADDR_LINKLOCAL(
		&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* Which of our addresses the default route would use. Connecting a datagram socket sends nothing;
 * the addresses are those of RFC 5737 and RFC 3849, which belong to nobody. */
static uint64_t hash_source(uint64_t hash, const struct sockaddr *to, socklen_t len)
{
	struct sockaddr_storage own = { 0 };
	socklen_t own_len = sizeof(own);
	int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return hash;
	if (connect(fd, to, len) == 0 && getsockname(fd, (struct sockaddr *)&own, &own_len) == 0)
		hash = hash_address(hash, (const struct sockaddr *)&own);
	(void)close(fd);
	return hash_add(hash, "|", 1);
}

static uint64_t hash_default_routes(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };

	in.sin_addr.s_addr = htonl(0xc0000201u);
	memcpy(in6.sin6_addr.s6_addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	uint64_t hash =
		hash_source(UINT64_C(0xcbf29ce484222325), (struct sockaddr *)&in, sizeof(in));
	return hash_source(hash, (struct sockaddr *)&in6, sizeof(in6));
}

/* Does not depend on the order of the interfaces. */
static uint64_t network_hash(void)
{
	uint64_t hash = hash_default_routes();
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0)
		return hash;
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		if (!interface_counts(one))
			continue;
		unsigned int flags = one->ifa_flags & (IFF_UP | IFF_RUNNING);
		uint64_t part = hash_add(0, one->ifa_name, strlen(one->ifa_name));
		hash += hash_address(hash_add(part, &flags, sizeof(flags)), one->ifa_addr);
	}
	freeifaddrs(all);
	return hash;
}

/* --- The socket ------------------------------------------------------------------- */

static void network_quiet(struct loop_timer *timer)
{
	struct network_watch *watch = container_of(timer, struct network_watch, timer);
	uint64_t seen = network_hash();

	if (seen == watch->seen)
		return;
	watch->seen = seen;
	watch->cb(watch);
}

static void network_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct network_impl, poll));
}

static void network_close(struct network_impl *impl)
{
	(void)uv_poll_stop(&impl->poll);
	(void)close(impl->fd);
	uv_close((uv_handle_t *)&impl->poll, network_closed);
}

/* True when something that counts was read. `is_broken` is set when the socket is of no use any
 * more. */
static bool network_read(int fd, bool *is_broken)
{
	_Alignas(max_align_t) char bytes[READ_BYTES];
	bool counts = false;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t len = recv(fd, bytes, sizeof(bytes), 0);
		if (len > 0) {
			counts = network_message_counts(bytes, (size_t)len) || counts;
			continue;
		}
		if (len < 0 && errno == ENOBUFS) { /* messages were lost */
			counts = true;
			continue;
		}
		*is_broken =
			len == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
		break;
	}
	return counts;
}

static void network_ready(uv_poll_t *poll, int status, int events)
{
	struct network_impl *impl = container_of(poll, struct network_impl, poll);
	struct network_watch *watch = impl->watch;
	bool is_broken = false;

	(void)events;
	/* Not moved when armed already: endless changes may not put it off for ever. */
	if (network_read(impl->fd, &is_broken) && !loop_timer_is_armed(&watch->timer))
		loop_timer_start(&watch->timer, NETWORK_QUIET_MS);
	if (!is_broken && status == 0)
		return;
	log_debug(NULL, "changes of the network are not noticed any more");
	watch->impl = NULL;
	network_close(impl);
}

void network_watch_start(struct loop *loop, struct network_watch *watch, network_changed_cb cb)
{
	struct uv_loop_s *uv = loop_uv(loop);

	*watch = (struct network_watch){ .loop = loop, .cb = cb };
	loop_timer_init(loop, &watch->timer, network_quiet);
	int fd = uv != NULL ? network_socket() : -1;
	if (fd < 0) {
		log_debug(NULL, "changes of the network are not noticed: %s",
			  uv != NULL ? strerror(errno) : "no real loop");
		return;
	}
	struct network_impl *impl = xcalloc(1, sizeof(*impl));
	impl->fd = fd;
	impl->watch = watch;
	must(uv_poll_init(uv, &impl->poll, fd) == 0);
	must(uv_poll_start(&impl->poll, UV_READABLE, network_ready) == 0);
	watch->impl = impl;
	watch->seen = network_hash();
}

void network_watch_stop(struct network_watch *watch)
{
	if (watch->loop == NULL)
		return;
	loop_timer_stop(&watch->timer);
	if (watch->impl != NULL)
		network_close(watch->impl);
	watch->impl = NULL;
	watch->loop = NULL;
}
