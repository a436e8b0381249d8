/* Identity digests over the header fields that survive every copy of a message.
 * SPDX-License-Identifier: MIT */
#include "syncd/identity.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "syncd/must.h"

#define IDENTITY_FIELD_MAX 65536 /* bytes of one field that take part */

static const char *const field_names[] = { "Message-ID", "Date", "From", "To", "Subject" };

static EVP_MD *sha256_fetched;

static void sha256_fetch(void)
{
	sha256_fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256_fetched != NULL);
}

/* Looked for once: with EVP_sha256() each digest would, which takes longer than a short text. */
static const EVP_MD *sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	must(pthread_once(&once, sha256_fetch) == 0);
	return sha256_fetched;
}

bool digest_equals(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_LEN) == 0;
}

bool digest_has_message_id(const struct digest *digest)
{
	return (digest->bytes[DIGEST_LEN - 1] & 1u) != 0;
}

bool identity_matches(const struct digest *a, uint64_t a_size_bytes, const struct digest *b,
		      uint64_t b_size_bytes)
{
	if (!digest_equals(a, b))
		return false;
	return a_size_bytes == b_size_bytes || digest_has_message_id(a);
}

void identity_init(struct identity *identity)
{
	for (size_t i = 0; i < ARRAY_LEN(identity->fields); i++)
		buf_init(&identity->fields[i], IDENTITY_FIELD_MAX);
}

void identity_free(struct identity *identity)
{
	for (size_t i = 0; i < ARRAY_LEN(identity->fields); i++)
		buf_free(&identity->fields[i]);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Line breaks go, blanks at both ends too: servers differ in them. Raw 8-bit bytes count as 'X',
 * which Cyrus makes of them (munge8bit). The first byte 'x' marks a field that is present, so that
 * empty differs from absent. */
static void identity_set_field(struct buf *field, struct slice body)
{
	while (body.len > 0 && is_blank(body.data[0])) {
		body.data++;
		body.len--;
	}
	while (body.len > 0 && is_blank(body.data[body.len - 1]))
		body.len--;
	(void)buf_add_char(field, 'x');
	for (size_t i = 0; i < body.len; i++) {
		char c = body.data[i];
		if (c == '\r' || c == '\n')
			continue;
		if (buf_add_char(field, (unsigned char)c < 0x80 ? c : 'X') != 0)
			return; /* the part that fits is the identity */
	}
}

void identity_add_field(struct identity *identity, struct slice name, struct slice body)
{
	for (size_t i = 0; i < ARRAY_LEN(field_names); i++) {
		if (!slice_case_equals_str(name, field_names[i]))
			continue;
		if (identity->fields[i].len == 0)
			identity_set_field(&identity->fields[i], body);
		return;
	}
}

void identity_digest(const struct identity *identity, struct digest *out)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	must(context != NULL);
	must(EVP_DigestInit_ex(context, sha256(), NULL) == 1);
	for (size_t i = 0; i < ARRAY_LEN(identity->fields); i++) {
		const struct buf *field = &identity->fields[i];
		/* The NUL behind each keeps neighbours apart. */
		must(EVP_DigestUpdate(context, buf_str(field), field->len) == 1);
		must(EVP_DigestUpdate(context, "", 1) == 1);
	}
	must(EVP_DigestFinal_ex(context, hash, NULL) == 1);
	EVP_MD_CTX_free(context);
	memcpy(out->bytes, hash, DIGEST_LEN);
	out->bytes[DIGEST_LEN - 1] &= (unsigned char)~1u;
	if (identity->fields[0].len > 0)
		out->bytes[DIGEST_LEN - 1] |= 1u;
}

void digest_of_text(struct slice text, struct digest *out)
{
	unsigned char hash[EVP_MAX_MD_SIZE];

	must(EVP_Digest(text.data, text.len, hash, NULL, sha256(), NULL) == 1);
	memcpy(out->bytes, hash, DIGEST_LEN);
}

uint64_t digest_number(struct slice text)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	uint64_t number = 0;

	must(EVP_Digest(text.data, text.len, hash, NULL, sha256(), NULL) == 1);
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | hash[i];
	return number != 0 ? number : 1;
}
