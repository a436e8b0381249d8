/* The remote account: its making and end, and the making of a mailbox.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "remote_private.h"

static struct adapter_remote *adapter_of(struct remote_account *account)
{
	return container_of(account, struct adapter_remote, account);
}

static void op_done(struct port_op *op, int code, const struct error *err)
{
	if (code < 0)
		op->err = *err;
	op->done(op, code);
}

/* --- create ------------------------------------------------------------------- */

struct create_work {
	struct remote_lease lease;
	struct imap_command command;
	struct buf wire;
	struct remote_create_req *req;
};

static void create_finish(struct create_work *work, int code, const struct error *err)
{
	struct remote_create_req *req = work->req;
	struct error why = *err;

	if (work->lease.conn != NULL)
		remote_pool_release(work->lease.conn);
	buf_free(&work->wire);
	free(work);
	op_done(&req->op, code, &why);
}

/* A subscription is a courtesy to other clients; without it all is well too. */
static void create_subscribed(struct imap_command *command, int code)
{
	struct create_work *work = container_of(command, struct create_work, command);

	(void)code;
	create_finish(work, 0, &command->err);
}

/* Servers without RFC 5530 only say it in words. */
static bool says_exists(const struct error *err)
{
	return strcmp(err->server_code, "ALREADYEXISTS") == 0 ||
	       strstr(err->text, "exists") != NULL;
}

static void create_done(struct imap_command *command, int code)
{
	struct create_work *work = container_of(command, struct create_work, command);

	if (code < 0 && !says_exists(&command->err)) {
		create_finish(work, code, &command->err);
		return;
	}
	imap_subscribe_start(work->lease.conn->session, command, buf_slice(&work->wire),
			     create_subscribed);
}

static void create_granted(struct remote_lease *lease, int code)
{
	struct create_work *work = container_of(lease, struct create_work, lease);

	if (code == 0)
		code = remote_name_to_wire(
			work->req->name, imap_session_prefix(lease->conn->session),
			imap_session_separator(lease->conn->session), &work->wire, &lease->err);
	if (code < 0) {
		create_finish(work, code, &lease->err);
		return;
	}
	imap_create_start(lease->conn->session, &work->command, buf_slice(&work->wire),
			  create_done);
}

static void account_create(struct remote_account *account, struct remote_create_req *req)
{
	struct create_work *work = xcalloc(1, sizeof(*work));

	error_clear(&req->op.err);
	work->req = req;
	work->lease.granted = create_granted;
	buf_init(&work->wire, IMAP_NAME_MAX);
	remote_pool_lease(adapter_of(account), &work->lease);
}

/* --- The account ------------------------------------------------------------------ */

static const struct remote_account_ops account_ops = {
	.list = remote_list,
	.create = account_create,
	.open = remote_mailbox_open,
};

struct adapter_remote *adapter_remote_new(struct loop *loop,
					  const struct adapter_remote_settings *settings,
					  struct error *err)
{
	struct adapter_remote *adapter = xcalloc(1, sizeof(*adapter));

	must(settings->connections > 0);
	adapter->account.ops = &account_ops;
	adapter->loop = loop;
	adapter->settings = *settings;
	adapter->connections = settings->connections;
	list_init(&adapter->conns);
	list_init(&adapter->waiting);
	list_init(&adapter->pushes);
	list_init(&adapter->lanes);
	adapter->net = net_context_new(loop, &adapter->settings.target, err);
	if (adapter->net == NULL) {
		free(adapter);
		return NULL;
	}
	return adapter;
}

struct remote_account *adapter_remote_port(struct adapter_remote *adapter)
{
	return &adapter->account;
}

void adapter_remote_drop_idle(struct adapter_remote *adapter)
{
	remote_pool_drop_idle(adapter);
}

void adapter_remote_close(struct adapter_remote *adapter, struct port_op *op)
{
	must(adapter->closing == NULL);
	error_clear(&op->err);
	adapter->closing = op;
	remote_push_stop_all(adapter);
	remote_pool_close(adapter);
}
