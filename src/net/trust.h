/* Whether a server's certificate is trusted, and why not. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_TRUST_H
#define SYNCD_NET_TRUST_H

#include <openssl/ssl.h>

#include "context.h"

/* Reads "sha256:HEX" (colons between the bytes allowed). Returns 0, or
 * SYNCD_ECONFIG. */
int trust_parse_fingerprint(const char *text, unsigned char out[FINGERPRINT_SIZE],
			    struct error *err);

/* Makes `ctx` verify servers as the context's target says: by its fingerprint
 * alone, or by chain and name. */
void trust_install(SSL_CTX *ctx, struct net_context *context);

/* Tells a connection which name or address its server must prove, and sends the
 * name along (SNI, RFC 6066 §3). `refusal` must outlive it: filled with
 * SYNCD_ETRUST when the certificate is refused. */
void trust_expect(SSL *ssl, const struct net_context *context, struct error *refusal);

#endif
