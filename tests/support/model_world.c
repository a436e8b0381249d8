/* The simulated world: scheduler, faults, crashes.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

/* SplitMix64: every seed gives a different, repeatable sequence. */
uint64_t rng_next(struct rng *rng)
{
	uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
	return bound > 0 ? rng_next(rng) % bound : 0;
}

/* --- env ------------------------------------------------------------------------ */

static int64_t env_wall_s(struct env_port *env)
{
	return world_now_s(container_of(env, struct world, env));
}

static uint64_t env_random(struct env_port *env)
{
	return rng_next(&container_of(env, struct world, env)->rng);
}

static int env_deferred(struct task *task)
{
	(void)task;
	return 0;
}

static void env_defer(struct env_port *env, struct port_op *op)
{
	world_post(container_of(env, struct world, env), LANE_ENV, op, NULL, env_deferred);
}

static const struct env_ops env_model_ops = {
	.wall_s = env_wall_s,
	.random = env_random,
	.defer = env_defer,
};

/* --- Faults ----------------------------------------------------------------------- */

static void world_die(struct world *world, bool is_power_cut)
{
	world->is_dead = true;
	world->was_power_cut = is_power_cut;
	world->crashes++;
}

/* Counts the call and tells what is to go wrong with it. */
static enum fault_kind world_call(struct world *world)
{
	enum fault_kind kind = FAULT_NONE;

	world->calls++;
	model_late_do(world, false);
	if (world->after_call != NULL)
		world->after_call(world);
	if (!world->faults_are_on)
		return FAULT_NONE;
	for (size_t i = 0; i < world->fault_count; i++) {
		if (world->faults[i].at_call == world->calls)
			kind = world->faults[i].kind;
	}
	if (kind == FAULT_KILL_BEFORE || kind == FAULT_POWER_BEFORE)
		world_die(world, kind == FAULT_POWER_BEFORE);
	return kind;
}

static int world_dead_code(struct error *err)
{
	return error_set(err, SYNCD_ECANCELLED, "the process is dead");
}

/* A disk that is full lets a pass go on with what frees it; one that fails does not. */
static int world_disk_fails(const struct world *world, struct error *err)
{
	if (world->calls % 2 == 0)
		return error_set(err, SYNCD_ENOSPC, "simulated full disk");
	return error_set(err, SYNCD_EIO, "simulated failure of the disk");
}

int world_enter(struct world *world, enum fault_kind *fault, struct error *err)
{
	*fault = FAULT_NONE;
	if (world->is_dead)
		return world_dead_code(err);
	*fault = world_call(world);
	if (world->is_dead)
		return world_dead_code(err);
	if (*fault == FAULT_FAIL || *fault == FAULT_LOSE_REPLY)
		return world_disk_fails(world, err);
	return 0;
}

int world_leave(struct world *world, enum fault_kind fault, struct error *err)
{
	if (fault != FAULT_KILL_AFTER && fault != FAULT_POWER_AFTER)
		return 0;
	world_die(world, fault == FAULT_POWER_AFTER);
	return world_dead_code(err);
}

/* --- Tasks ----------------------------------------------------------------------------- */

void world_post(struct world *world, enum lane lane, struct port_op *op, void *target,
		int (*run)(struct task *task))
{
	struct task *task = xcalloc(1, sizeof(*task));

	task->world = world;
	task->op = op;
	task->lane = lane;
	task->target = target;
	task->run = run;
	error_clear(&op->err);
	list_append(&world->tasks, &task->link);
}

struct task *world_find_task(struct world *world, const struct port_op *op)
{
	list_for_each(node, &world->tasks)
	{
		struct task *task = container_of(node, struct task, link);
		if (task->op == op)
			return task;
	}
	return NULL;
}

static void task_complete(struct task *task, int code)
{
	struct port_op *op = task->op;

	list_remove(&task->link);
	free(task);
	if (code != 0 && op->err.code == 0)
		error_set(&op->err, code, "simulated failure");
	op->done(op, code);
}

/* A server answers one connection's commands in order and the state commits in
 * order; files and everything between lanes may overtake one another. */
static bool task_may_run(const struct world *world, const struct task *task)
{
	if (task->is_held && !world->is_dead)
		return false;
	if (task->lane != LANE_REMOTE && task->lane != LANE_STORE)
		return true;
	list_for_each(node, &world->tasks)
	{
		const struct task *other = container_of(node, const struct task, link);
		if (other == task)
			return true;
		if (other->lane == task->lane && other->target == task->target)
			return false;
	}
	return true;
}

static struct task *world_choose(struct world *world)
{
	size_t count = 0;
	struct task *chosen = NULL;

