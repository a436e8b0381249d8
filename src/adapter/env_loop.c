/* The env port over the loop.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/adapter_env.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

struct env_turn {
	struct loop_defer defer;
	struct port_op *op;
};

static int64_t env_wall_s(struct env_port *port)
{
	return loop_wall_s(container_of(port, struct adapter_env, port)->loop);
}

static uint64_t env_random(struct env_port *port)
{
	return loop_random(container_of(port, struct adapter_env, port)->loop);
}

static void env_turned(struct loop_defer *defer)
{
	struct env_turn *turn = container_of(defer, struct env_turn, defer);
	struct port_op *op = turn->op;

	free(turn);
	op->done(op, 0);
}

static void env_defer(struct env_port *port, struct port_op *op)
{
	struct env_turn *turn = xcalloc(1, sizeof(*turn));

	error_clear(&op->err);
	turn->op = op;
	loop_defer(container_of(port, struct adapter_env, port)->loop, &turn->defer, env_turned);
}

void adapter_env_init(struct adapter_env *adapter, struct loop *loop)
{
	static const struct env_ops ops = {
		.wall_s = env_wall_s,
		.random = env_random,
		.defer = env_defer,
	};

	adapter->port.ops = &ops;
	adapter->loop = loop;
}
