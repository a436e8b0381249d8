/* The messages of XOAUTH2 and OAUTHBEARER.
 * SPDX-License-Identifier: MIT */
#include "oauth.h"

#include <string.h>

#include "syncd/buf.h"

static bool is_xoauth2(const struct mechanism *mechanism)
{
	return strcmp(mechanism->name, "XOAUTH2") == 0;
}

/* RFC 5801 §4, saslname: "=" and "," are escaped. */
static int add_saslname(struct buf *out, const char *name)
{
	int rc = 0;

	for (; *name != '\0' && rc == 0; name++) {
		if (*name == '=')
			rc = buf_add_str(out, "=3D");
		else if (*name == ',')
			rc = buf_add_str(out, "=2C");
		else
			rc = buf_add_char(out, *name);
	}
	return rc;
}

static int add_xoauth2(struct buf *out, const struct sasl_identity *identity)
{
	return buf_printf(out, "user=%s\001auth=Bearer %s\001\001", identity->user,
			  secret_bytes(identity->password));
}

static int add_oauthbearer(struct buf *out, const struct sasl_identity *identity)
{
	int rc = buf_add_str(out, "n,a=");

	if (rc == 0)
		rc = add_saslname(out, identity->user);
	if (rc != 0)
		return rc;
	return buf_printf(out, ",\001host=%s\001port=%u\001auth=Bearer %s\001\001",
			  identity->host != NULL ? identity->host : "", identity->port,
			  secret_bytes(identity->password));
}

struct secret *oauth_message(const struct mechanism *mechanism,
			     const struct sasl_identity *identity)
{
	struct secret *message = NULL;
	struct buf text;

	/* In one piece: a buffer that grows leaves copies behind. */
	buf_init(&text, SECRET_MAX);
	if (buf_reserve(&text, SECRET_MAX) == NULL)
		return NULL;
	int rc = is_xoauth2(mechanism) ? add_xoauth2(&text, identity)
				       : add_oauthbearer(&text, identity);
	if (rc == 0)
		message = secret_new(text.data, text.len);
	if (text.len > 0)
		secret_wipe(text.data, text.len);
	buf_free(&text);
	return message;
}

struct slice oauth_error_answer(const struct mechanism *mechanism)
{
	return is_xoauth2(mechanism) ? SLICE_LITERAL("") : SLICE_LITERAL("\001");
}
