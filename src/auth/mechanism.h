/* The mechanisms we know and what they ask for. Private to src/auth.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_AUTH_MECHANISM_H
#define SYNCD_AUTH_MECHANISM_H

#include <stdbool.h>
#include <stddef.h>

#define MECHANISM_BINDING "tls-exporter" /* the channel binding of -PLUS (RFC 9266) */
#define MECHANISM_BINDING_MAX 64

struct mechanism {
	const char *name;        /* as servers write it */
	const char *config_name; /* as in CONTRACT 2.1 `auth` */
	bool is_readable;        /* whoever listens can log in with what it sends */
	bool is_on_request;      /* only when listed in `auth` */
	bool is_bound;           /* needs a channel binding */
	bool is_oauth;           /* ours (oauth.h), the rest is libgsasl's */
	bool is_server_first;    /* no initial response */
	bool needs_user;
	bool needs_password;
};

#define MECHANISM_COUNT 12

/* Strongest first. */
extern const struct mechanism mechanisms[MECHANISM_COUNT];

/* The one of this name, or NULL. */
const struct mechanism *mechanism_find(const char *name);

#endif
