/* What goes over the connections of a script: plain text, or from some point on
 * DEFLATE (RFC 4978).
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SCRIPT_WIRE_H
#define TESTS_SCRIPT_WIRE_H

#include <stdbool.h>

#include "support/deflate_peer.h"
#include "support/memory_stream.h"

struct wire {
	struct deflate_peer peer;
	struct buf sent; /* by the client, readable */
	struct buf held; /* for the client, as it travels */
	bool is_compressed;
};

void wire_init(struct wire *wire);
void wire_free(struct wire *wire);

/* Both directions are compressed from now on. */
void wire_compress(struct wire *wire);

/* What the client sent and the script has not consumed. Valid until the next call. */
struct slice wire_sent(struct wire *wire, struct memory_stream *memory);
void wire_consume(struct wire *wire, size_t len);

/* Says `data` to the client together with the next data that is said. */
void wire_hold(struct wire *wire, struct slice data);
void wire_say(struct wire *wire, struct memory_stream *memory, struct slice data);

#endif
