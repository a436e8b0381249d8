/* Certificates with any names and dates, signed by an authority that is trusted or not: who is
 * refused is told so in one printable text with the fingerprint, and who is trusted has the name
 * that was asked for, and the right signature. The input: a byte of choices, and the type of the
 * common name; then lines of the common name and of the end of validity; the rest is the extension
 * of alternative names.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "../../src/net/trust.h"
#include "fuzz/fuzz.h"
#include "support/test_cert.h"
#include "syncd/must.h"

#define HOST "mail.example"
#define INPUT_MAX 4096
#define TURNS 8

#define IS_STRANGERS 1 /* signed by an authority that nobody trusts */
#define HAS_OLD_DATE 2 /* the end of validity is the input's, as UTCTime */
#define HAS_DATE 4     /* the same as GeneralizedTime */
#define HAS_PRINT 8    /* a fingerprint alone decides: another one's */
#define IS_ADDRESS 16  /* the host is an address */

struct pki {
	struct test_cert authority;
	struct test_cert stranger;
	struct test_cert server; /* of which the key is used */
};

static const struct pki *the_pki(void)
{
	static struct pki pki;

	if (pki.server.x509 == NULL) {
		pki.authority = test_cert_new(NULL, "authority", NULL, 86400);
		pki.stranger = test_cert_new(NULL, "stranger", NULL, 86400);
		pki.server = test_cert_new(&pki.authority, "server", "DNS:" HOST, 86400);
	}
	return &pki;
}

static struct slice take_line(struct slice *left)
{
	struct slice line = *left;
	const char *end = line.len > 0 ? memchr(line.data, '\n', line.len) : NULL;

	if (end != NULL)
		line.len = (size_t)(end - line.data);
	left->data += line.len + (end != NULL ? 1 : 0);
	left->len -= line.len + (end != NULL ? 1 : 0);
	return line;
}

/* As far as OpenSSL lets such things be made: what it does not take stays away. */
static void set_strange_parts(X509 *x509, unsigned choices, int type, struct slice input)
{
	struct slice name = take_line(&input);
	struct slice date = take_line(&input);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	(void)X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName, type,
					 (const unsigned char *)name.data, (int)name.len, -1, 0);
	if ((choices & (HAS_OLD_DATE | HAS_DATE)) != 0) {
		ASN1_TIME *end = ASN1_STRING_type_new(
			(choices & HAS_DATE) != 0 ? V_ASN1_GENERALIZEDTIME : V_ASN1_UTCTIME);
		must(end != NULL && ASN1_STRING_set(end, date.data, (int)date.len) == 1);
		(void)X509_set1_notAfter(x509, end);
		ASN1_TIME_free(end);
	}
	must(value != NULL &&
	     ASN1_OCTET_STRING_set(value, (const unsigned char *)input.data, (int)input.len) == 1);
	if (input.len > 0) {
		X509_EXTENSION *names =
			X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
		must(names != NULL && X509_add_ext(x509, names, -1) == 1);
		X509_EXTENSION_free(names);
	}
	ASN1_OCTET_STRING_free(value);
}

static X509 *cert_of(const struct pki *pki, unsigned choices, int type, struct slice input)
{
	const struct test_cert *signer =
		(choices & IS_STRANGERS) != 0 ? &pki->stranger : &pki->authority;
	X509 *x509 = X509_new();

	must(x509 != NULL && X509_set_version(x509, X509_VERSION_3) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(x509), -3600) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(x509), 3600) != NULL);
	must(X509_set_pubkey(x509, pki->server.key) == 1);
	must(X509_set_issuer_name(x509, X509_get_subject_name(signer->x509)) == 1);
	set_strange_parts(x509, choices, type, input);
	/* Some names have no encoding that could be signed. */
	if (X509_sign(x509, signer->key, EVP_sha256()) == 0) {
		X509_free(x509);
		x509 = NULL;
	}
	return x509;
}

/* --- The handshake ------------------------------------------------------------------ */

/* Both ends' contexts are costly to make, and the same for all. */
struct ends {
	struct net_target target;
	struct net_context client;
	SSL_CTX *server;
};

static struct ends *the_ends(const struct pki *pki)
{
	static struct ends ends;

	if (ends.server != NULL)
		return &ends;
	ends.server = SSL_CTX_new(TLS_server_method());
	ends.client = (struct net_context){ .target = &ends.target,
					    .ssl_ctx = SSL_CTX_new(TLS_client_method()) };
	must(ends.server != NULL && ends.client.ssl_ctx != NULL);
	must(X509_STORE_add_cert(SSL_CTX_get_cert_store(ends.client.ssl_ctx),
				 pki->authority.x509) == 1);
	trust_install(ends.client.ssl_ctx, &ends.client);
	return &ends;
}

/* Whether the client trusts the server. */
static bool shake_hands(SSL *client, SSL *server)
{
	BIO *to_server;
	BIO *to_client;
	int rc = 0;

	must(BIO_new_bio_pair(&to_server, 65536, &to_client, 65536) == 1);
	SSL_set_bio(client, to_server, to_server);
	SSL_set_bio(server, to_client, to_client);
	for (int i = 0; i < TURNS && rc != 1; i++) {
		rc = SSL_connect(client);
		(void)SSL_accept(server);
	}
	return rc == 1;
}

static void check_refusal(const struct error *refusal)
{
	must(refusal->code == SYNCD_ETRUST);
	must(strstr(refusal->text, "not trusted") != NULL);
	for (const unsigned char *p = (const unsigned char *)refusal->text; *p != '\0'; p++)
		must(*p >= 0x20 && *p != 0x7f);
}

static void check_trusted(const struct pki *pki, X509 *x509, const char *host)
{
	must(X509_verify(x509, pki->authority.key) == 1);
	must(X509_cmp_current_time(X509_get0_notAfter(x509)) > 0);
	must(X509_check_host(x509, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
	     X509_check_ip_asc(x509, host, 0) == 1);
}

static void run(const struct pki *pki, X509 *x509, unsigned choices)
{
	struct ends *ends = the_ends(pki);
	struct error refusal = { .code = 0 };
	SSL *client = SSL_new(ends->client.ssl_ctx);
	SSL *server = SSL_new(ends->server);

	must(client != NULL && server != NULL);
	ends->target.host = (choices & IS_ADDRESS) != 0 ? "192.0.2.1" : HOST;
	ends->client.has_fingerprint = (choices & HAS_PRINT) != 0;
	trust_expect(client, &ends->client, &refusal);
	if (SSL_use_certificate(server, x509) == 1 &&
	    SSL_use_PrivateKey(server, pki->server.key) == 1) {
		bool is_trusted = shake_hands(client, server);
		must(!is_trusted || !ends->client.has_fingerprint);
		if (is_trusted)
			check_trusted(pki, x509, ends->target.host);
		else if (refusal.code != 0)
			check_refusal(&refusal);
	}
	SSL_free(client);
	SSL_free(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pki *pki = the_pki();

	if (size < 2 || size > INPUT_MAX)
		return 0;
	struct slice input = { (const char *)data + 2, size - 2 };
	X509 *x509 = cert_of(pki, data[0], data[1], input);
	if (x509 != NULL)
		run(pki, x509, data[0]);
	X509_free(x509);
	ERR_clear_error();
	return 0;
}
