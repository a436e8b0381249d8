/* The connection of a protocol session: dialling, TLS put over it later, how long the other side
 * may be silent, pausing, the end. What every session needs, whatever it speaks.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_LINK_H
#define SYNCD_NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/net.h"
#include "syncd/stream.h"

struct net_link;

/* Nothing of this is called inside a call of the functions below. */
struct net_link_ops {
	/* The stream is there and read: dialled, or with TLS over it. */
	void (*open)(struct net_link *link);
	/* As of a stream (stream.h). What of it is progress the session says by net_link_touch. */
	void (*data)(struct net_link *link, struct slice data);
	void (*drained)(struct net_link *link);
	/* How long the other side may make no progress from now on; 0: nothing is awaited of it.
	 * Asked by net_link_touch, while there is a stream that is not paused. Changes nothing. */
	uint64_t (*patience_ms)(const struct net_link *link);
	/* Dialling or TLS failed, the stream broke, or there was no progress (SYNCD_ETIMEOUT). The
	 * session halts or closes the link. */
	void (*failed)(struct net_link *link, const struct error *err);
	/* After net_link_close: all of it is over, nothing follows. */
	void (*closed)(struct net_link *link);
};

/* Embedded in the session. Of the members only `stream` is for the session to use: to write, to
 * ask; NULL while there is none. */
struct net_link {
	const struct net_link_ops *ops;
	struct loop *loop;
	struct net_context *context;
	struct stream *stream;
	struct stream_user stream_user;
	struct net_dial dial;
	struct net_starttls starttls;
	struct loop_timer progress;
	struct loop_defer over;
	size_t unsent_seen; /* when progress was last looked at */
	unsigned pauses;
	bool is_dialling;
	bool is_securing;
	bool is_halted;
	bool is_closing;
};

/* Makes it ready; everything is borrowed until closed(). */
void net_link_init(struct net_link *link, const struct net_link_ops *ops, struct loop *loop,
		   struct net_context *context);

/* open() or failed() follows. */
void net_link_dial(struct net_link *link);

/* Puts TLS over the stream, `unread` as for net_starttls_start; open() or failed() follows. */
void net_link_secure(struct net_link *link, size_t unread);

/* From now on the stream is this one, which was put over the other (net_compress). */
void net_link_cover(struct net_link *link, struct stream *stream);

/* Something moved, or what is awaited has changed: the time starts anew, or stops. */
void net_link_touch(struct net_link *link);

/* Stops and goes on reading; calls nest. Time does not count against the other side meanwhile. */
void net_link_pause(struct net_link *link);
void net_link_resume(struct net_link *link);
bool net_link_is_paused(const struct net_link *link);

/* The session is over: nothing more is read or timed, and but for closed() nothing is called. */
void net_link_halt(struct net_link *link);

/* Gives everything up now; closed() follows. Once, in any state. */
void net_link_close(struct net_link *link);

#endif
