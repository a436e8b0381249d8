/* The order in which a host's addresses are tried. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_ADDRESSES_H
#define SYNCD_NET_ADDRESSES_H

#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 16 /* of one host; more are not tried */

struct addresses {
	struct sockaddr_storage list[ADDRESSES_MAX];
	size_t count;
};

/* Takes getaddrinfo's answer, keeping its order within each family but
 * alternating between them, beginning with the family it put first (RFC 8305
 * §4). */
void addresses_take(struct addresses *addresses, const struct addrinfo *found);

#endif
