/* Message flags: six system flags and a mailbox's keywords as one 64-bit set, so
 * that merging is arithmetic.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_FLAGS_H
#define SYNCD_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"

#define FLAG_SEEN ((uint64_t)1 << 0)      /* \Seen      S */
#define FLAG_ANSWERED ((uint64_t)1 << 1)  /* \Answered  R */
#define FLAG_FLAGGED ((uint64_t)1 << 2)   /* \Flagged   F */
#define FLAG_DRAFT ((uint64_t)1 << 3)     /* \Draft     D */
#define FLAG_DELETED ((uint64_t)1 << 4)   /* \Deleted   T */
#define FLAG_FORWARDED ((uint64_t)1 << 5) /* $Forwarded P */

#define FLAGS_SYSTEM_COUNT 6
#define FLAGS_SYSTEM ((uint64_t)0x3f)
#define KEYWORDS_MAX 58 /* keywords of one mailbox that are synchronised */
#define FLAGS_KEYWORDS (~FLAGS_SYSTEM)
#define KEYWORD_LEN_MAX 128 /* bytes of one keyword's name */

/* A mailbox's keyword names. Keyword i is bit FLAGS_SYSTEM_COUNT + i. Names are
 * only ever added, so a bit keeps its meaning as long as the state lives. */
struct keyword_table {
	char *names[KEYWORDS_MAX];
	size_t count;
	size_t dropped; /* names that found no room */
};

void keyword_table_init(struct keyword_table *table);
void keyword_table_free(struct keyword_table *table);
void keyword_table_copy(struct keyword_table *to, const struct keyword_table *from);

/* The bit of a keyword (ASCII case-insensitive, RFC 3501 §2.3.2), or 0 when unknown. */
uint64_t keyword_table_find(const struct keyword_table *table, struct slice name);

/* The same, adding it when unknown. 0 when the table is full, or the name is empty,
 * too long or no IMAP atom; counted in `dropped`. */
uint64_t keyword_table_intern(struct keyword_table *table, struct slice name);

/* The name of one keyword bit. */
const char *keyword_table_name(const struct keyword_table *table, uint64_t bit);

/* The flag of an IMAP flag name such as "\Seen", "$Forwarded" or a keyword,
 * interned; 0 for \Recent and other unknown system flags. */
uint64_t flags_from_imap(struct keyword_table *table, struct slice name);

/* The IMAP name of a single bit. */
const char *flags_imap_name(const struct keyword_table *table, uint64_t bit);

/* Appends "\Seen \Flagged work" for a set. */
int flags_format_imap(const struct keyword_table *table, uint64_t flags, struct buf *out);

/* The maildir letter of a system flag bit (S R F D T P), and back; '\0' / 0 when
 * there is none. */
char flags_maildir_letter(uint64_t bit);
uint64_t flags_from_maildir_letter(char letter);

/* Three-way merge: each bit takes the value of the side that changed it. As a
 * bit has two values, both sides changing it changed it alike; so there is no
 * conflict (CONTRACT 3). */
static inline uint64_t flags_merge(uint64_t agreed, uint64_t local, uint64_t remote)
{
	return agreed ^ ((local ^ agreed) | (remote ^ agreed));
}

#endif
