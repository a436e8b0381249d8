/* The two mechanisms that carry an OAuth token, which libgsasl does not have:
 * one formatted message each. Private to src/auth.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_AUTH_OAUTH_H
#define SYNCD_AUTH_OAUTH_H

#include "mechanism.h"
#include "syncd/sasl.h"

/* The client's only message (not yet base64), to be freed with secret_free: for
 * XOAUTH2 as Google and Microsoft document it, for OAUTHBEARER RFC 7628 §3.1.
 * NULL when it would pass SECRET_MAX. */
struct secret *oauth_message(const struct mechanism *mechanism,
			     const struct sasl_identity *identity);

/* What an error report of the server is answered with: nothing for XOAUTH2, one
 * ^A for OAUTHBEARER (RFC 7628 §3.2.3). */
struct slice oauth_error_answer(const struct mechanism *mechanism);

#endif
