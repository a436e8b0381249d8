/* A model of a maildir on a disk that forgets what was not flushed, behind the
 * local port.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

struct model_mailbox {
	struct local_mailbox port;
	struct world *world;
	size_t open_handles; /* deliveries and readers */
};

struct local_delivery {
	struct model_mailbox *mailbox;
	struct model_file *file; /* in tmp/, found again by its name */
	struct buf body;
};

struct local_reader {
	struct model_mailbox *mailbox;
	char *body;
	size_t len;
	size_t at;
};

static struct model_mailbox *mailbox_of(struct local_mailbox *mailbox)
{
	return container_of(mailbox, struct model_mailbox, port);
}

/* --- scan ------------------------------------------------------------------------------------ */

static struct model_file *file_find_visible(struct world *world, const char *name)
{
	struct model_file *file = model_file_find(world, slice_of(name));

	return file != NULL && model_file_is_visible(file) ? file : NULL;
}

/* Files that are renamed while they are looked for may be seen nowhere. */
static bool scan_sees_moving(struct world *world)
{
	return world->may_see_moving && world->faults_are_on && rng_below(&world->rng, 8) == 0;
}

static bool scan_overlooks(struct world *world, bool is_moving)
{
	return is_moving && rng_below(&world->rng, 3) == 0;
}

/* An mtime less than two seconds old may be that of a change still to come (DESIGN 5). */
static int64_t mtime_to_trust(const struct world *world, int64_t mtime_ns)
{
	return world->now_ns - mtime_ns >= (int64_t)2 * MODEL_NS_PER_S ? mtime_ns : 0;
}

static void scan_all(struct world *world, struct local_listing *result)
{
	bool is_moving = scan_sees_moving(world);

	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		const struct model_file *file = &world->files[i];
		if (model_file_is_visible(file) && !scan_overlooks(world, is_moving))
			local_listing_add(result, slice_of(file->name), file->flags);
	}
	world->listings++;
	local_listing_sort(result);
	result->is_stable = !is_moving;
	if (!result->is_stable)
		return;
	result->mtimes.cur_ns = mtime_to_trust(world, world->mtimes.cur_ns);
	result->mtimes.new_ns = mtime_to_trust(world, world->mtimes.new_ns);
}

static struct slice hinted_name(const struct local_hint *hint)
{
	return (struct slice){ hint->file, strcspn(hint->file, ":") };
}

static bool is_last_of_message(const struct local_scan_req *req, size_t at)
{
	for (size_t i = at + 1; i < req->hint_count; i++) {
		if (slice_equals(hinted_name(&req->hints[i]), hinted_name(&req->hints[at])))
			return false;
	}
	return true;
}

/* What is true of a message is what is found now. One that the last event said was there is being
 * renamed when it is not: of that there will be another event. */
static void scan_hinted(struct world *world, const struct local_scan_req *req)
{
	bool is_moving = scan_sees_moving(world);

	req->result->is_delta = true;
	req->result->is_stable = true;
	for (size_t i = 0; i < req->hint_count; i++) {
		struct slice name = hinted_name(&req->hints[i]);
		const struct model_file *file = model_file_find(world, name);
		if (!is_last_of_message(req, i))
			continue;
		if (scan_overlooks(world, is_moving))
			req->result->is_stable = false;
		else if (file != NULL && model_file_is_visible(file))
			local_listing_add(req->result, name, file->flags);
		else if (req->hints[i].is_gone)
			local_listing_add_gone(req->result, name);
		else
			req->result->is_stable = false;
	}
	local_listing_sort(req->result);
}

/* Of many hints a listing is cheaper, and always right. */
static bool prefers_listing(struct world *world)
{
	return rng_below(&world->rng, 16) == 0;
}

static bool mtimes_are_current(const struct world *world, const struct local_mtimes *known)
{
	return known->cur_ns != 0 && known->new_ns != 0 && known->cur_ns == world->mtimes.cur_ns &&
	       known->new_ns == world->mtimes.new_ns;
}

static int run_scan(struct task *task)
{
	struct local_scan_req *req = container_of(task->op, struct local_scan_req, op);
	struct world *world = task->world;
	bool takes_hints = req->hints != NULL && !(req->hint_count > 0 && prefers_listing(world));

	if (takes_hints) {
		scan_hinted(world, req);
	} else if (req->hints == NULL && mtimes_are_current(world, &req->known)) {
		req->result->is_delta = true;
		req->result->is_stable = true;
		req->result->mtimes = req->known;
	} else {
		scan_all(world, req->result);
	}
	return 0;
}

