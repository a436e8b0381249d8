/* syncctl: the control client's commands (CONTRACT 1.2).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CTL_H
#define SYNCD_CTL_H

#include <stdbool.h>

struct ctl_options {
	const char *socket_path; /* NULL: ctl_default_socket */
	bool is_json;
};

/* $XDG_RUNTIME_DIR/syncd.sock, else syncd.sock in the state directory's default place.
 * Allocated. */
char *ctl_default_socket(void);

/* Runs COMMAND with its arguments (NULL-terminated; the first is the command) against the daemon,
 * prints to stdout and stderr, and returns the exit status of CONTRACT 1.1. */
int ctl_run(const struct ctl_options *options, char *const *arguments);

/* The commands, for --help. */
void ctl_print_commands(void);

#endif
