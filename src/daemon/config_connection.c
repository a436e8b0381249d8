/* The keys of a connection (CONTRACT 2.1).
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_private.h"
#include "config_value.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define DEFAULT_TIMEOUT_S 60

static const struct config_word tls_words[] = {
	{ "implicit", NET_TLS_IMPLICIT },
	{ "starttls", NET_TLS_STARTTLS },
	{ "none", NET_TLS_NONE },
	{ NULL, 0 },
};

static const char *const mechanisms[] = {
	"scram-sha-256-plus",
	"scram-sha-256",
	"scram-sha-1-plus",
	"scram-sha-1",
	"cram-md5",
	"plain",
	"login",
	"xoauth2",
	"oauthbearer",
	"external",
	"anonymous",
	"apop",
};

static bool is_mechanism(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (strcmp(mechanisms[i], name) == 0)
			return true;
	}
	return false;
}

static char **read_auth(const struct config_reader *reader)
{
	char **list = read_list(reader, "auth");

	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		for (char *p = list[i]; *p != '\0'; p++) {
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
		}
		if (!is_mechanism(list[i]))
			read_fault(reader, "auth", "\"%s\" is not a mechanism that is known",
				   list[i]);
	}
	return list;
}

/* One string is for the shell; a list is run as it is. */
static char **read_command(const struct config_reader *reader, const char *key)
{
	char **list = read_list(reader, key);

	if (list == NULL)
		return NULL;
	if (list[0][0] == '\0') {
		read_fault(reader, key, "the command is empty");
		value_list_free(list);
		return NULL;
	}
	if (list[1] != NULL)
		return list;
	char *const shell[] = { "sh", "-c", list[0], NULL };
	char **argv = value_list_copy(shell);
	value_list_free(list);
	return argv;
}

