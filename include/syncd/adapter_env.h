/* The env port over the loop: time, randomness, the next turn.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_ENV_H
#define SYNCD_ADAPTER_ENV_H

#include "syncd/loop.h"
#include "syncd/ports.h"

/* Embedded by the owner; give &adapter.port to the engine. */
struct adapter_env {
	struct env_port port;
	struct loop *loop; /* borrowed */
};

void adapter_env_init(struct adapter_env *adapter, struct loop *loop);

#endif
