/* The choice of a mechanism: the strongest that both sides can do.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "mechanism.h"
#include "syncd/must.h"
#include "syncd/sasl.h"

#define OFFER_TEXT_MAX 200 /* of the server's names in an error */

struct choice {
	const struct sasl_offer *offer;
	const char *const *allowed;
	bool is_secure;
	bool has_binding;
	bool has_met_readable; /* one would have done, but for the plaintext */
};

void sasl_offer_add(struct sasl_offer *offer, struct slice name)
{
	if (offer->count == SASL_MECHANISMS_MAX || name.len >= SASL_MECHANISM_LEN_MAX)
		return;
	char *to = offer->names[offer->count++];
	memcpy(to, name.data, name.len);
	to[name.len] = '\0';
}

static bool is_offered(const struct choice *choice, const char *name)
{
	for (size_t i = 0; i < choice->offer->count; i++) {
		if (strcasecmp(choice->offer->names[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_listed(const struct choice *choice, const char *config_name)
{
	if (choice->allowed == NULL)
		return false;
	for (const char *const *p = choice->allowed; *p != NULL; p++) {
		if (strcmp(*p, config_name) == 0)
			return true;
	}
	return false;
}

static bool is_allowed(const struct choice *choice, const struct mechanism *mechanism)
{
	if (choice->allowed == NULL)
		return !mechanism->is_on_request;
	return is_listed(choice, mechanism->config_name);
}

/* Notes when only the plaintext speaks against it. */
static bool may_be_readable(struct choice *choice)
{
	if (!choice->is_secure)
		choice->has_met_readable = true;
	return choice->is_secure;
}

static bool fits(struct choice *choice, const struct mechanism *mechanism)
{
	if (!is_allowed(choice, mechanism) || !is_offered(choice, mechanism->name))
		return false;
	if (mechanism->is_bound && !choice->has_binding)
		return false;
	return !mechanism->is_readable || may_be_readable(choice);
}

static bool login_command_fits(struct choice *choice)
{
	if (!choice->offer->has_login_command)
		return false;
	if (choice->allowed != NULL && !is_listed(choice, "login"))
		return false;
	return may_be_readable(choice);
}

static int refuse(const struct choice *choice, struct error *err)
{
	struct buf names;

	buf_init(&names, OFFER_TEXT_MAX);
	for (size_t i = 0; i < choice->offer->count; i++)
		(void)buf_printf(&names, " %s", choice->offer->names[i]);
	if (choice->offer->has_login_command)
		(void)buf_add_str(&names, " LOGIN command");
	if (names.len == 0)
		(void)buf_add_str(&names, " nothing");
	int rc;
	if (choice->has_met_readable)
		rc = error_set(err, SYNCD_ETRUST,
			       "the password would travel in plaintext: the connection is not "
			       "encrypted, and the server offers only%s",
			       buf_str(&names));
	else
		rc = error_set(err, SYNCD_EAUTH,
			       "no way to log in that both sides can do and the configuration "
			       "allows; the server offers%s",
			       buf_str(&names));
	buf_free(&names);
	return rc;
}

int sasl_choose(const struct sasl_offer *offer, const char *const *allowed, bool is_secure,
		const struct stream *stream, const char **mechanism, struct error *err)
{
	unsigned char binding[MECHANISM_BINDING_MAX];
	struct choice choice = { .offer = offer, .allowed = allowed, .is_secure = is_secure };

	choice.has_binding = stream != NULL && stream_binding(stream, MECHANISM_BINDING, binding,
							      sizeof(binding)) > 0;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (fits(&choice, &mechanisms[i])) {
			*mechanism = mechanisms[i].name;
			return 0;
		}
	}
	if (login_command_fits(&choice)) {
		*mechanism = "LOGIN-COMMAND";
		return 0;
	}
	return refuse(&choice, err);
}
