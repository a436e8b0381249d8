/* `syncd --once`: one complete pass over the named targets, then the end.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ONCE_H
#define SYNCD_ONCE_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/config.h"
#include "syncd/loop.h"

/* Runs until all is done or a SIGINT or SIGTERM stops it. `targets` are "ACCOUNT" or
 * "ACCOUNT/MAILBOX"; none means every account. Failures go to stderr, a dry run's lines to
 * stdout. Returns the exit status (CONTRACT 1.1). */
int once_run(struct loop *loop, const struct config *config, char *const *targets,
	     size_t target_count, bool is_dry_run);

#endif
