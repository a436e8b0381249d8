/* The account's password: given, or from a command that is run at the first
 * login and once more when what worked before is refused.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/must.h"

#include "remote_private.h"

static void password_came(struct password_request *req, struct secret *password,
			  const struct error *err)
{
	struct adapter_remote *adapter = container_of(req, struct adapter_remote, ask);

	adapter->is_asking = false;
	if (password == NULL) {
		remote_pool_fail(adapter, err);
		return;
	}
	adapter->password = password;
	adapter->password_generation++;
	adapter->is_password_proven = false;
	remote_pool_turn(adapter);
}

bool remote_password_get(struct adapter_remote *adapter)
{
	const struct adapter_remote_settings *settings = &adapter->settings;
	struct error err;

	if (adapter->password != NULL)
		return true;
	if (settings->password != NULL) {
		adapter->password = secret_new(settings->password, strlen(settings->password));
		return true;
	}
	if (settings->password_argv == NULL)
		return true;
	if (adapter->is_asking)
		return false;
	error_clear(&err);
	if (password_request_start(adapter->loop, &adapter->ask, settings->password_argv,
				   PASSWORD_COMMAND_TIMEOUT_MS, password_came, &err) < 0) {
		remote_pool_fail(adapter, &err);
		return false;
	}
	adapter->is_asking = true;
	return false;
}

/* A command's refused answer is forgotten, so that it is run anew: now if the answer had worked
 * before (a token that expired), else when someone tries again. */
static bool forget_answer(struct adapter_remote *adapter, unsigned generation)
{
	if (generation != adapter->password_generation || adapter->password == NULL)
		return true;
	bool was_proven = adapter->is_password_proven;
	secret_free(&adapter->password);
	adapter->is_password_proven = false;
	return was_proven;
}

/* Yahoo refuses a right password now and then (QUIRKS): one that had worked is tried once more. */
bool remote_password_refused(struct adapter_remote *adapter, unsigned generation)
{
	const struct adapter_remote_settings *settings = &adapter->settings;
	bool was_proven = adapter->is_password_proven;

	if (settings->password_argv != NULL && settings->password == NULL)
		return forget_answer(adapter, generation);
	adapter->is_password_proven = false;
	return was_proven;
}
