/* Inside the daemon.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_PRIVATE_H
#define SYNCD_DAEMON_PRIVATE_H

#include "keeper.h"
#include "syncd/control.h"
#include "syncd/daemon.h"
#include "syncd/network.h"
#include "syncd/notify.h"
#include "syncd/wakeup.h"

enum daemon_phase {
	DAEMON_RUNNING,
	DAEMON_RELOADING, /* keepers are closing, to be made anew */
	DAEMON_STOPPING,
};

struct daemon {
	struct loop *loop;
	struct config *config;
	struct config *next_config; /* while reloading */
	const char *config_path;
	enum daemon_phase phase;
	uint64_t started_ms;
	struct keeper **keepers;
	size_t count;
	size_t open; /* keepers not yet closed */
	struct keeper_user keeper_user;
	struct control *control;
	struct control_user control_user;
	struct notify *notify;
	struct network_watch network;
	struct wakeup wakeup;
	struct loop_signal signals[3];
};

extern const struct control_ops daemon_control_ops;

struct keeper *daemon_find(struct daemon *daemon, const char *account, size_t len);

/* Reads the configuration anew; 0, or SYNCD_ECONFIG with the first fault: then nothing
 * changes. */
int daemon_reload(struct daemon *daemon, struct error *err);
void daemon_stop(struct daemon *daemon);

#endif