static void model_scan(struct local_mailbox *mailbox, struct local_scan_req *req)
{
	world_post(mailbox_of(mailbox)->world, LANE_LOCAL, &req->op, NULL, run_scan);
}

static uint64_t model_flags_mask(struct local_mailbox *mailbox)
{
	(void)mailbox;
	return FLAGS_SYSTEM | (uint64_t)3 << FLAGS_SYSTEM_COUNT;
}

/* --- delivery -----------------------------------------------------------------------------------
 */

static int model_deliver_begin(struct local_mailbox *mailbox, struct local_delivery **delivery,
			       struct error *err)
{
	struct world *world = mailbox_of(mailbox)->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	struct model_file *file = model_file_new(world);
	(void)snprintf(file->name, sizeof(file->name), "sd%llu.model",
		       (unsigned long long)++world->names_made);
	file->place = PLACE_TMP;
	code = world_leave(world, fault, err);
	if (code != 0)
		return code;
	*delivery = xcalloc(1, sizeof(**delivery));
	(*delivery)->mailbox = mailbox_of(mailbox);
	(*delivery)->file = file;
	(*delivery)->mailbox->open_handles++;
	buf_init(&(*delivery)->body, 65536);
	return 0;
}

static int model_deliver_write(struct local_delivery *delivery, struct slice data,
			       struct error *err)
{
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(delivery->mailbox->world, &fault, err);

	if (code != 0)
		return code;
	must(buf_add(&delivery->body, data.data, data.len) == 0);
	return world_leave(delivery->mailbox->world, fault, err);
}

static void delivery_free(struct local_delivery *delivery)
{
	delivery->mailbox->open_handles--;
	buf_free(&delivery->body);
	free(delivery);
}

static void model_deliver_abort(struct local_delivery *delivery)
{
	if (!delivery->mailbox->world->is_dead)
		delivery->file->is_used = false;
	delivery_free(delivery);
}

static int model_deliver_end(struct local_delivery *delivery, int64_t mtime_s, char *name,
			     uint64_t *size_bytes, struct digest *identity, struct error *err)
{
	struct world *world = delivery->mailbox->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

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

/* --- flush, publish, flags, remove
 * ------------------------------------------------------------------ */

static int run_flush(struct task *task)
{
	model_disk_flush(task->world);
	return 0;
}

static void model_flush(struct local_mailbox *mailbox, struct local_flush_req *req)
{
	world_post(mailbox_of(mailbox)->world, LANE_LOCAL, &req->op, NULL, run_flush);
}

static int model_publish(struct local_mailbox *mailbox, const char *name, uint64_t flags,
			 struct error *err)
{
	struct world *world = mailbox_of(mailbox)->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	struct model_file *file = model_file_find(world, slice_of(name));
	if (file == NULL)
		return error_set(err, SYNCD_ENOTFOUND, "%s is not there", name);
	flags &= model_flags_mask(mailbox);
	if (file->place == PLACE_TMP)
		model_file_move(file, flags != 0 ? PLACE_CUR : PLACE_NEW, flags, true);
	return world_leave(world, fault, err);
}

static int model_set_flags(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			   uint64_t add, uint64_t remove, struct error *err)
{
	struct world *world = mailbox_of(mailbox)->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	(void)expected;
	if (code != 0)
		return code;
	struct model_file *file = file_find_visible(world, name);
	if (file == NULL)
		return error_set(err, SYNCD_ENOTFOUND, "%s is not there", name);
	uint64_t flags = (file->flags & ~remove) | add;
	model_file_move(file, flags != 0 ? PLACE_CUR : file->place, flags, true);
	return world_leave(world, fault, err);
}

static int model_remove(struct local_mailbox *mailbox, const char *name, uint64_t expected,
			struct error *err)
{
	struct world *world = mailbox_of(mailbox)->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	(void)expected;
	if (code != 0)
		return code;
	struct model_file *file = file_find_visible(world, name);
	if (file != NULL)
		model_file_move(file, PLACE_NONE, 0, true);
	return world_leave(world, fault, err);
}

/* --- examine and read
 * --------------------------------------------------------------------------------- */

static int run_examine(struct task *task)
{
	struct local_examine_req *req = container_of(task->op, struct local_examine_req, op);
	const struct model_file *file = file_find_visible(task->world, req->name);

	if (file == NULL)
		return error_set(&task->op->err, SYNCD_ENOTFOUND, "%s is gone", req->name);
	must(file->content != 0); /* a torn file must never become a message */
	model_identity(file->content, &req->identity, &req->size_bytes);
	req->has_nul = false;
	req->mtime_s = file->mtime_s;
	req->flags = file->flags;
	return 0;
}

static void model_examine(struct local_mailbox *mailbox, struct local_examine_req *req)
{
	world_post(mailbox_of(mailbox)->world, LANE_LOCAL, &req->op, NULL, run_examine);
}

static int model_reader_open(struct local_mailbox *mailbox, const char *name,
			     struct local_reader **reader, struct error *err)
{
	struct world *world = mailbox_of(mailbox)->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	const struct model_file *file = file_find_visible(world, name);
	if (file == NULL)
		return error_set(err, SYNCD_EMESSAGE, "%s is gone", name);
	code = world_leave(world, fault, err);
	if (code != 0)
		return code;
	*reader = xcalloc(1, sizeof(**reader));
	(*reader)->mailbox = mailbox_of(mailbox);
	(*reader)->mailbox->open_handles++;
	(*reader)->body = model_body(file->content, &(*reader)->len);
	return 0;
}

static int model_reader_read(struct local_reader *reader, char *out, size_t size, size_t *len,
			     struct error *err)
{
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(reader->mailbox->world, &fault, err);

	if (code != 0)
		return code;
	*len = reader->len - reader->at < size ? reader->len - reader->at : size;
	memcpy(out, reader->body + reader->at, *len);
	reader->at += *len;
	return world_leave(reader->mailbox->world, fault, err);
}

static void model_reader_close(struct local_reader *reader)
{
	reader->mailbox->open_handles--;
	free(reader->body);
	free(reader);
}

/* --- the mailbox and the account
 * ------------------------------------------------------------------------- */

static int model_clean_tmp(struct local_mailbox *mailbox,
			   bool (*is_staged)(void *context, const char *name), void *context,
			   struct error *err)
{
	struct world *world = mailbox_of(mailbox)->world;
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &world->files[i];
		if (file->is_used && file->place == PLACE_TMP && !is_staged(context, file->name))
			file->place = PLACE_NONE;
	}
	return world_leave(world, fault, err);
}

