/* Looking at a mailbox of the model of a maildir: all of it, or what was hinted at.
 * SPDX-License-Identifier: MIT */
#include "model_local.h"

#include <string.h>

#include "syncd/must.h"

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

static void scan_all(struct opened_maildir *opened, struct local_listing *result)
{
	struct world *world = opened->world;
	struct model_maildir *maildir = opened->maildir;
	bool is_moving = scan_sees_moving(world);

	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		const struct model_file *file = &world->files[i];
		if (model_file_is_visible(file) && file->maildir == maildir &&
		    !scan_overlooks(world, is_moving))
			local_listing_add(result, slice_of(file->name),
					  opened_flags_out(opened, file->flags));
	}
	maildir->listings++;
	local_listing_sort(result);
	result->is_stable = !is_moving;
	if (!result->is_stable)
		return;
	result->mtimes.cur_ns = mtime_to_trust(world, maildir->mtimes.cur_ns);
	result->mtimes.new_ns = mtime_to_trust(world, maildir->mtimes.new_ns);
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
static void scan_hinted(const struct opened_maildir *opened, const struct local_scan_req *req)
{
	struct world *world = opened->world;
	bool is_moving = scan_sees_moving(world);

	req->result->is_delta = true;
	req->result->is_stable = true;
	for (size_t i = 0; i < req->hint_count; i++) {
		struct slice name = hinted_name(&req->hints[i]);
		const struct model_file *file = model_file_find(world, opened->maildir, name);
		if (!is_last_of_message(req, i))
			continue;
		if (scan_overlooks(world, is_moving))
			req->result->is_stable = false;
		else if (file != NULL && model_file_is_visible(file))
			local_listing_add(req->result, name, opened_flags_out(opened, file->flags));
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

bool model_mtimes_are(const struct model_maildir *maildir, const struct local_mtimes *known)
{
	return known->cur_ns != 0 && known->new_ns != 0 &&
	       known->cur_ns == maildir->mtimes.cur_ns && known->new_ns == maildir->mtimes.new_ns;
}

static int run_scan(struct task *task)
{
	struct local_scan_req *req = container_of(task->op, struct local_scan_req, op);
	struct opened_maildir *opened = task->target;
	struct world *world = task->world;
	bool takes_hints = req->hints != NULL && !(req->hint_count > 0 && prefers_listing(world));
	int code = opened_check(opened, &task->op->err);

	if (code != 0)
		return code;
	if (takes_hints) {
		scan_hinted(opened, req);
	} else if (req->hints == NULL && model_mtimes_are(opened->maildir, &req->known)) {
		req->result->is_delta = true;
		req->result->is_stable = true;
		req->result->mtimes = req->known;
	} else {
		scan_all(opened, req->result);
	}
	return 0;
}

void opened_scan(struct local_mailbox *mailbox, struct local_scan_req *req)
{
	opened_post(mailbox, &req->op, run_scan);
}
