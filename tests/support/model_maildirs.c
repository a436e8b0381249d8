/* The mailboxes on the disk under the model of a maildir: made, renamed, removed.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/must.h"

struct model_maildir *model_maildir_nth(struct world *world, size_t n)
{
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		if (world->maildirs[i].id != 0 && n-- == 0)
			return &world->maildirs[i];
	}
	return NULL;
}

struct model_maildir *model_maildir_find(struct world *world, const char *name)
{
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		struct model_maildir *maildir = &world->maildirs[i];
		if (maildir->id != 0 && strcmp(maildir->name, name) == 0)
			return maildir;
	}
	return NULL;
}

/* A file system gives the number of a directory that is gone to the next one that is made. */
static uint64_t give_lasting_id(struct world *world, const struct model_maildir *maildir)
{
	uint64_t id = maildir->id;

	if (world->reuses_lasting_ids && world->freed_lasting_id != 0 &&
	    model_depth_of(maildir->name) <= world->freed_depth) {
		id = world->freed_lasting_id;
		world->freed_lasting_id = 0;
	}
	return id;
}

struct model_maildir *model_maildir_create(struct world *world, const char *name)
{
	struct model_maildir *maildir = model_maildir_find(world, name);

	if (maildir != NULL)
		return maildir;
	for (size_t i = 0; maildir == NULL && i < MODEL_MAILBOXES_MAX; i++) {
		if (world->maildirs[i].id == 0)
			maildir = &world->maildirs[i];
	}
	must(maildir != NULL && strlen(name) < sizeof(maildir->name));
	memset(maildir, 0, sizeof(*maildir));
	memcpy(maildir->name, name, strlen(name) + 1);
	maildir->id = ++world->maildirs_made;
	maildir->lasting_id = give_lasting_id(world, maildir);
	maildir->has_letters_swapped = world->names_keywords && maildir->id % 2 == 0;
	maildir->mtimes = (struct local_mtimes){ .cur_ns = world->now_ns, .new_ns = world->now_ns };
	maildir->durable_mtimes = maildir->mtimes;
	return maildir;
}

/* Its directories keep their times and what is in them, durable or not. */
int model_maildir_rename(struct world *world, const char *from, const char *to)
{
	struct model_maildir *maildir = model_maildir_find(world, from);

	if (maildir == NULL)
		return SYNCD_ENOTFOUND;
	if (model_maildir_find(world, to) != NULL)
		return SYNCD_EBUSY;
	if (model_maildir_is_half(maildir) && !model_maildir_has_lost_half(maildir) &&
	    strcmp(maildir->half_name, to) != 0)
		return SYNCD_EBUG;
	must(strlen(to) < sizeof(maildir->name));
	memcpy(maildir->name, to, strlen(to) + 1);
	maildir->half_name[0] = '\0';
	return 0;
}

bool model_maildir_is_half(const struct model_maildir *maildir)
{
	return maildir->half_name[0] != '\0';
}

bool model_maildir_has_lost_half(const struct model_maildir *maildir)
{
	return strcmp(maildir->half_name, MODEL_HALF_LOST) == 0;
}

struct model_maildir *model_maildir_find_half(struct world *world, const char *half_name)
{
	for (size_t i = 0; i < MODEL_MAILBOXES_MAX; i++) {
		struct model_maildir *maildir = &world->maildirs[i];
		if (maildir->id != 0 && strcmp(maildir->half_name, half_name) == 0)
			return maildir;
	}
	return NULL;
}

bool model_maildir_is_empty(struct world *world, const struct model_maildir *maildir)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		const struct model_file *file = &world->files[i];
		if (model_file_is_visible(file) && file->maildir == maildir)
			return false;
	}
	return true;
}

/* A directory that is gone for good cannot have entries again: what was moved away from it is
 * where it went, and what was deleted, deleted. */
void model_maildir_delete(struct world *world, struct model_maildir *maildir)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (file->is_used && file->maildir == maildir)
			file->place = PLACE_NONE;
	}
	model_disk_flush(world, maildir);
	world->freed_lasting_id = maildir->lasting_id;
	world->freed_depth = model_depth_of(maildir->name);
	world_drop_events(maildir, maildir->event_count);
	free(maildir->events);
	*maildir = (struct model_maildir){ .id = 0 };
}

void model_disk_init(struct world *world)
{
	(void)model_maildir_create(world, "INBOX");
}
