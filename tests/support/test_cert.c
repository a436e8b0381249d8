/* Certificates made at run time.
 * SPDX-License-Identifier: MIT */
#include "support/test_cert.h"

#include <stdio.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "syncd/must.h"

#define DAY_S 86400L

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(extension != NULL);
	must(X509_add_ext(x509, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static void set_serial(X509 *x509)
{
	unsigned char bytes[4];

	must(RAND_bytes(bytes, sizeof(bytes)) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(x509),
			      bytes[0] << 16 | bytes[1] << 8 | bytes[2]) == 1);
}

struct test_cert test_cert_new(const struct test_cert *issuer, const char *common_name,
			       const char *names, long valid_s)
{
	struct test_cert cert = { .x509 = X509_new(), .key = EVP_EC_gen("P-256") };
	const struct test_cert *signer = issuer != NULL ? issuer : &cert;

	must(cert.x509 != NULL && cert.key != NULL);
	must(X509_set_version(cert.x509, X509_VERSION_3) == 1);
	set_serial(cert.x509);
	must(X509_gmtime_adj(X509_getm_notBefore(cert.x509), -DAY_S) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(cert.x509), valid_s) != NULL);
	must(X509_set_pubkey(cert.x509, cert.key) == 1);
	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.x509), "CN", MBSTRING_UTF8,
					(const unsigned char *)common_name, -1, -1, 0) == 1);
	must(X509_set_issuer_name(cert.x509, X509_get_subject_name(signer->x509)) == 1);
	add_extension(cert.x509, signer->x509, NID_basic_constraints,
		      names == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(cert.x509, signer->x509, NID_subject_key_identifier, "hash");
	if (names != NULL)
		add_extension(cert.x509, signer->x509, NID_subject_alt_name, names);
	must(X509_sign(cert.x509, signer->key, EVP_sha256()) > 0);
	return cert;
}

void test_cert_free(struct test_cert *cert)
{
	X509_free(cert->x509);
	EVP_PKEY_free(cert->key);
	*cert = (struct test_cert){ 0 };
}

void test_cert_write(const struct test_cert *cert, const char *path)
{
	FILE *file = fopen(path, "w");

	must(file != NULL);
	must(PEM_write_X509(file, cert->x509) == 1);
	must(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL) == 1);
	must(fclose(file) == 0);
}

void test_cert_fingerprint(const struct test_cert *cert, char out[80])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int at = snprintf(out, 80, "sha256:");

	must(X509_digest(cert->x509, EVP_sha256(), digest, &len) == 1);
	for (unsigned int i = 0; i < len; i++)
		at += snprintf(out + at, 80 - (size_t)at, "%02X", digest[i]);
}
