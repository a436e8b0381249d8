/* Channel bindings of a TLS connection (RFC 5929, RFC 9266).
 * SPDX-License-Identifier: MIT */
#include "tls_binding.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EXPORTER_SIZE 32

static size_t binding_exporter(SSL *ssl, unsigned char *out, size_t size)
{
	if (SSL_version(ssl) < TLS1_3_VERSION || size < EXPORTER_SIZE)
		return 0;
	if (SSL_export_keying_material(ssl, out, EXPORTER_SIZE, EXPORTER_LABEL,
				       strlen(EXPORTER_LABEL), NULL, 0, 0) != 1) {
		ERR_clear_error();
		return 0;
	}
	return EXPORTER_SIZE;
}

/* RFC 5929 §4.1: the hash is that of the certificate's signature, with MD5 and
 * SHA-1 replaced by SHA-256. */
static size_t binding_end_point(SSL *ssl, unsigned char *out, size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int hash = NID_undef;
	X509 *cert = SSL_get0_peer_certificate(ssl);

	if (cert == NULL || X509_get_signature_info(cert, &hash, NULL, NULL, NULL) != 1)
		return 0;
	if (hash == NID_md5 || hash == NID_sha1)
		hash = NID_sha256;
	const EVP_MD *md = EVP_get_digestbynid(hash);
	if (md == NULL || X509_digest(cert, md, digest, &len) != 1 || len > size) {
		ERR_clear_error();
		return 0;
	}
	memcpy(out, digest, len);
	return len;
}

size_t tls_binding_get(SSL *ssl, const char *type, unsigned char *out, size_t size)
{
	if (strcmp(type, "tls-exporter") == 0)
		return binding_exporter(ssl, out, size);
	if (strcmp(type, "tls-server-end-point") == 0)
		return binding_end_point(ssl, out, size);
	return 0;
}
