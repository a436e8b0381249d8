/* Certificates made at run time, for tests of TLS.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_TEST_CERT_H
#define TESTS_SUPPORT_TEST_CERT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

struct test_cert {
	X509 *x509;
	EVP_PKEY *key;
};

/* A certificate for `common_name`, valid from one day before to `valid_s` seconds
 * after now (negative: expired), signed by `issuer`, or by itself if NULL.
 * `names` is a subjectAltName such as "DNS:a.example,IP:127.0.0.1"; NULL makes
 * an authority. Free with test_cert_free. */
struct test_cert test_cert_new(const struct test_cert *issuer, const char *common_name,
			       const char *names, long valid_s);
void test_cert_free(struct test_cert *cert);

/* Writes certificate and key as PEM into one file. */
void test_cert_write(const struct test_cert *cert, const char *path);

/* "sha256:HEX" of it. */
void test_cert_fingerprint(const struct test_cert *cert, char out[80]);

#endif
