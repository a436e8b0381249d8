/* The account's password, as its logins need it. Seen by src/adapter only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_LOGIN_PASSWORD_H
#define SYNCD_ADAPTER_LOGIN_PASSWORD_H

#include "syncd/sasl.h"

struct login_password {
	/* Inputs. */
	struct loop *loop;
	const char *given; /* or NULL */
	char *const *argv; /* a command, when none is given; or NULL */
	/* What was being asked for came, or not. */
	void (*came)(struct login_password *password);
	void (*failed)(struct login_password *password, const struct error *err);

	struct secret *secret; /* NULL: none is known, or none is needed */
	unsigned generation;   /* of what the command printed */
	bool is_proven;        /* it worked */
	bool is_asking;
	struct password_request ask;
};

/* True when logins may begin: the password is known, or none is needed. Otherwise it is being asked
 * for; came or failed follows, the latter perhaps at once. */
bool login_password_get(struct login_password *password);

/* The server took this generation's. */
void login_password_worked(struct login_password *password, unsigned generation);

/* The server refused it. True when it is worth another try. */
bool login_password_refused(struct login_password *password, unsigned generation);

/* Nothing is asked for any more: failed follows, when something was. */
void login_password_cancel(struct login_password *password);

#endif
