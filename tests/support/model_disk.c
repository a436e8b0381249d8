/* The files of the disk under the model of a maildir: directory entries and mtimes, and what a
 * power cut leaves of what was not flushed.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct model_file *model_file_new(struct model_maildir *maildir, struct world *world)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		if (!world->files[i].is_used) {
			world->files[i] = (struct model_file){
				.is_used = true,
				.world = world,
				.maildir = maildir,
				.durable_maildir = maildir,
			};
			return &world->files[i];
		}
	}
	must_fail("room for one more file", __FILE__, __LINE__);
}

bool model_file_is_visible(const struct model_file *file)
{
	return file->is_used && (file->place == PLACE_NEW || file->place == PLACE_CUR);
}

struct model_file *model_file_find(struct world *world, const struct model_maildir *maildir,
				   struct slice name)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (file->is_used && file->place != PLACE_NONE && file->maildir == maildir &&
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
	struct model_maildir *maildir = file->maildir;
	struct local_mtimes *changed = &file->changed[maildir - file->world->maildirs];
	int64_t tick_ns = file->world->now_ns - file->world->now_ns % file->world->tick_ns;

	if (!model_file_is_visible(file))
		return;
	if (file->place == PLACE_NEW)
		changed->new_ns = tick_ns;
	else
		changed->cur_ns = tick_ns;
	mtimes_raise(&maildir->mtimes, changed);
	maildir->events = xgrow(maildir->events, maildir->event_count, &maildir->event_cap,
				sizeof(*maildir->events));
	maildir->events[maildir->event_count++] = (struct model_event){
		.file = file_entry(file),
		.is_new = file->place == PLACE_NEW,
		.is_gone = is_gone,
		.is_own = is_own,
	};
}

void world_drop_events(struct model_maildir *maildir, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(maildir->events[i].file);
	maildir->event_count -= count;
	if (maildir->event_count > 0)
		memmove(maildir->events, maildir->events + count,
			maildir->event_count * sizeof(*maildir->events));
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
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++)
		mtimes_raise(&file->world->maildirs[i].durable_mtimes, &file->changed[i]);
	memset(file->changed, 0, sizeof(file->changed));
	file->is_data_durable = true;
	file->was_deleted = false;
	file->moved = 0;
	file->flags_changed = 0;
	file->durable_maildir = file->maildir;
	file->durable_place = file->place;
	file->durable_flags = file->flags;
	memcpy(file->durable_name, file->name, sizeof(file->name));
	if (file->place == PLACE_NONE)
		file->is_used = false;
}

void model_disk_flush(struct world *world, const struct model_maildir *maildir)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (file->is_used && (file->maildir == maildir || file->durable_maildir == maildir))
			file_make_durable(file);
	}
}

/* A user's change that is lost without a trace. */
static void note_loss(struct world *world, const struct model_file *file)
{
	bool was_created = file->is_users && file->durable_place == PLACE_NONE;

	if (was_created && file->place == PLACE_NONE)
		return;
	/* Known since it was there before, it may have been taken back all the same. */
	if ((was_created || file->moved != 0) && !file->has_returned && file->place != PLACE_NONE &&
	    model_store_knows(world, file->maildir->name, file->name))
		return;
	must(world->loss_count < MODEL_FILES_MAX);
	struct model_loss *loss = &world->losses[world->loss_count++];
	*loss = (struct model_loss){
		.content = file->content,
		.was_created = was_created,
		.was_deleted_firmly = file->was_deleted && file->is_deletion_firm,
		.flags_changed = file->flags_changed,
		.moved = file->moved,
		.was_visible = model_file_is_visible(file),
	};
	memcpy(loss->mailbox, file->maildir->name, sizeof(loss->mailbox));
	memcpy(loss->origin, file->durable_maildir->name, sizeof(loss->origin));
}

/* Each file's last unflushed change is kept or lost by itself; unflushed data may
 * be whole, torn or empty. */
static void file_lose_entry(struct world *world, struct model_file *file)
{
	note_loss(world, file);
	file->maildir = file->durable_maildir;
	file->place = file->durable_place;
	file->flags = file->durable_flags;
	memset(file->changed, 0, sizeof(file->changed));
	memcpy(file->name, file->durable_name, sizeof(file->name));
}

void model_disk_lose_power(struct world *world)
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
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++)
		world->maildirs[i].mtimes = world->maildirs[i].durable_mtimes;
}

/* --- What users do ---------------------------------------------------------------------- */

/* Not every program flushes what it writes. */
static void users_flush(struct model_file *file)
{
	if (rng_below(&file->world->rng, 2) == 0)
		file_make_durable(file);
}

void model_file_make_name(struct world *world, char name[MAIL_NAME_MAX + 1])
{
	(void)snprintf(name, MAIL_NAME_MAX + 1, "user%llu.model",
		       (unsigned long long)++world->names_made);
}

struct model_file *model_file_create_in(struct world *world, struct model_maildir *maildir,
					uint32_t content, uint64_t flags, bool is_new)
{
	struct model_file *file = model_file_new(maildir, world);

	model_file_make_name(world, file->name);
	file->content = content;
	file->mtime_s = world_now_s(world);
	file->is_users = true;
	model_file_move(file, is_new ? PLACE_NEW : PLACE_CUR, is_new ? 0 : flags, false);
	users_flush(file);
	return file;
}

struct model_file *model_file_create(struct world *world, uint32_t content, uint64_t flags,
				     bool is_new)
{
	return model_file_create_in(world, model_maildir_find(world, "INBOX"), content, flags,
				    is_new);
}

void model_file_set_flags(struct model_file *file, uint64_t flags)
{
	file->flags_changed |= file->flags ^ flags;
	model_file_move(file, PLACE_CUR, flags, false);
	users_flush(file);
}

/* A name that was given up a moment ago is taken over: the journal has both in that order. Simply,
 * the first is durable from here on, as no two files may come to have one name. */
static void take_over_name(struct world *world, const struct model_maildir *maildir,
			   const char *name, const struct model_file *taker)
{
	must(model_file_find(world, maildir, slice_of(name)) == NULL);
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (file->is_used && file != taker && file->durable_maildir == maildir &&
		    file->durable_place != PLACE_NONE && strcmp(file->durable_name, name) == 0)
			file_make_durable(file);
	}
}

/* One that has no flags stays in new/. */
void model_file_move_to(struct model_file *file, struct model_maildir *target, const char *name,
			uint64_t flags, unsigned moved)
{
	enum model_place place = flags != 0 ? PLACE_CUR : file->place;

	name = name != NULL ? name : file->name;
	take_over_name(file->world, target, name, file);
	file->flags_changed |= file->flags ^ flags;
	file->moved = file->moved != 0 ? file->moved : moved;
	entry_changes(file, true, false);
	file->maildir = target;
	file->place = place;
	file->flags = flags;
	if (name != file->name)
		(void)snprintf(file->name, sizeof(file->name), "%s", name);
	entry_changes(file, false, false);
	users_flush(file);
}

struct model_file *model_file_copy_to(const struct model_file *file, struct model_maildir *target,
				      const char *name)
{
	struct model_file *copy = model_file_new(target, file->world);

	(void)snprintf(copy->name, sizeof(copy->name), "%s", name != NULL ? name : file->name);
	take_over_name(file->world, target, copy->name, copy);
	copy->content = file->content;
	copy->mtime_s = world_now_s(file->world);
	copy->is_users = true;
	model_file_move(copy, file->place, file->flags, false);
	users_flush(copy);
	return copy;
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
