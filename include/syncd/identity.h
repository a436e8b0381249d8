/* A message's identity digest: what makes two copies the same message when no
 * UID or file name tells (DESIGN 6).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IDENTITY_H
#define SYNCD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"

#define DIGEST_LEN 16

/* Over the header fields below only: RFC822.SIZE lies on some servers (QUIRKS,
 * Exchange), so the size stands beside the digest, not in it. */
struct digest {
	unsigned char bytes[DIGEST_LEN];
};

bool digest_equals(const struct digest *a, const struct digest *b);

/* True when the message the digest was made of had a Message-ID. */
bool digest_has_message_id(const struct digest *digest);

/* The same message: equal digests, and equal sizes unless a Message-ID vouches
 * for it alone. */
bool identity_matches(const struct digest *a, uint64_t a_size_bytes, const struct digest *b,
		      uint64_t b_size_bytes);

/* The header fields that take part. As in "BODY.PEEK[HEADER.FIELDS (...)]". */
#define IDENTITY_FIELDS "Message-ID Date From To Subject"

/* Collects the first occurrence of each field (name matched without case, raw
 * unfolded body: line breaks removed, blanks at the ends trimmed). */
struct identity {
	struct buf fields[5];
};

void identity_init(struct identity *identity);
void identity_free(struct identity *identity);
void identity_add_field(struct identity *identity, struct slice name, struct slice body);

/* The digest over the fields: SHA-256 cut to DIGEST_LEN, its last bit telling
 * whether a Message-ID was there. */
void identity_digest(const struct identity *identity, struct digest *out);

/* The text's SHA-256 cut to DIGEST_LEN, for comparing names that may be long. */
void digest_of_text(struct slice text, struct digest *out);

/* 64 bits of the text's SHA-256, for comparing names whose length nobody knows; never 0. */
uint64_t digest_number(struct slice text);

#endif
