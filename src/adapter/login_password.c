/* The account's password: given, or from a command that is run at the first
 * login and once more when what worked before is refused.
 * SPDX-License-Identifier: MIT */
#include "login_password.h"

#include <string.h>

#include "syncd/must.h"

static void password_came(struct password_request *req, struct secret *secret,
			  const struct error *err)
{
	struct login_password *password = container_of(req, struct login_password, ask);

	password->is_asking = false;
	if (secret == NULL) {
		password->failed(password, err);
		return;
	}
	password->secret = secret;
	password->generation++;
	password->is_proven = false;
	password->came(password);
}

bool login_password_get(struct login_password *password)
{
	struct error err;

	if (password->secret != NULL)
		return true;
	if (password->given != NULL) {
		password->secret = secret_new(password->given, strlen(password->given));
		return true;
	}
	if (password->argv == NULL)
		return true;
	if (password->is_asking)
		return false;
	error_clear(&err);
	if (password_request_start(password->loop, &password->ask, password->argv,
				   PASSWORD_COMMAND_TIMEOUT_MS, password_came, &err) < 0) {
		password->failed(password, &err);
		return false;
	}
	password->is_asking = true;
	return false;
}

void login_password_worked(struct login_password *password, unsigned generation)
{
	if (generation == password->generation)
		password->is_proven = true;
}

/* A command's refused answer is forgotten, so that it is run anew: now if the answer had worked
 * before (a token that expired), else when someone tries again. */
static bool forget_answer(struct login_password *password, unsigned generation)
{
	if (generation != password->generation || password->secret == NULL)
		return true;
	bool was_proven = password->is_proven;
	secret_free(&password->secret);
	password->is_proven = false;
	return was_proven;
}

/* Yahoo refuses a right password now and then (QUIRKS): one that had worked is tried once more. */
bool login_password_refused(struct login_password *password, unsigned generation)
{
	bool was_proven = password->is_proven;

	if (password->argv != NULL && password->given == NULL)
		return forget_answer(password, generation);
	password->is_proven = false;
	return was_proven;
}

void login_password_cancel(struct login_password *password)
{
	if (password->is_asking)
		password_request_cancel(&password->ask);
}
