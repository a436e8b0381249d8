/* OpenSSL's failures in words.
 * SPDX-License-Identifier: MIT */
#include "tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "syncd/must.h"

struct tls_error_row {
	int reason;
	int code;
	const char *text;
};

#define REFUSES_CERT "the server refuses our client certificate"

static const struct tls_error_row rows[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, SYNCD_EPROTO, "the server does not speak TLS here" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, SYNCD_EPROTO, "the server's TLS is older than 1.2" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SYNCD_EPROTO, "the server's TLS is older than 1.2" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SYNCD_EAUTH,
	  "the server wants a client certificate (tls_client_cert)" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SYNCD_EAUTH, REFUSES_CERT },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SYNCD_EAUTH, REFUSES_CERT ": expired" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SYNCD_EAUTH, REFUSES_CERT ": revoked" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SYNCD_EAUTH, REFUSES_CERT },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, SYNCD_EAUTH, REFUSES_CERT ": unknown authority" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, SYNCD_EAUTH, REFUSES_CERT },
};

void tls_error_take(struct error *err)
{
	unsigned long first = ERR_peek_error();
	const char *reason = ERR_reason_error_string(first);

	ERR_clear_error();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) == rows[i].reason) {
			(void)error_set(err, rows[i].code, "%s", rows[i].text);
			return;
		}
	}
	(void)error_set(err, SYNCD_EPROTO, "TLS failed: %s",
			reason != NULL ? reason : "unknown reason");
}
