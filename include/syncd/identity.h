/* A message's identity digest: what makes two copies the same message when no
 * UID or file name tells (DESIGN 6).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_IDENTITY_H
#define SYNCD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"

#define DIGEST_LEN 16

struct digest {
	unsigned char bytes[DIGEST_LEN];
};

bool digest_equals(const struct digest *a, const struct digest *b);

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

/* True when a Message-ID was seen. */
bool identity_has_message_id(const struct identity *identity);

/* The digest over the fields and the message's size in CRLF form: SHA-256 cut to
 * DIGEST_LEN. */
void identity_digest(const struct identity *identity, uint64_t size_crlf_bytes,
		     struct digest *out);

#endif