	list_for_each(node, &world->tasks)
	{
		struct task *task = container_of(node, struct task, link);
		if (!task_may_run(world, task))
			continue;
		count++;
		if (rng_below(&world->rng, count) == 0)
			chosen = task;
	}
	return chosen;
}

static int task_fail(struct task *task)
{
	if (task->lane == LANE_REMOTE || task->lane == LANE_ACCOUNT)
		return error_set(&task->op->err, SYNCD_ENET, "simulated cut of the link");
	return world_disk_fails(task->world, &task->op->err);
}

static void task_run(struct task *task)
{
	struct world *world = task->world;
	bool has_reply = task->lane == LANE_REMOTE || task->lane == LANE_ACCOUNT;
	enum fault_kind fault = FAULT_NONE;
	int code = 0;

	if (!world->is_dead && task->lane != LANE_ENV)
		fault = world_call(world);
	if (world->is_dead) {
		model_late_keep(task);
		task_complete(task, world_dead_code(&task->op->err));
		return;
	}
	if (fault == FAULT_FAIL || (fault == FAULT_LOSE_REPLY && !has_reply)) {
		model_late_keep(task);
		code = task_fail(task);
	} else {
		code = task->run(task);
		if (fault == FAULT_LOSE_REPLY)
			code = task_fail(task);
		if (fault == FAULT_KILL_AFTER || fault == FAULT_POWER_AFTER) {
			world_die(world, fault == FAULT_POWER_AFTER);
			code = world_dead_code(&task->op->err);
		}
	}
	if (code == SYNCD_ENET && task->lane == LANE_REMOTE)
		*(bool *)task->target = true; /* the connection is broken */
	if (code != TASK_AGAIN)
		task_complete(task, code);
}

bool world_step(struct world *world)
{
	struct task *task = world_choose(world);

	if (task == NULL)
		return false;
	world->now_ns += (int64_t)rng_below(&world->rng, (uint64_t)world->step_ns);
	task_run(task);
	return true;
}

/* --- Time ------------------------------------------------------------------------------------ */

int64_t world_now_s(const struct world *world)
{
	return world->now_ns / MODEL_NS_PER_S;
}

void world_wait(struct world *world, int64_t seconds)
{
	if (seconds >= MODEL_LATE_S)
		model_late_do(world, true);
	world->now_ns += seconds * MODEL_NS_PER_S;
}

/* --- Life, and death
 * --------------------------------------------------------------------------------- */

void world_init(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof(*world));
	world->rng.state = seed;
	world->now_ns = (int64_t)1700000000 * MODEL_NS_PER_S;
	world->step_ns = (int64_t)2 * MODEL_NS_PER_S;
	world->tick_ns = 4000000;
	world->env.ops = &env_model_ops;
	list_init(&world->tasks);
	model_server_init(world);
	model_remote_init(world);
	model_disk_init(world);
	model_local_init(world);
	model_store_init(world);
}

void world_restart(struct world *world)
{
	must(world->is_dead && list_is_empty(&world->tasks));
	if (world->was_power_cut)
		model_disk_lose_power(world);
	world->is_dead = false;
	world_wait(world, 10);
}

void world_free(struct world *world)
{
	must(list_is_empty(&world->tasks));
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		world_drop_events(&world->maildirs[i], world->maildirs[i].event_count);
		free(world->maildirs[i].events);
	}
	model_store_free(world);
}

/* --- Messages ------------------------------------------------------------------------------- */

char *model_body(uint32_t content, size_t *len)
{
	char *body = xasprintf("Message-ID: <%u@model>\r\nSubject: %u\r\n\r\nbody %u\r\n", content,
			       content % 7, content);

	*len = strlen(body);
	return body;
}

uint32_t model_content_of(struct slice body)
{
	unsigned content = 0;
	char *text = xstrndup(body.data, body.len);
	size_t len = 0;
	char *expected = NULL;

	if (sscanf(text, "Message-ID: <%u@model>", &content) != 1)
		content = 0;
	expected = model_body(content, &len);
	if (len != body.len || memcmp(expected, text, len) != 0)
		content = 0;
	free(expected);
	free(text);
	return content;
}

void model_identity(uint32_t content, struct digest *identity, uint64_t *size_bytes)
{
	struct identity fields;
	char text[32];
	size_t len = 0;

	free(model_body(content, &len));
	*size_bytes = len;
	identity_init(&fields);
	(void)snprintf(text, sizeof(text), "<%u@model>", content);
	identity_add_field(&fields, SLICE_LITERAL("Message-ID"), slice_of(text));
	(void)snprintf(text, sizeof(text), "%u", content % 7);
	identity_add_field(&fields, SLICE_LITERAL("Subject"), slice_of(text));
	identity_digest(&fields, identity);
	identity_free(&fields);
}