static void model_local_cancel(struct local_mailbox *mailbox)
{
	(void)mailbox; /* what is under way comes back by itself */
}

static void model_local_close(struct local_mailbox *mailbox)
{
	must(mailbox_of(mailbox)->open_handles == 0);
	free(mailbox_of(mailbox));
}

static const struct local_mailbox_ops model_mailbox_ops = {
	.scan = model_scan,
	.flags_mask = model_flags_mask,
	.deliver_begin = model_deliver_begin,
	.deliver_write = model_deliver_write,
	.deliver_end = model_deliver_end,
	.deliver_abort = model_deliver_abort,
	.flush = model_flush,
	.publish = model_publish,
	.set_flags = model_set_flags,
	.remove = model_remove,
	.examine = model_examine,
	.reader_open = model_reader_open,
	.reader_read = model_reader_read,
	.reader_close = model_reader_close,
	.clean_tmp = model_clean_tmp,
	.cancel = model_local_cancel,
	.close = model_local_close,
};

static int model_local_open(struct local_account *account, const char *name,
			    struct keyword_table *keywords, struct local_mailbox **mailbox,
			    struct error *err)
{
	struct world *world = container_of(account, struct world, local);
	struct model_mailbox *model = NULL;

	(void)name;
	(void)keywords;
	if (world->is_dead)
		return error_set(err, SYNCD_ECANCELLED, "the process is dead");
	model = xcalloc(1, sizeof(*model));
	model->port.ops = &model_mailbox_ops;
	model->world = world;
	*mailbox = &model->port;
	return 0;
}

static int model_local_check(struct local_account *account, bool is_first, struct error *err)
{
	(void)account;
	(void)is_first;
	(void)err;
	return 0;
}

static int run_local_list(struct task *task)
{
	struct local_list_req *req = container_of(task->op, struct local_list_req, op);

	req->found(req, &(struct mailbox_info){ .name = "INBOX", .is_selectable = true });
	return 0;
}

static void model_local_list(struct local_account *account, struct local_list_req *req)
{
	world_post(container_of(account, struct world, local), LANE_LOCAL, &req->op, NULL,
		   run_local_list);
}

static bool model_local_is_unchanged(struct local_account *account, const char *name,
				     const struct local_mtimes *known)
{
	(void)name;
	return mtimes_are_current(container_of(account, struct world, local), known);
}

static int model_local_create(struct local_account *account, const char *name, struct error *err)
{
	(void)account;
	(void)name;
	(void)err;
	return 0;
}

static const struct local_account_ops model_account_ops = {
	.check = model_local_check,
	.list = model_local_list,
	.is_unchanged = model_local_is_unchanged,
	.create = model_local_create,
	.open = model_local_open,
};

void model_local_init(struct world *world)
{
	world->local.ops = &model_account_ops;
}
