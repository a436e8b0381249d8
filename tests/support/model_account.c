/* The account of the model of an IMAP server: which mailboxes there are, and opening one.
 * SPDX-License-Identifier: MIT */
#include "model_session.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static void account_post(struct remote_account *account, struct port_op *op,
			 int (*run)(struct task *task))
{
	world_post(container_of(account, struct world, remote), LANE_ACCOUNT, op, NULL, run);
}

/* --- open ---------------------------------------------------------------------------- */

static int run_open(struct task *task)
{
	struct remote_open_req *req = container_of(task->op, struct remote_open_req, op);
	struct world *world = task->world;
	struct model_mailbox *mailbox = model_mailbox_find(world, req->name);

	if (mailbox == NULL)
		return error_set(&task->op->err, SYNCD_ENOTFOUND, "no mailbox %s", req->name);
	struct model_session *session = xcalloc(1, sizeof(*session));
	mailbox->opens++;
	session->world = world;
	session->keywords = req->keywords;
	model_keywords_tell(world, req->keywords, mailbox->id % 2 == 0);
	session->mailbox = mailbox;
	session->mailbox_id = mailbox->id;
	session->port.ops = &model_session_ops;
	session->uidvalidity = mailbox->uidvalidity;
	remote_observation_init(&session->early);
	session_select(session, req);
	req->mailbox = &session->port;
	req->uidvalidity = mailbox->uidvalidity;
	req->uidnext = world->server.tells_uidnext ? mailbox->uidnext : 0;
	req->exists = (uint32_t)mailbox->count;
	req->flags_mask = session_flags_out(session, world->server.flags_mask);
	req->named_flags = FLAGS_SYSTEM;
	req->highestmodseq = session->open_modseq;
	req->has_email_ids = world->server.tells_email_ids;
	return 0;
}

/* Without a connection yet, whatever breaks is one that could not be had. */
static int run_without_session(struct task *task, int (*run)(struct task *task))
{
	enum fault_kind fault = FAULT_NONE;
	int code = world_enter(task->world, &fault, &task->op->err);

	if (code == 0)
		code = run(task);
	if (code == 0)
		code = world_leave(task->world, fault, &task->op->err);
	return code == SYNCD_EIO || code == SYNCD_ENOSPC
		       ? error_set(&task->op->err, SYNCD_ENET, "no connection")
		       : code;
}

/* The answer to SELECT may be lost like any other; then there is no session. */
static int run_open_or_fail(struct task *task)
{
	struct remote_open_req *req = container_of(task->op, struct remote_open_req, op);
	int code = run_without_session(task, run_open);

	if (code != 0 && req->mailbox != NULL) {
		session_free(session_of(req->mailbox));
		req->mailbox = NULL;
	}
	return code;
}

static void account_open(struct remote_account *account, struct remote_open_req *req)
{
	req->mailbox = NULL;
	world_post(container_of(account, struct world, remote), LANE_ENV, &req->op, NULL,
		   run_open_or_fail);
}

/* --- list, status ------------------------------------------------------------------------- */

/* A server that keeps no modseqs for this mailbox may tell the rest all the same. */
static void list_one(struct world *world, struct remote_list_req *req,
		     const struct model_mailbox *mailbox)
{
	struct mailbox_info info = {
		.name = mailbox->name,
		.is_selectable = true,
		.lasting_id = world->server.tells_ids ? mailbox->id : 0,
	};

	if (world->server.tells_status && req->selects != NULL && req->selects(req, info.name))
		info.status = model_mailbox_status(world, mailbox);
	req->found(req, &info);
}

/* Superior names that are no mailboxes are listed as what they are (RFC 3501 §7.2.2). */
static void list_superior(struct world *world, struct remote_list_req *req,
			  const struct model_mailbox *mailbox)
{
	const char *slash = strchr(mailbox->name, '/');

	if (slash == NULL)
		return;
	char *name = xstrndup(mailbox->name, (size_t)(slash - mailbox->name));
	if (model_mailbox_find(world, name) == NULL)
		req->found(req, &(struct mailbox_info){ .name = name });
	free(name);
}

static int run_list(struct task *task)
{
	struct remote_list_req *req = container_of(task->op, struct remote_list_req, op);

	for (size_t i = 0; model_mailbox_nth(task->world, i) != NULL; i++) {
		list_superior(task->world, req, model_mailbox_nth(task->world, i));
		list_one(task->world, req, model_mailbox_nth(task->world, i));
	}
	return 0;
}

static void account_list(struct remote_account *account, struct remote_list_req *req)
{
	account_post(account, &req->op, run_list);
}

static int run_status(struct task *task)
{
	struct remote_status_req *req = container_of(task->op, struct remote_status_req, op);
	const struct model_mailbox *mailbox = model_mailbox_find(task->world, req->name);

	if (mailbox == NULL)
		return error_set(&task->op->err, SYNCD_ENOTFOUND, "no mailbox %s", req->name);
	req->status = model_mailbox_status(task->world, mailbox);
	return 0;
}

static void account_status(struct remote_account *account, struct remote_status_req *req)
{
	req->status = (struct mailbox_status){ .uidvalidity = 0 };
	account_post(account, &req->op, run_status);
}

/* --- create, rename, delete ---------------------------------------------------------------- */

static int run_create(struct task *task)
{
	struct remote_create_req *req = container_of(task->op, struct remote_create_req, op);

	task->world->sent++;
	(void)model_mailbox_create(task->world, req->name);
	return 0;
}

static void account_create(struct remote_account *account, struct remote_create_req *req)
{
	account_post(account, &req->op, run_create);
}

static int run_rename(struct task *task)
{
	struct remote_rename_req *req = container_of(task->op, struct remote_rename_req, op);
	int code = model_mailbox_rename(task->world, req->from, req->to);

	task->world->sent++;
	return code != 0 ? error_set(&task->op->err, code, "cannot rename %s to %s", req->from,
				     req->to)
			 : 0;
}

static void account_rename(struct remote_account *account, struct remote_rename_req *req)
{
	account_post(account, &req->op, run_rename);
}

static int run_delete(struct task *task)
{
	struct remote_delete_req *req = container_of(task->op, struct remote_delete_req, op);
	int code = model_mailbox_delete(task->world, req->name);

	task->world->sent++;
	return code != 0 ? error_set(&task->op->err, code, "cannot delete %s", req->name) : 0;
}

bool model_mailbox_is_going(const struct world *world, const char *name)
{
	list_for_each(node, &world->tasks)
	{
		const struct task *task = container_of(node, const struct task, link);
		if (task->run == run_delete &&
		    strcmp(container_of(task->op, const struct remote_delete_req, op)->name,
			   name) == 0)
			return true;
	}
	return false;
}

static void account_remove(struct remote_account *account, struct remote_delete_req *req)
{
	account_post(account, &req->op, run_delete);
}

static const struct remote_account_ops account_ops = {
	.list = account_list,
	.create = account_create,
	.rename = account_rename,
	.remove = account_remove,
	.status = account_status,
	.open = account_open,
};

void model_remote_init(struct world *world)
{
	world->remote.ops = &account_ops;
}
