/* What network.c and its tests need of the platform.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NETWORK_PRIVATE_H
#define SYNCD_NETWORK_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

/* A non-blocking socket on which the kernel tells of changes, or -1 with errno. */
int network_socket(void);

/* Whether what was read from it (whole messages, aligned for them) may tell of a change that
 * counts: an address that is not the host's own, a default route, an interface. */
bool network_message_counts(const void *data, size_t len);

#endif
