/* Pulls over the models of a maildrop, a maildir and the state.
 * SPDX-License-Identifier: MIT */
#include "pull_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#define STEPS_MAX 100000

static void tell(struct pull_told *told, size_t *count, const struct pull_message *message,
		 bool is_deletion)
{
	must(*count < PULL_TOLD_MAX);
	struct pull_told *one = &told[(*count)++];
	*one = (struct pull_told){ .is_deletion = is_deletion };
	(void)snprintf(one->uid, sizeof(one->uid), "%.*s", (int)message->uid.len,
		       message->uid.len > 0 ? message->uid.data : "");
	if (message->reason != NULL)
		(void)snprintf(one->reason, sizeof(one->reason), "%s", message->reason);
}

static void left(struct sync_pull *pull, const struct pull_message *message)
{
	struct pull_fixture *f = sync_pull_context(pull);

	tell(f->left, &f->left_count, message, false);
}

static void planned(struct sync_pull *pull, const struct pull_message *message, bool is_deletion)
{
	struct pull_fixture *f = sync_pull_context(pull);

	tell(f->planned, &f->planned_count, message, is_deletion);
}

struct pull_fixture *pull_fixture_new(uint64_t seed, enum pull_keep keep)
{
	struct pull_fixture *f = xcalloc(1, sizeof(*f));

	world_init(&f->world, seed);
	f->world.step_ns = MODEL_NS_PER_S / 100;
	model_maildrop_init(&f->drop, &f->world);
	f->options = (struct sync_pull_options){
		.keep = keep,
		.deletion_limit = { .percent = 50, .messages = SYNC_LIMIT_MESSAGES },
		.account = "test",
		.group_messages = 3,
		.left = left,
		.planned = planned,
		.context = f,
	};
	return f;
}

void pull_fixture_free(struct pull_fixture *f)
{
	world_free(&f->world);
	free(f);
}

static void over(struct sync_pull *pull, const struct sync_pull_result *result)
{
	struct pull_fixture *f = sync_pull_context(pull);

	f->result = *result;
	f->is_over = true;
	f->pull = NULL;
}

void pull_fixture_start(struct pull_fixture *f)
{
	const struct sync_pull_ports ports = {
		.maildrop = &f->drop.port,
		.local = &f->world.local,
		.store = &f->world.store.port,
		.env = &f->world.env,
	};

	f->is_over = false;
	f->left_count = f->planned_count = 0;
	f->pull = sync_pull_start(&ports, &f->options, over);
}

int pull_fixture_run(struct pull_fixture *f)
{
	size_t steps = 0;

	pull_fixture_start(f);
	while (!f->is_over) {
		must(steps++ < STEPS_MAX);
		must(world_step(&f->world)); /* nothing under way, and no end */
	}
	must(!world_step(&f->world));
	must(!f->drop.is_open);
	return f->result.err.code;
}

void pull_fixture_arrive(struct pull_fixture *f, size_t count)
{
	char uid[16];

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(uid, sizeof(uid), "u%u", ++f->made);
		(void)model_maildrop_add(&f->drop, uid, f->made);
	}
}

size_t pull_fixture_files(struct pull_fixture *f, uint32_t content)
{
	size_t count = 0;

	for (size_t i = 0; model_file_visible(&f->world, i) != NULL; i++)
		count += model_file_visible(&f->world, i)->content == content;
	return count;
}

size_t pull_fixture_visible(struct pull_fixture *f)
{
	size_t count = 0;

	while (model_file_visible(&f->world, count) != NULL)
		count++;
	return count;
}

struct model_file *pull_fixture_file(struct pull_fixture *f, uint32_t content)
{
	must(pull_fixture_files(f, content) == 1);
	for (size_t i = 0;; i++) {
		struct model_file *file = model_file_visible(&f->world, i);
		if (file->content == content)
			return file;
	}
}

size_t pull_fixture_present(const struct pull_fixture *f)
{
	size_t count = 0;

	for (size_t i = 0; i < f->world.store.pop3_count; i++)
		count += f->world.store.pop3[i].absent_since_s == 0;
	return count;
}
