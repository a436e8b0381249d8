/* A mailbox of the model of a maildir, on a disk that forgets what was not flushed, behind the
 * local port.
 * SPDX-License-Identifier: MIT */
#include "model_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct local_delivery {
	struct opened_maildir *opened;
	struct model_file *file; /* in tmp/, found again by its name */
	struct buf body;
};

struct local_reader {
	struct opened_maildir *opened;
	char *body;
	size_t len;
	size_t at;
};

struct opened_maildir *opened_of(struct local_mailbox *mailbox)
{
	return container_of(mailbox, struct opened_maildir, port);
}

bool opened_is_there(const struct opened_maildir *opened)
{
	return opened->maildir->id == opened->maildir_id;
}

int opened_check(const struct opened_maildir *opened, struct error *err)
{
	return opened_is_there(opened)
		       ? 0
		       : error_set(err, SYNCD_ENOTFOUND, "the mailbox's directory is gone");
}

/* As world_enter; and the mailbox may have been removed by its user. */
static int enter(struct opened_maildir *opened, enum fault_kind *fault, struct error *err)
{
	int code = world_enter(opened->world, fault, err);

	return code != 0 ? code : opened_check(opened, err);
}

static struct model_file *find_visible(const struct opened_maildir *opened, const char *name)
{
	struct model_file *file = model_file_find(opened->world, opened->maildir, slice_of(name));

	return file != NULL && model_file_is_visible(file) ? file : NULL;
}

uint64_t opened_flags_out(const struct opened_maildir *opened, uint64_t flags)
{
	return model_flags_out(opened->world, opened->keywords,
			       model_letters(opened->maildir, flags));
}

uint64_t opened_flags_in(const struct opened_maildir *opened, uint64_t flags)
{
	return model_letters(opened->maildir,
			     model_flags_in(opened->world, opened->keywords, flags));
}

static uint64_t model_flags_mask(struct local_mailbox *mailbox)
{
	return opened_flags_out(opened_of(mailbox),
				FLAGS_SYSTEM | (uint64_t)3 << FLAGS_SYSTEM_COUNT);
}

/* --- delivery -----------------------------------------------------------------------------------
 */

static int model_deliver_begin(struct local_mailbox *mailbox, struct local_delivery **delivery,
			       struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	if (code != 0)
		return code;
	struct model_file *file = model_file_new(opened->maildir, opened->world);
	(void)snprintf(file->name, sizeof(file->name), "sd%llu.model",
		       (unsigned long long)++opened->world->names_made);
	file->place = PLACE_TMP;
	code = world_leave(opened->world, fault, err);
	if (code != 0)
		return code;
	*delivery = xcalloc(1, sizeof(**delivery));
	(*delivery)->opened = opened;
	(*delivery)->file = file;
	opened->open_handles++;
	buf_init(&(*delivery)->body, 65536);
	return 0;
}

static int model_deliver_write(struct local_delivery *delivery, struct slice data,
			       struct error *err)
{
	enum fault_kind fault = FAULT_NONE;
	int code = enter(delivery->opened, &fault, err);

	if (code != 0)
		return code;
	must(buf_add(&delivery->body, data.data, data.len) == 0);
	return world_leave(delivery->opened->world, fault, err);
}

static void delivery_free(struct local_delivery *delivery)
{
	delivery->opened->open_handles--;
	buf_free(&delivery->body);
	free(delivery);
}

static void model_deliver_abort(struct local_delivery *delivery)
{
	if (!delivery->opened->world->is_dead && opened_is_there(delivery->opened))
		delivery->file->is_used = false;
	delivery_free(delivery);
}

static int model_deliver_end(struct local_delivery *delivery, int64_t mtime_s, char *name,
			     uint64_t *size_bytes, struct digest *identity, struct error *err)
{
	struct world *world = delivery->opened->world;
	enum fault_kind fault = FAULT_NONE;
	int code = enter(delivery->opened, &fault, err);

	if (code != 0) {
		model_deliver_abort(delivery);
		return code;
	}
	delivery->file->mtime_s = mtime_s;
	delivery->file->content = model_content_of(buf_slice(&delivery->body));
	must(delivery->file->content != 0);
	model_identity(delivery->file->content, identity, size_bytes);
	memcpy(name, delivery->file->name, sizeof(delivery->file->name));
	delivery_free(delivery);
	return world_leave(world, fault, err);
}

