/* The digest of POP3's APOP command.
 * SPDX-License-Identifier: MIT */
#include <gsasl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "syncd/sasl.h"

#define MD5_SIZE 16

static bool md5(struct slice first, struct slice second, unsigned char out[MD5_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned size = 0;

	bool is_done = context != NULL && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
		       EVP_DigestUpdate(context, first.data, first.len) == 1 &&
		       EVP_DigestUpdate(context, second.data, second.len) == 1 &&
		       EVP_DigestFinal_ex(context, out, &size) == 1 && size == MD5_SIZE;
	EVP_MD_CTX_free(context);
	return is_done;
}

int sasl_apop_digest(struct slice timestamp, const struct secret *password,
		     char out[SASL_APOP_SIZE], struct error *err)
{
	struct slice plain = { secret_bytes(password), secret_len(password) };
	unsigned char digest[MD5_SIZE];
	char *prepared = NULL;

	/* What is no UTF-8 stays as it is: servers of before RFC 6856 took any bytes. */
	if (gsasl_saslprep(plain.data, (Gsasl_saslprep_flags)0, &prepared, NULL) == GSASL_OK)
		plain = slice_of(prepared);
	bool is_done = md5(timestamp, plain, digest);
	if (prepared != NULL) {
		secret_wipe(prepared, strlen(prepared));
		gsasl_free(prepared);
	}
	if (!is_done)
		return error_set(err, SYNCD_EAUTH, "APOP needs MD5, which OpenSSL refuses here");
	for (size_t i = 0; i < MD5_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}
