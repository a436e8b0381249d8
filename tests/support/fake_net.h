/* A net.h of memory streams (with the real DEFLATE over them), linked in place of the real one by
 * programs that call fake_net_begin: what the code under test dials, the test answers.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_NET_H
#define TESTS_SUPPORT_FAKE_NET_H

#include "support/memory_stream.h"
#include "syncd/net.h"

#define FAKE_NET_CONNECTIONS_MAX 32

/* Before anything else of a test: no connections, dials succeed. */
void fake_net_begin(void);

/* Frees the streams; every user must have closed its own. */
void fake_net_end(void);

/* The n-th stream made, from 0: by a dial, or by STARTTLS over an earlier one. NULL: not yet. */
struct memory_stream *fake_net_connection(size_t n);
size_t fake_net_count(void);

/* Dials fail with this code from now on; 0: they succeed. */
void fake_net_refuse(int code);

/* The peer of every stream made from now on is loopback. */
void fake_net_set_loopback(void);

#endif
