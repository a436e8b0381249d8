/* One connection of a test: dials on a real loop and runs that until what the
 * test waits for has come.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_DIALER_H
#define TESTS_SUPPORT_DIALER_H

#include <stdbool.h>
#include <stddef.h>

#include "support/stream_sink.h"
#include "syncd/loop.h"
#include "syncd/net.h"

/* `context` may be shared by several dialers, one after another. */
struct dialer {
	struct loop *loop;
	struct net_context *context;
	struct net_dial dial;
	struct net_starttls starttls;
	struct stream_sink sink; /* has the stream when dialling succeeded */
	unsigned done_calls;
	struct error err; /* of the dial or of STARTTLS; code 0 when it succeeded */
	struct loop_timer guard;
	bool (*is_enough)(const struct dialer *dialer);
	size_t wanted;
};

/* Prepares and starts dialling; runs nothing. */
void dialer_start(struct dialer *dialer, struct loop *loop, struct net_context *context);

/* dialer_start and runs until done was called. Returns its error code. */
int dialer_open(struct dialer *dialer, struct loop *loop, struct net_context *context);

/* Runs until done was called. Returns its error code. */
int dialer_wait_done(struct dialer *dialer);

/* STARTTLS over the open stream, `unread` as in net_starttls_start; runs until
 * it is done. Returns its error code. */
int dialer_starttls(struct dialer *dialer, size_t unread);

/* Starts reading and runs until `len` bytes have come in all, or the stream broke. */
void dialer_wait_data(struct dialer *dialer, size_t len);

/* Run until broken() / drained() came. */
void dialer_wait_broken(struct dialer *dialer);
void dialer_wait_drained(struct dialer *dialer);

/* Runs the loop for a while. */
void dialer_idle(struct dialer *dialer, uint64_t ms);

/* Closes the stream if there is one, runs the loop empty, frees what was read.
 * Aborts unless every event came as often as the contract says. */
void dialer_close(struct dialer *dialer);

#endif
