/* The remote account: its making and end.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "remote_private.h"

static const struct remote_account_ops account_ops = {
	.list = remote_list,
	.create = remote_create,
	.rename = remote_rename,
	.remove = remote_remove,
	.status = remote_status,
	.open = remote_mailbox_open,
};

static struct adapter_remote *adapter_of(struct login_password *password)
{
	return container_of(password, struct adapter_remote, password);
}

static void password_came(struct login_password *password)
{
	remote_pool_turn(adapter_of(password));
}

static void password_failed(struct login_password *password, const struct error *err)
{
	remote_pool_fail(adapter_of(password), err);
}

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
	adapter->password = (struct login_password){
		.loop = loop,
		.given = settings->password,
		.argv = settings->password_argv,
		.came = password_came,
		.failed = password_failed,
	};
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
