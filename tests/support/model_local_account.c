/* The account of the model of a maildir: which mailboxes there are, and opening one.
 * SPDX-License-Identifier: MIT */
#include "model_local.h"

#include <stdio.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static struct world *world_of(struct local_account *account)
{
	return container_of(account, struct world, local);
}

void opened_post(struct local_mailbox *mailbox, struct port_op *op, int (*run)(struct task *task))
{
	struct opened_maildir *opened = opened_of(mailbox);

	world_post(opened->world, LANE_LOCAL, op, opened, run);
}

static int account_open(struct local_account *account, const char *name,
			struct keyword_table *keywords, struct local_mailbox **mailbox,
			struct error *err)
{
	struct world *world = world_of(account);
	struct model_maildir *maildir = model_maildir_find(world, name);

	if (world->is_dead)
		return error_set(err, SYNCD_ECANCELLED, "the process is dead");
	if (maildir == NULL || model_maildir_is_half(maildir))
		return error_set(err, SYNCD_ENOTFOUND, "no mailbox %s", name);
	struct opened_maildir *opened = xcalloc(1, sizeof(*opened));
	opened->port.ops = &model_maildir_ops;
	opened->world = world;
	opened->maildir = maildir;
	opened->maildir_id = maildir->id;
	maildir->opened++;
	opened->keywords = keywords;
	model_keywords_tell(world, keywords, maildir->has_letters_swapped);
	*mailbox = &opened->port;
	return 0;
}

static int account_check(struct local_account *account, bool is_first, struct error *err)
{
	(void)account;
	(void)is_first;
	(void)err;
	return 0;
}

static bool has_new_mail(struct world *world, const struct model_maildir *maildir)
{
	for (size_t i = 0; model_file_visible(world, i) != NULL; i++) {
		const struct model_file *file = model_file_visible(world, i);
		if (file->maildir == maildir && file->place == PLACE_NEW)
			return true;
	}
	return false;
}

/* Under the old name there is no `new`; under the new one no `cur`, which without mail in `new`
 * looks like no mailbox at all. */
static void list_half(struct world *world, struct local_list_req *req,
		      const struct model_maildir *maildir)
{
	struct mailbox_info info = { .name = maildir->name, .is_marked_unusable = true };

	req->found(req, &info);
	info.name = maildir->half_name;
	if (!model_maildir_has_lost_half(maildir) && has_new_mail(world, maildir))
		req->found(req, &info);
}

static int run_list(struct task *task)
{
	struct local_list_req *req = container_of(task->op, struct local_list_req, op);

	for (size_t i = 0; model_maildir_nth(task->world, i) != NULL; i++) {
		const struct model_maildir *maildir = model_maildir_nth(task->world, i);
		if (model_maildir_is_half(maildir)) {
			list_half(task->world, req, maildir);
			continue;
		}
		req->found(req, &(struct mailbox_info){
					.name = maildir->name,
					.is_selectable = true,
					.lasting_id = maildir->lasting_id,
				});
	}
	return 0;
}

static void account_list(struct local_account *account, struct local_list_req *req)
{
	world_post(world_of(account), LANE_LOCAL, &req->op, NULL, run_list);
}

static bool account_is_unchanged(struct local_account *account, const char *name,
				 const struct local_mtimes *known)
{
	const struct model_maildir *maildir = model_maildir_find(world_of(account), name);

	return maildir != NULL && !model_maildir_is_half(maildir) &&
	       model_mtimes_are(maildir, known);
}

/* --- create, rename, remove ------------------------------------------------------------ */

static int account_create(struct local_account *account, const char *name, struct error *err)
{
	struct world *world = world_of(account);
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	world->written++;
	struct model_maildir *half = model_maildir_find_half(world, name);
	if (half != NULL) /* its empty `new` becomes another's */
		(void)snprintf(half->half_name, sizeof(half->half_name), MODEL_HALF_LOST);
	(void)model_maildir_create(world, name);
	return world_leave(world, fault, err);
}

static bool is_open(struct world *world, const char *name)
{
	const struct model_maildir *maildir = model_maildir_find(world, name);

	return maildir != NULL && maildir->opened > 0;
}

/* More often than other faults would come by. */
static bool is_cut_short(struct world *world, const char *from, const char *to)
{
	return world->faults_are_on && model_maildir_find(world, from) != NULL &&
	       model_maildir_find(world, to) == NULL && rng_below(&world->rng, 4) == 0;
}

static int account_rename(struct local_account *account, const char *from, const char *to,
			  struct error *err)
{
	struct world *world = world_of(account);
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	must(!is_open(world, from) && !is_open(world, to));
	world->written++;
	if (is_cut_short(world, from, to)) {
		struct model_maildir *maildir = model_maildir_find(world, from);
		(void)snprintf(maildir->half_name, sizeof(maildir->half_name), "%s", to);
		return world_leave(world, FAULT_KILL_AFTER, err);
	}
	code = model_maildir_rename(world, from, to);
	if (code != 0)
		return error_set(err, code, "cannot rename %s to %s", from, to);
	return world_leave(world, fault, err);
}

static int account_remove(struct local_account *account, const char *name, struct error *err)
{
	struct world *world = world_of(account);
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(world, &fault, err);

	if (code != 0)
		return code;
	struct model_maildir *maildir = model_maildir_find(world, name);
	must(!is_open(world, name));
	if (maildir != NULL && !model_maildir_is_empty(world, maildir))
		return error_set(err, SYNCD_EBUSY, "there are messages in %s", name);
	world->written++;
	if (maildir != NULL)
		model_maildir_delete(world, maildir);
	return world_leave(world, fault, err);
}

static const struct local_account_ops account_ops = {
	.check = account_check,
	.list = account_list,
	.is_unchanged = account_is_unchanged,
	.create = account_create,
	.rename = account_rename,
	.remove = account_remove,
	.open = account_open,
};

void model_local_init(struct world *world)
{
	world->local.ops = &account_ops;
}
