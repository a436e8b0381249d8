/* The daemon: every account kept in sync until SIGTERM.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_H
#define SYNCD_DAEMON_H

#include "syncd/config.h"

/* Runs in the foreground until SIGTERM, SIGINT or `syncctl stop`; SIGHUP reloads. Takes over
 * *config, which becomes NULL. `config_path` NULL: the default one, for reloads.
 * `socket_path` NULL: config_socket_path. Returns the exit status (CONTRACT 1.1). */
int daemon_run(struct config **config, const char *config_path, const char *socket_path);

#endif
