/* What the connections to one target share. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_CONTEXT_H
#define SYNCD_NET_CONTEXT_H

#include <openssl/ssl.h>

#include "syncd/net.h"
#include "tls_session.h"

#define FINGERPRINT_SIZE 32 /* SHA-256 */

struct net_context {
	struct loop *loop;
	const struct net_target *target;
	SSL_CTX *ssl_ctx; /* NULL with NET_TLS_NONE */
	struct tls_sessions sessions;
	bool has_fingerprint;
	unsigned char fingerprint[FINGERPRINT_SIZE];
};

#endif
