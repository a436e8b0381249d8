/* Channel bindings of a TLS connection. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_TLS_BINDING_H
#define SYNCD_NET_TLS_BINDING_H

#include <openssl/ssl.h>

/* As stream_binding. "tls-exporter" exists with TLS 1.3 only: RFC 9266 §4.2 wants
 * extended master secrets below that. "tls-server-end-point" always. */
size_t tls_binding_get(SSL *ssl, const char *type, unsigned char *out, size_t size);

#endif