/* The model's files have no data of their own, so a second name is a file of the same content. */
static int model_link(struct local_mailbox *mailbox, const struct mailbox_record *from,
		      const char *original, uint64_t flags, char *name, struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	struct world *world = opened->world;
	const struct model_maildir *source = model_maildir_find(world, from->name);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	(void)flags;
	if (code != 0)
		return code;
	const struct model_file *old =
		source != NULL ? model_file_find(world, source, slice_of(original)) : NULL;
	if (old == NULL || !model_file_is_visible(old) ||
	    (world->faults_are_on && rng_below(&world->rng, 8) == 0))
		return error_set(err, SYNCD_ENOTFOUND, "%s is not where it should be", original);
	must(old->content != 0);
	struct model_file *file = model_file_new(opened->maildir, world);
	(void)snprintf(file->name, sizeof(file->name), "sd%llu.model",
		       (unsigned long long)++world->names_made);
	file->place = PLACE_TMP;
	file->content = old->content;
	file->mtime_s = old->mtime_s;
	file->is_data_durable = old->is_data_durable;
	memcpy(name, file->name, sizeof(file->name));
	return world_leave(world, fault, err);
}

/* --- flush, publish, flags, remove
 * ------------------------------------------------------------------ */

static int run_flush(struct task *task)
{
	const struct opened_maildir *opened = task->target;
	int code = opened_check(opened, &task->op->err);

	if (code == 0)
		model_disk_flush(task->world, opened->maildir);
	return code;
}

static void model_flush(struct local_mailbox *mailbox, struct local_flush_req *req)
{
	opened_post(mailbox, &req->op, run_flush);
}

static int model_publish(struct local_mailbox *mailbox, const char *name, uint64_t flags,
			 struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	if (code != 0)
		return code;
	struct model_file *file = model_file_find(opened->world, opened->maildir, slice_of(name));
	if (file == NULL)
		return error_set(err, SYNCD_ENOTFOUND, "%s is not there", name);
	flags = opened_flags_in(opened, flags & model_flags_mask(mailbox));
	opened->world->written++;
	if (file->place == PLACE_TMP)
		model_file_move(file, flags != 0 ? PLACE_CUR : PLACE_NEW, flags, true);
	return world_leave(opened->world, fault, err);
}

static int model_set_flags(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			   uint64_t add, uint64_t remove, struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	(void)expected;
	if (code != 0)
		return code;
	struct model_file *file = find_visible(opened, name);
	if (file == NULL)
		return error_set(err, SYNCD_ENOTFOUND, "%s is not there", name);
	opened->world->written++;
	uint64_t flags =
		(file->flags & ~opened_flags_in(opened, remove)) | opened_flags_in(opened, add);
	model_file_move(file, flags != 0 ? PLACE_CUR : file->place, flags, true);
	return world_leave(opened->world, fault, err);
}

/* A file in new/ has none, and gets none by staying there. */
static int model_set_keywords(struct local_mailbox *mailbox, const char *name, uint64_t flags,
			      struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	if (code != 0)
		return code;
	struct model_file *file = find_visible(opened, name);
	if (file == NULL)
		return error_set(err, SYNCD_ENOTFOUND, "%s is not there", name);
	flags &= model_flags_mask(mailbox) & FLAGS_KEYWORDS;
	flags = (file->flags & FLAGS_SYSTEM) | opened_flags_in(opened, flags);
	model_file_move(file, flags != 0 ? PLACE_CUR : file->place, flags, true);
	return world_leave(opened->world, fault, err);
}

static int model_remove(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	(void)expected;
	if (code != 0)
		return code;
	struct model_file *file = find_visible(opened, name);
	opened->world->removed += file != NULL;
	if (file != NULL)
		model_file_move(file, PLACE_NONE, 0, true);
	return world_leave(opened->world, fault, err);
}

