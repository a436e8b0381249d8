/* OpenSSL's failures in words. Private to src/net.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_NET_TLS_ERROR_H
#define SYNCD_NET_TLS_ERROR_H

#include "syncd/error.h"

/* Describes the failure on top of OpenSSL's error queue and empties that:
 * SYNCD_EAUTH when the server refuses our client certificate, else
 * SYNCD_EPROTO. */
void tls_error_take(struct error *err);

#endif
