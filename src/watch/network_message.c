/* The kernel's messages about addresses, links and routes: rtnetlink(7) on Linux, route(4) on
 * the BSDs.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* the BSDs' route.h */

#include "network_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define LOOPBACK_INDEX 1 /* in every network namespace */

int network_socket(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

static bool address_counts(const void *body, size_t len)
{
	struct ifaddrmsg message;

	if (len < sizeof(message))
		return false;
	memcpy(&message, body, sizeof(message));
	return message.ifa_index != LOOPBACK_INDEX && message.ifa_scope < RT_SCOPE_LINK;
}

static bool route_counts(const void *body, size_t len)
{
	struct rtmsg message;

	if (len < sizeof(message))
		return false;
	memcpy(&message, body, sizeof(message));
	return message.rtm_dst_len == 0 && message.rtm_type == RTN_UNICAST &&
	       (message.rtm_flags & RTM_F_CLONED) == 0;
}

static bool link_counts(const void *body, size_t len)
{
	struct ifinfomsg message;

	if (len < sizeof(message))
		return false;
	memcpy(&message, body, sizeof(message));
	return (message.ifi_flags & IFF_LOOPBACK) == 0;
}

static bool one_counts(const struct nlmsghdr *header, const char *body)
{
	size_t len = header->nlmsg_len - NLMSG_HDRLEN;

	switch (header->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return address_counts(body, len);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_counts(body, len);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_counts(body, len);
	default:
		return false;
	}
}

bool network_message_counts(const void *data, size_t len)
{
	const char *at = data;
	struct nlmsghdr header;

	while (len >= NLMSG_HDRLEN) {
		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > len)
			return false;
		if (one_counts(&header, at + NLMSG_HDRLEN))
			return true;
		size_t step = NLMSG_ALIGN(header.nlmsg_len);
		if (step >= len)
			return false;
		at += step;
		len -= step;
	}
	return false;
}
#elif defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__) || defined(__DragonFly__)
#include <net/if.h>
#include <net/route.h>

int network_socket(void)
{
	return socket(PF_ROUTE, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* What the change amounts to is seen when the addresses are compared. */
bool network_message_counts(const void *data, size_t len)
{
	struct {
		unsigned short length;
		unsigned char version;
		unsigned char type;
	} head;

	if (len < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	return head.version == RTM_VERSION &&
	       (head.type == RTM_NEWADDR || head.type == RTM_DELADDR || head.type == RTM_ADD ||
		head.type == RTM_DELETE || head.type == RTM_CHANGE || head.type == RTM_IFINFO);
}
#else
int network_socket(void)
{
	errno = ENOTSUP;
	return -1;
}

bool network_message_counts(const void *data, size_t len)
{
	(void)data;
	(void)len;
	return false;
}
#endif
