/* The store behind the engine's store port.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_STORE_H
#define SYNCD_ADAPTER_STORE_H

#include "syncd/ports.h"
#include "syncd/store.h"

/* Embedded by the owner; give &adapter.port to the engine. */
struct adapter_store {
	struct store_port port;
	struct store *store; /* borrowed */
};

void adapter_store_init(struct adapter_store *adapter, struct store *store);

#endif
