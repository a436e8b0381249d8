/* The mechanisms we know, strongest first.
 * SPDX-License-Identifier: MIT */
#include "mechanism.h"

#include <string.h>

#include "syncd/must.h"

#define PASSWORD .needs_user = true, .needs_password = true

/* Those on request stand first: who lists them means them. */
const struct mechanism mechanisms[MECHANISM_COUNT] = {
	{ "EXTERNAL", "external", .is_on_request = true },
	{ "OAUTHBEARER", "oauthbearer", .is_on_request = true, .is_oauth = true,
	  .is_readable = true, PASSWORD },
	{ "XOAUTH2", "xoauth2", .is_on_request = true, .is_oauth = true, .is_readable = true,
	  PASSWORD },
	{ "SCRAM-SHA-256-PLUS", "scram-sha-256-plus", .is_bound = true, PASSWORD },
	{ "SCRAM-SHA-256", "scram-sha-256", PASSWORD },
	{ "SCRAM-SHA-1-PLUS", "scram-sha-1-plus", .is_bound = true, PASSWORD },
	{ "SCRAM-SHA-1", "scram-sha-1", PASSWORD },
	{ "CRAM-MD5", "cram-md5", .is_server_first = true, PASSWORD },
	/* POP3's own command: a challenge of an attacker's choice gives the password's first
	 * letters away (CVE-2007-1558), so it stands behind what has no such fault. */
	{ "APOP", "apop", .is_on_request = true, PASSWORD },
	{ "PLAIN", "plain", .is_readable = true, PASSWORD },
	{ "LOGIN", "login", .is_readable = true, .is_server_first = true, PASSWORD },
	{ "ANONYMOUS", "anonymous", .is_on_request = true },
};

const struct mechanism *mechanism_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (strcmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	}
	return NULL;
}
