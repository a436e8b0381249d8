/* The disk under the model of a maildir: files, directory entries and mtimes, and what a
 * power cut leaves of what was not flushed.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct model_file *model_file_new(struct world *world)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		if (!world->files[i].is_used) {
			world->files[i] = (struct model_file){ .is_used = true, .world = world };
			return &world->files[i];
		}
	}
	must_fail("room for one more file", __FILE__, __LINE__);
}

bool model_file_is_visible(const struct model_file *file)
{
	return file->is_used && (file->place == PLACE_NEW || file->place == PLACE_CUR);
}

struct model_file *model_file_find(struct world *world, struct slice name)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (file->is_used && file->place != PLACE_NONE &&
		    slice_equals(slice_of(file->name), name))
			return file;
	}
	return NULL;
}

/* --- Directories --------------------------------------------------------------------- */

static void mtimes_raise(struct local_mtimes *mtimes, const struct local_mtimes *to)
{
	if (to->cur_ns > mtimes->cur_ns)
		mtimes->cur_ns = to->cur_ns;
	if (to->new_ns > mtimes->new_ns)
		mtimes->new_ns = to->new_ns;
}

/* The name as it is in cur/ or new/. */
static char *file_entry(const struct model_file *file)
{
	char letters[FLAGS_SYSTEM_COUNT + 2 + 1]; /* and two keywords' */
	size_t len = 0;

	if (file->place == PLACE_NEW)
		return xstrdup(file->name);
	for (const char *letter = "DFPRST"; *letter != '\0'; letter++) {
		if ((file->flags & flags_from_maildir_letter(*letter)) != 0)
			letters[len++] = *letter;
	}
	for (size_t i = 0; i < 2; i++) {
		if ((file->flags >> FLAGS_SYSTEM_COUNT >> i & 1) != 0)
			letters[len++] = (char)('a' + i);
	}
	letters[len] = '\0';
	return xasprintf("%s:2,%s", file->name, letters);
}

/* An entry appears or vanishes: its directory's mtime says so, and inotify. */
static void entry_changes(struct model_file *file, bool is_gone, bool is_own)
{
	struct world *world = file->world;
	int64_t tick_ns = world->now_ns - world->now_ns % world->tick_ns;

	if (!model_file_is_visible(file))
		return;
	if (file->place == PLACE_NEW)
		file->changed.new_ns = tick_ns;
	else
		file->changed.cur_ns = tick_ns;
	mtimes_raise(&world->mtimes, &file->changed);
	world->events =
		xgrow(world->events, world->event_count, &world->event_cap, sizeof(*world->events));
	world->events[world->event_count++] = (struct model_event){
		.file = file_entry(file),
		.is_new = file->place == PLACE_NEW,
		.is_gone = is_gone,
		.is_own = is_own,
	};
}

void world_drop_events(struct world *world, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(world->events[i].file);
	world->event_count -= count;
	if (world->event_count > 0)
		memmove(world->events, world->events + count,
			world->event_count * sizeof(*world->events));
}

void model_file_move(struct model_file *file, enum model_place place, uint64_t flags, bool is_own)
{
	if (file->place == place && file->flags == flags)
		return;
	entry_changes(file, true, is_own);
	file->place = place;
	file->flags = flags;
	entry_changes(file, false, is_own);
}

/* --- Durability ------------------------------------------------------------------------ */

/* Content and directory entry survive a power cut from here on, and so do the mtimes that tell
 * of it: a file system writes both in one transaction. */
static void file_make_durable(struct model_file *file)
{
	mtimes_raise(&file->world->durable_mtimes, &file->changed);
	file->changed = (struct local_mtimes){ .cur_ns = 0 };
	file->is_data_durable = true;
	file->was_deleted = false;
	file->flags_changed = 0;
	file->durable_place = file->place;
	file->durable_flags = file->flags;
	memcpy(file->durable_name, file->name, sizeof(file->name));
	if (file->place == PLACE_NONE)
		file->is_used = false;
}

void model_disk_flush(struct world *world)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		if (world->files[i].is_used)
			file_make_durable(&world->files[i]);
	}
}

/* A user's change that is lost without a trace. */
static void note_loss(struct world *world, const struct model_file *file)
{
	bool was_created = file->is_users && file->durable_place == PLACE_NONE;

	if (was_created && (file->place == PLACE_NONE || model_store_knows(world, file->name)))
		return;
	must(world->loss_count < MODEL_FILES_MAX);
	world->losses[world->loss_count++] = (struct model_loss){
		.content = file->content,
		.was_created = was_created,
		.was_deleted_firmly = file->was_deleted && file->is_deletion_firm,
		.flags_changed = file->flags_changed,
	};
}

/* Each file's last unflushed change is kept or lost by itself; unflushed data may
 * be whole, torn or empty. */
static void file_lose_entry(struct world *world, struct model_file *file)
{
	note_loss(world, file);
	file->place = file->durable_place;
	file->flags = file->durable_flags;
	file->changed = (struct local_mtimes){ .cur_ns = 0 };
	memcpy(file->name, file->durable_name, sizeof(file->name));
}

static void disk_lose_power(struct world *world)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (!file->is_used)
			continue;
		if (rng_below(&world->rng, 2) == 0)
			file_lose_entry(world, file);
		if (!file->is_users && !file->is_data_durable && rng_below(&world->rng, 2) == 0)
			file->content = 0;
		file_make_durable(file);
	}
	world->mtimes = world->durable_mtimes;
}

void world_restart(struct world *world)
{
	must(world->is_dead && list_is_empty(&world->tasks));
	if (world->was_power_cut)
		disk_lose_power(world);
	world->is_dead = false;
	world_wait(world, 10);
}

void model_disk_init(struct world *world)
{
	world->mtimes = (struct local_mtimes){ .cur_ns = world->now_ns, .new_ns = world->now_ns };
	world->durable_mtimes = world->mtimes;
}

/* --- What users do ---------------------------------------------------------------------- */

/* Not every program flushes what it writes. */
static void users_flush(struct model_file *file)
{
	if (rng_below(&file->world->rng, 2) == 0)
		file_make_durable(file);
}

struct model_file *model_file_create(struct world *world, uint32_t content, uint64_t flags,
				     bool is_new)
{
	struct model_file *file = model_file_new(world);

	(void)snprintf(file->name, sizeof(file->name), "user%llu.model",
		       (unsigned long long)++world->names_made);
	file->content = content;
	file->mtime_s = world_now_s(world);
	file->is_users = true;
	model_file_move(file, is_new ? PLACE_NEW : PLACE_CUR, is_new ? 0 : flags, false);
	users_flush(file);
	return file;
}

void model_file_set_flags(struct model_file *file, uint64_t flags)
{
	file->flags_changed |= file->flags ^ flags;
	model_file_move(file, PLACE_CUR, flags, false);
	users_flush(file);
}

void model_file_delete(struct model_file *file)
{
	file->was_deleted = true;
	model_file_move(file, PLACE_NONE, 0, false);
	users_flush(file);
}

struct model_file *model_file_visible(struct world *world, size_t n)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		if (model_file_is_visible(&world->files[i]) && n-- == 0)
			return &world->files[i];
	}
	return NULL;
}