/* Some names tell no size. */
static bool model_is_whole(struct local_mailbox *mailbox, const char *name, uint64_t flags)
{
	const struct opened_maildir *opened = opened_of(mailbox);
	const struct model_file *file = opened_is_there(opened) ? find_visible(opened, name) : NULL;

	(void)flags;
	return file != NULL && file->content != 0 && rng_below(&opened->world->rng, 4) != 0;
}

/* --- examine and read
 * --------------------------------------------------------------------------------- */

static int run_examine(struct task *task)
{
	struct local_examine_req *req = container_of(task->op, struct local_examine_req, op);
	const struct opened_maildir *opened = task->target;
	int code = opened_check(opened, &task->op->err);
	const struct model_file *file = code == 0 ? find_visible(opened, req->name) : NULL;

	if (code != 0)
		return code;
	if (file == NULL)
		return error_set(&task->op->err, SYNCD_ENOTFOUND, "%s is gone", req->name);
	must(file->content != 0); /* a torn file must never become a message */
	model_identity(file->content, &req->identity, &req->size_bytes);
	req->has_nul = false;
	req->mtime_s = file->mtime_s;
	req->flags = opened_flags_out(opened, file->flags);
	return 0;
}

static void model_examine(struct local_mailbox *mailbox, struct local_examine_req *req)
{
	opened_post(mailbox, &req->op, run_examine);
}

static int model_reader_open(struct local_mailbox *mailbox, const char *name,
			     struct local_reader **reader, struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	if (code != 0)
		return code;
	const struct model_file *file = find_visible(opened, name);
	if (file == NULL)
		return error_set(err, SYNCD_ENOTFOUND, "%s is gone", name);
	code = world_leave(opened->world, fault, err);
	if (code != 0)
		return code;
	*reader = xcalloc(1, sizeof(**reader));
	(*reader)->opened = opened;
	opened->open_handles++;
	(*reader)->body = model_body(file->content, &(*reader)->len);
	return 0;
}

static int model_reader_read(struct local_reader *reader, char *out, size_t size, size_t *len,
			     struct error *err)
{
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(reader->opened->world, &fault, err);

	if (code != 0)
		return code;
	*len = reader->len - reader->at < size ? reader->len - reader->at : size;
	memcpy(out, reader->body + reader->at, *len);
	reader->at += *len;
	return world_leave(reader->opened->world, fault, err);
}

static void model_reader_close(struct local_reader *reader)
{
	reader->opened->open_handles--;
	free(reader->body);
	free(reader);
}

/* --- the mailbox
 * ------------------------------------------------------------------------- */

static int model_clean_tmp(struct local_mailbox *mailbox,
			   bool (*is_staged)(void *context, const char *name), void *context,
			   struct error *err)
{
	struct opened_maildir *opened = opened_of(mailbox);
	enum fault_kind fault = FAULT_NONE;
	int code = enter(opened, &fault, err);

	if (code != 0)
		return code;
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &opened->world->files[i];
		if (file->is_used && file->maildir == opened->maildir && file->place == PLACE_TMP &&
		    !is_staged(context, file->name))
			file->place = PLACE_NONE;
	}
	return world_leave(opened->world, fault, err);
}

static void model_local_cancel(struct local_mailbox *mailbox)
{
	(void)mailbox; /* what is under way comes back by itself */
}

static void model_local_close(struct local_mailbox *mailbox)
{
	struct opened_maildir *opened = opened_of(mailbox);

	must(opened->open_handles == 0);
	if (opened_is_there(opened))
		opened->maildir->opened--;
	free(opened);
}

const struct local_mailbox_ops model_maildir_ops = {
	.scan = opened_scan,
	.flags_mask = model_flags_mask,
	.deliver_begin = model_deliver_begin,
	.deliver_write = model_deliver_write,
	.deliver_end = model_deliver_end,
	.deliver_abort = model_deliver_abort,
	.link = model_link,
	.flush = model_flush,
	.publish = model_publish,
	.set_flags = model_set_flags,
	.set_keywords = model_set_keywords,
	.remove = model_remove,
	.examine = model_examine,
	.reader_open = model_reader_open,
	.reader_read = model_reader_read,
	.reader_close = model_reader_close,
	.clean_tmp = model_clean_tmp,
	.is_whole = model_is_whole,
	.cancel = model_local_cancel,
	.close = model_local_close,
};