static void read_trust(const struct config_reader *reader, struct config_connection *out)
{
	const char *fingerprint = read_text(reader, "tls_fingerprint");

	out->tls_ca_file = read_path(reader, "tls_ca_file");
	out->tls_client_cert = read_path(reader, "tls_client_cert");
	out->tls_client_key = read_path(reader, "tls_client_key");
	if (fingerprint != NULL && !value_fingerprint(fingerprint, &out->tls_fingerprint))
		read_fault(reader, "tls_fingerprint",
			   "must be sha256: and the 64 hex digits of the certificate's digest");
	if (read_has(reader, "tls_client_cert") && !read_has(reader, "tls_client_key"))
		read_fault(reader, "tls_client_cert", "needs tls_client_key too");
	if (read_has(reader, "tls_client_key") && !read_has(reader, "tls_client_cert"))
		read_fault(reader, "tls_client_key", "needs tls_client_cert too");
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       strcmp(host, "[::1]") == 0 ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

/* Logging in takes no password where another thing vouches for the user. */
static bool needs_password(const struct config_connection *c)
{
	if (c->tunnel != NULL)
		return false; /* ssh has logged in: PREAUTH */
	for (size_t i = 0; c->auth != NULL && c->auth[i] != NULL; i++) {
		if (strcmp(c->auth[i], "external") == 0 || strcmp(c->auth[i], "anonymous") == 0)
			return false;
	}
	return true;
}

static void check_login(const struct config_reader *reader, const struct config_connection *c)
{
	bool has_password = c->password != NULL || c->password_command != NULL;

	if (read_has(reader, "password") && read_has(reader, "password_command"))
		read_fault(reader, "password_command", "goes without password, which is there too");
	if (needs_password(c)) {
		if (!read_has(reader, "user") && c->user == NULL)
			read_fault(reader, "user", "is missing");
		if (!read_has(reader, "password") && !read_has(reader, "password_command") &&
		    !has_password)
			read_fault(reader, "password", "is missing; give it or a password_command");
	}
	if (c->tls == NET_TLS_NONE && has_password && c->tunnel == NULL && c->host != NULL &&
	    !is_loopback(c->host) && !c->allow_plaintext)
		read_fault(
			reader, "tls",
			"a password would travel readably to %s; use implicit or starttls, or set "
			"allow_plaintext = true",
			c->host);
}

void config_refuse_apop(const struct config_reader *reader, const struct config_connection *c,
			const char *protocol)
{
	for (size_t i = 0; c->auth != NULL && c->auth[i] != NULL; i++) {
		if (strcmp(c->auth[i], "apop") == 0)
			read_fault(reader, "auth", "\"apop\" is a command of pop3; %s has none",
				   protocol);
	}
}

/* What a POP3 account allows, but for APOP; nothing left means the strongest. */
static char **inherited_auth(char *const *auth)
{
	char **list = value_list_copy(auth);
	size_t count = 0;

	for (size_t i = 0; list[i] != NULL; i++) {
		if (strcmp(list[i], "apop") == 0)
			free(list[i]);
		else
			list[count++] = list[i];
	}
	list[count] = NULL;
	if (count > 0)
		return list;
	value_list_free(list);
	return NULL;
}

/* What an smtp section has not, the account has. */
static void inherit(const struct config_reader *reader, const struct config_connection *account,
		    struct config_connection *out)
{
	if (!read_has(reader, "user") && account->user != NULL)
		out->user = xstrdup(account->user);
	if (!read_has(reader, "auth") && account->auth != NULL)
		out->auth = inherited_auth(account->auth);
	if (read_has(reader, "password") || read_has(reader, "password_command"))
		return;
	if (account->password != NULL)
		out->password = secret_copy(account->password);
	if (account->password_command != NULL)
		out->password_command = value_list_copy(account->password_command);
}

void config_read_connection(const struct config_reader *reader, uint16_t implicit_port,
			    uint16_t plain_port, const struct config_connection *account,
			    struct config_connection *out)
{
	out->host = read_string(reader, "host");
	out->tunnel = read_string(reader, "tunnel");
	/* A tunnel is secure by itself, and what it leads to seldom speaks TLS. */
	out->tls = (enum net_tls)read_word(reader, "tls", tls_words,
					   read_has(reader, "tunnel") ? NET_TLS_NONE
								      : NET_TLS_IMPLICIT);
	out->port =
		(uint16_t)read_number(reader, "port", 1, UINT16_MAX,
				      out->tls == NET_TLS_IMPLICIT ? implicit_port : plain_port);
	out->allow_plaintext = read_bool(reader, "allow_plaintext", false);
	read_trust(reader, out);
	out->user = read_string(reader, "user");
	out->password = read_secret(reader, "password");
	out->password_command = read_command(reader, "password_command");
	out->auth = read_auth(reader);
	out->timeout_ms = 1000 * read_duration(reader, "timeout", 1, DEFAULT_TIMEOUT_S);
	if (!read_has(reader, "host") && !read_has(reader, "tunnel"))
		read_fault(reader, "host", "is missing");
	if (account != NULL)
		inherit(reader, account, out);
	check_login(reader, out);
}

void config_connection_free(struct config_connection *c)
{
	free(c->host);
	free(c->tls_ca_file);
	free(c->tls_fingerprint);
	free(c->tls_client_cert);
	free(c->tls_client_key);
	free(c->tunnel);
	free(c->user);
	secret_free(&c->password);
	value_list_free(c->password_command);
	value_list_free(c->auth);
}

struct net_target config_target(const struct config_connection *c)
{
	return (struct net_target){
		.host = c->host,
		.port = c->port,
		.tls = c->tls,
		.tunnel = c->tunnel,
		.tls_ca_file = c->tls_ca_file,
		.tls_fingerprint = c->tls_fingerprint,
		.tls_client_cert = c->tls_client_cert,
		.tls_client_key = c->tls_client_key,
		.timeout_ms = c->timeout_ms,
	};
}
