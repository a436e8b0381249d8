/* Whether a server's certificate is trusted, and why not, in words.
 * SPDX-License-Identifier: MIT */
#include "trust.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "syncd/alloc.h"
#include "syncd/buf.h"
#include "syncd/must.h"

#define FINGERPRINT_PREFIX "sha256:"
#define NAMES_TEXT_MAX 120 /* of a certificate's names in an error */
#define HOST_MAX 255

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int trust_parse_fingerprint(const char *text, unsigned char out[FINGERPRINT_SIZE],
			    struct error *err)
{
	size_t prefix_len = strlen(FINGERPRINT_PREFIX);
	size_t len = 0;
	const char *p = text + prefix_len;

	if (strncmp(text, FINGERPRINT_PREFIX, prefix_len) != 0)
		return error_set(err, SYNCD_ECONFIG, "tls_fingerprint must begin with sha256:");
	while (*p != '\0' && len < FINGERPRINT_SIZE) {
		int high = hex_value(p[0]);
		int low = high >= 0 ? hex_value(p[1]) : -1;
		if (low < 0)
			break;
		out[len++] = (unsigned char)(high << 4 | low);
		p += 2;
		if (*p == ':' && p[1] != '\0')
			p++;
	}
	if (*p != '\0' || len != FINGERPRINT_SIZE)
		return error_set(err, SYNCD_ECONFIG,
				 "tls_fingerprint must be sha256: and 64 hexadecimal digits");
	return 0;
}

static void fingerprint_of(X509 *cert, unsigned char out[FINGERPRINT_SIZE])
{
	unsigned int len = 0;

	must(X509_digest(cert, EVP_sha256(), out, &len) == 1 && len == FINGERPRINT_SIZE);
}

static void fingerprint_format(X509 *cert, char out[2 * FINGERPRINT_SIZE + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[FINGERPRINT_SIZE];

	fingerprint_of(cert, bytes);
	for (size_t i = 0; i < FINGERPRINT_SIZE; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * FINGERPRINT_SIZE] = '\0';
}

/* --- Reasons in words -------------------------------------------------------- */

/* Adds ", name"; what does not fit is left out. */
static void names_add(struct buf *names, const char *name, size_t len)
{
	if (len == 0 || names->len + len + 2 > names->max)
		return;
	if (names->len > 0)
		(void)buf_add_str(names, ", ");
	(void)buf_add(names, name, len);
}

static void names_add_address(struct buf *names, const ASN1_OCTET_STRING *address)
{
	char text[INET6_ADDRSTRLEN];
	int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;

	if (family == AF_INET6 && ASN1_STRING_length(address) != 16)
		return;
	if (inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) != NULL)
		names_add(names, text, strlen(text));
}

static void names_of(X509 *cert, struct buf *names)
{
	char common_name[HOST_MAX + 1];
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		if (name->type == GEN_DNS)
			names_add(names, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
				  (size_t)ASN1_STRING_length(name->d.dNSName));
		else if (name->type == GEN_IPADD)
			names_add_address(names, name->d.iPAddress);
	}
	GENERAL_NAMES_free(all);
	if (names->len == 0 &&
	    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, common_name,
				      sizeof(common_name)) > 0)
		names_add(names, common_name, strlen(common_name));
}

static void time_format(const ASN1_TIME *time, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(bio != NULL);
	int len = ASN1_TIME_print(bio, time) == 1 ? BIO_read(bio, out, (int)size - 1) : 0;
	out[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

/* The sentence for OpenSSL's verification result `reason`. */
static void reason_format(int reason, X509 *leaf, X509 *culprit, const char *host, struct buf *out)
{
	struct buf names;
	char when[64];

	switch (reason) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		buf_init(&names, NAMES_TEXT_MAX);
		names_of(leaf, &names);
		(void)buf_printf(out, "it is not for %s but for %s", host,
				 names.len > 0 ? buf_str(&names) : "nobody");
		buf_free(&names);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		time_format(X509_get0_notAfter(culprit), when, sizeof(when));
		(void)buf_printf(out, "it expired on %s", when);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		time_format(X509_get0_notBefore(culprit), when, sizeof(when));
		(void)buf_printf(out, "it is valid only from %s", when);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		(void)buf_add_str(out, "it is self-signed");
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		(void)buf_add_str(out, "no trusted authority has signed it");
		break;
	default:
		(void)buf_add_str(out, X509_verify_cert_error_string(reason));
	}
}

static void refuse(struct error *refusal, X509 *leaf, const char *reason)
{
	char fingerprint[2 * FINGERPRINT_SIZE + 1];

	fingerprint_format(leaf, fingerprint);
	(void)error_set(
		refusal, SYNCD_ETRUST,
		"the server's certificate is not trusted: %s (its fingerprint is sha256:%s)",
		reason, fingerprint);
}

static void refuse_verification(struct error *refusal, X509_STORE_CTX *store, const char *host)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	X509 *culprit = X509_STORE_CTX_get_current_cert(store);
	struct buf reason;

	buf_init(&reason, ERROR_TEXT_MAX);
	reason_format(X509_STORE_CTX_get_error(store), leaf, culprit != NULL ? culprit : leaf,
		      host != NULL ? host : "", &reason);
	refuse(refusal, leaf, buf_str(&reason));
	buf_free(&reason);
}

/* --- Verification ------------------------------------------------------------- */

static int verify(X509_STORE_CTX *store, void *arg)
{
	const struct net_context *context = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct error *refusal = SSL_get_app_data(ssl);
	unsigned char fingerprint[FINGERPRINT_SIZE];

	if (!context->has_fingerprint) {
		if (X509_verify_cert(store) == 1)
			return 1;
		refuse_verification(refusal, store, context->target->host);
		return 0;
	}
	fingerprint_of(X509_STORE_CTX_get0_cert(store), fingerprint);
	if (memcmp(fingerprint, context->fingerprint, FINGERPRINT_SIZE) == 0) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	refuse(refusal, X509_STORE_CTX_get0_cert(store), "it is not the one in tls_fingerprint");
	return 0;
}

void trust_install(SSL_CTX *ctx, struct net_context *context)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, context);
}

void trust_expect(SSL *ssl, const struct net_context *context, struct error *refusal)
{
	const char *host = context->target->host;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	SSL_set_app_data(ssl, refusal);
	if (host == NULL)
		return;
	if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
		return;
	ERR_clear_error();
	/* A name's root dot is no part of the names in certificates (RFC 6125) or SNI. */
	size_t len = strlen(host);
	char *name = xstrndup(host, len > 0 && host[len - 1] == '.' ? len - 1 : len);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	must(X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
	(void)SSL_set_tlsext_host_name(ssl, name);
	free(name);
}
