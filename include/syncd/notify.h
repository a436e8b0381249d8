/* Tells the service manager how the daemon is (sd_notify(3)'s protocol), without libsystemd.
 * Without $NOTIFY_SOCKET every function does nothing. Nothing here blocks or fails visibly: a
 * message that cannot be sent at once is lost.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NOTIFY_H
#define SYNCD_NOTIFY_H

#include "syncd/loop.h"

struct notify;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment, so
 * that hooks and password commands do not speak for us. With a watchdog asked of this process a
 * timer sends WATCHDOG=1 twice in each period from now on; it keeps loop_run alive. Never NULL. */
struct notify *notify_new(struct loop *loop);

/* READY=1: started, or the reload is complete. */
void notify_ready(struct notify *notify);

/* RELOADING=1 with MONOTONIC_USEC; notify_ready must follow. */
void notify_reloading(struct notify *notify);

/* STATUS=: one line for `systemctl status`. Control characters become '?'; cut at
 * NOTIFY_STATUS_MAX bytes. */
#define NOTIFY_STATUS_MAX 512
void notify_status(struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* STOPPING=1: shutdown has begun. The watchdog goes on until notify_free. */
void notify_stopping(struct notify *notify);

/* Ends the watchdog and frees; *notify becomes NULL. Harmless when it is NULL. */
void notify_free(struct notify **notify);

#endif
