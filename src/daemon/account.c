/* An account: its state, its ports, and closing them in order.
 * SPDX-License-Identifier: MIT */
#include "account_private.h"

#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

static int account_open_remote(struct account *account, struct error *err)
{
	const struct config_connection *connection = &account->settings->connection;
	struct adapter_remote_settings settings = {
		.account = account->settings->name,
		.target = config_target(connection),
		.user = connection->user,
		.password =
			connection->password != NULL ? secret_bytes(connection->password) : NULL,
		.password_argv = connection->password_command,
		.auth = (const char *const *)connection->auth,
		.allow_plaintext = connection->allow_plaintext,
		.mailboxes = account->settings->mailboxes,
		.compress = account->settings->compress,
		.connections = account->settings->connections,
	};

	account->remote = adapter_remote_new(account->loop, &settings, err);
	return account->remote != NULL ? 0 : err->code;
}

static int account_open_maildrop(struct account *account, struct error *err)
{
	const struct config_connection *connection = &account->settings->connection;
	struct adapter_maildrop_settings settings = {
		.account = account->settings->name,
		.target = config_target(connection),
		.user = connection->user,
		.password =
			connection->password != NULL ? secret_bytes(connection->password) : NULL,
		.password_argv = connection->password_command,
		.auth = (const char *const *)connection->auth,
		.allow_plaintext = connection->allow_plaintext,
	};

	account->maildrop = adapter_maildrop_new(account->loop, &settings, err);
	return account->maildrop != NULL ? 0 : err->code;
}

static void account_open_local(struct account *account)
{
	const struct config_account *settings = account->settings;
	struct adapter_local_options options = {
		.account = settings->name,
		.root = settings->maildir,
		.identity = store_identity(account->store),
		.layout = settings->layout,
		.line_endings = settings->crlf ? MAILDIR_CRLF : MAILDIR_LF,
	};

	account->local = adapter_local_new(account->loop, &options);
}

static void account_plug_ports(struct account *account)
{
	struct local_account *local = account->local;
	struct store_port *store = &account->state.port;
	struct env_port *env = &account->env.port;

	if (account->maildrop != NULL)
		account->pull_ports =
			(struct sync_pull_ports){ adapter_maildrop_port(account->maildrop), local,
						  store, env };
	else
		account->ports = (struct sync_ports){ adapter_remote_port(account->remote), local,
						      store, env };
}

int account_open(struct loop *loop, const struct config *config,
		 const struct config_account *settings, const char *program, bool is_read_only,
		 struct account **account, struct error *err)
{
	struct store_options options = {
		.program = program,
		.lock_wait_ms = STORE_LOCK_WAIT_MS,
		.map_size_bytes = STORE_MAP_SIZE,
		.is_read_only = is_read_only,
	};
	struct account *opened = xcalloc(1, sizeof(*opened));
	int code;

	*account = NULL;
	opened->loop = loop;
	opened->settings = settings;
	code = store_open(loop, config->state_dir, settings->name, &options, &opened->store, err);
	if (code == 0)
		code = account_place_check(opened, config->state_dir, is_read_only, err);
	if (code == 0)
		code = settings->protocol == CONFIG_POP3 ? account_open_maildrop(opened, err)
							 : account_open_remote(opened, err);
	if (code != 0) {
		if (opened->store != NULL)
			store_close(&opened->store);
		free(opened);
		error_context(err, "account %s", settings->name);
		return code;
	}
	account_open_local(opened);
	adapter_store_init(&opened->state, opened->store);
	adapter_env_init(&opened->env, loop);
	account_plug_ports(opened);
	*account = opened;
	return 0;
}

void account_close_if_over(struct account *account)
{
	struct port_op *closed = account->closed;

	if (!account->is_remote_closed || account->run != NULL)
		return;
	if (account->maildrop != NULL)
		adapter_maildrop_free(&account->maildrop);
	adapter_local_free(&account->local);
	store_close(&account->store);
	free(account->trash);
	free(account);
	closed->done(closed, 0);
}

static void account_remote_closed(struct port_op *op, int code)
{
	struct account *account = container_of(op, struct account, closing);

	(void)code; /* closing has no other outcome */
	account->is_remote_closed = true;
	account_close_if_over(account);
}

void account_close(struct account *account, struct port_op *op)
{
	if (account->run != NULL)
		account_run_cancel(account->run);
	account->closed = op;
	account->closing.done = account_remote_closed;
	/* A maildrop is closed with the run that opened it. */
	if (account->remote != NULL)
		adapter_remote_close(account->remote, &account->closing);
	else
		account->env.port.ops->defer(&account->env.port, &account->closing);
}

void account_trim(struct account *account)
{
	store_trim(account->store);
	alloc_trim();
}

void account_drop_idle(struct account *account)
{
	if (account->remote != NULL)
		adapter_remote_drop_idle(account->remote);
}

const char *account_name(const struct account *account)
{
	return account->settings->name;
}

struct adapter_remote *account_remote(struct account *account)
{
	return account->remote;
}

struct store_port *account_store(struct account *account)
{
	return &account->state.port;
}

uint64_t account_max_size(const struct account *account)
{
	uint64_t max = account->settings->max_size_bytes;

	return max == CONFIG_NO_LIMIT ? 0 : max;
}

struct local_account *account_local(struct account *account)
{
	return account->local;
}
