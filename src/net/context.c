/* What the connections to one target share: TLS settings and sessions.
 * SPDX-License-Identifier: MIT */
#include "context.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "syncd/alloc.h"
#include "syncd/must.h"
#include "trust.h"

/* OpenSSL's own reason for what just failed, for a message. */
static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason != NULL ? reason : "unknown reason";
}

/* OpenSSL hands over its reference. */
static int session_came(SSL *ssl, SSL_SESSION *session)
{
	struct net_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	tls_sessions_keep(&context->sessions, session);
	return 1;
}

/* OpenSSL would ask on the terminal. */
static int no_passphrase(char *out, int size, int is_writing, void *context)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)context;
	return -1;
}

static int load_authorities(SSL_CTX *ctx, const struct net_target *target, struct error *err)
{
	if (target->tls_fingerprint != NULL)
		return 0;
	if (target->tls_ca_file == NULL) {
		if (SSL_CTX_set_default_verify_paths(ctx) == 1)
			return 0;
		return error_set(err, SYNCD_ECONFIG,
				 "the system's certificate store cannot be read: %s",
				 openssl_reason());
	}
	if (SSL_CTX_load_verify_file(ctx, target->tls_ca_file) != 1)
		return error_set(err, SYNCD_ECONFIG, "tls_ca_file %s cannot be used: %s",
				 target->tls_ca_file, openssl_reason());
	/* Whatever is in that file the user chose to trust, roots or not. */
	must(X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN) == 1);
	return 0;
}

static int load_client_cert(SSL_CTX *ctx, const struct net_target *target, struct error *err)
{
	const char *cert = target->tls_client_cert;
	const char *key = target->tls_client_key != NULL ? target->tls_client_key : cert;

	if (cert == NULL)
		return 0;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return error_set(err, SYNCD_ECONFIG, "tls_client_cert %s cannot be used: %s", cert,
				 openssl_reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return error_set(err, SYNCD_ECONFIG, "tls_client_key %s cannot be used: %s", key,
				 openssl_reason());
	return 0;
}

static int context_load(struct net_context *context, struct error *err)
{
	const struct net_target *target = context->target;
	int rc;

	ERR_clear_error();
	if (target->tls_fingerprint != NULL) {
		rc = trust_parse_fingerprint(target->tls_fingerprint, context->fingerprint, err);
		if (rc != 0)
			return rc;
		context->has_fingerprint = true;
	} else if (target->host == NULL) {
		return error_set(err, SYNCD_ECONFIG,
				 "TLS needs a host name to check, or tls_fingerprint");
	}
	rc = load_authorities(context->ssl_ctx, target, err);
	if (rc != 0)
		return rc;
	return load_client_cert(context->ssl_ctx, target, err);
}

static SSL_CTX *ssl_ctx_new(struct net_context *context)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx != NULL);
	must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* most connections are idle */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, session_came);
	SSL_CTX_set_app_data(ctx, context);
	trust_install(ctx, context);
	return ctx;
}

struct net_context *net_context_new(struct loop *loop, const struct net_target *target,
				    struct error *err)
{
	struct net_context *context = xcalloc(1, sizeof(*context));

	context->loop = loop;
	context->target = target;
	if (target->tls == NET_TLS_NONE)
		return context;
	context->ssl_ctx = ssl_ctx_new(context);
	if (context_load(context, err) != 0) {
		ERR_clear_error();
		net_context_free(&context);
	}
	return context;
}

void net_context_free(struct net_context **context)
{
	tls_sessions_forget(&(*context)->sessions);
	SSL_CTX_free((*context)->ssl_ctx);
	free(*context);
	*context = NULL;
}
