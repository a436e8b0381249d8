/* Sets of IMAP UIDs (RFC 3501 §9, sequence-set), kept as sorted, disjoint,
 * non-adjacent ranges: small for the sets that mailboxes really give.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_UIDSET_H
#define SYNCD_UIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"

#define UIDSET_RANGES_MAX (4 * 1024 * 1024) /* 32 MiB; a stranger may send the set */
#define UIDSET_PIECE_MIN 21                 /* the longest range: "4294967294:4294967295" */

/* Both ends belong to it; 1 <= low <= high. */
struct uid_range {
	uint32_t low;
	uint32_t high;
};

/* Readers may walk `ranges` themselves; only the functions below change it.
 * A zeroed struct is an empty set. */
struct uidset {
	struct uid_range *ranges;
	size_t range_count;
	size_t range_cap;
};

void uidset_init(struct uidset *set);

/* Frees the memory; the set is empty and may be used again. */
void uidset_free(struct uidset *set);

/* Empties the set, keeping its memory. */
void uidset_clear(struct uidset *set);

/* Add a UID, or all from `low` to `high` (1 <= low <= high is a must). Constant time when
 * what is added lies at or behind the highest range, logarithmic plus a move otherwise.
 * Return 0, or SYNCD_ELIMIT (set unchanged) beyond UIDSET_RANGES_MAX. */
int uidset_add(struct uidset *set, uint32_t uid);
int uidset_add_range(struct uidset *set, uint32_t low, uint32_t high);

/* Takes a range out, whether its UIDs are in the set or not. Returns as uidset_add: cutting a
 * range in two adds one. */
int uidset_remove_range(struct uidset *set, uint32_t low, uint32_t high);

/* Adds all of `other` / takes all of `other` out / keeps only what is also in `other`; linear in
 * both. `other` must be another set. Return as uidset_add. */
int uidset_merge(struct uidset *set, const struct uidset *other);
int uidset_subtract(struct uidset *set, const struct uidset *other);
int uidset_intersect(struct uidset *set, const struct uidset *other);

/* Moves the highest UIDs, `most` of them or all, to `out`: another set, emptied first. Its cost is
 * that of the ranges moved. */
void uidset_take_highest(struct uidset *set, uint64_t most, struct uidset *out);

bool uidset_is_empty(const struct uidset *set);
bool uidset_contains(const struct uidset *set, uint32_t uid);
bool uidset_contains_range(const struct uidset *set, uint32_t low, uint32_t high);
bool uidset_equals(const struct uidset *a, const struct uidset *b);

/* How many UIDs (not ranges) there are. */
uint64_t uidset_count(const struct uidset *set);

/* The lowest and the highest UID; 0 when empty. */
uint32_t uidset_lowest(const struct uidset *set);
uint32_t uidset_highest(const struct uidset *set);

/* Where a walk or a rendering stands; zeroed: at the start. The set must not
 * change in between. */
struct uidset_place {
	size_t range; /* index of the range to go on in */
	uint32_t uid; /* the last one given of that range, or 0 */
};

/* Walks upwards: true and the next UID, or false behind the last. */
bool uidset_next(const struct uidset *set, struct uidset_place *place, uint32_t *uid);

/* Appends the next piece of the set as "1:5,9" to `out`: as many ranges as fit in `max` bytes
 * (>= UIDSET_PIECE_MIN is a must), and no more than `most` UIDs (> 0 is a must), ascending as some
 * servers demand. Never writes "*": Cyrus misses the highest UID of "1:*", "1:4294967295" asks for
 * all. Returns the number of UIDs in the piece: 0 when nothing is left, and also when `out` is full
 * (then uidset_format_left still says true). */
uint64_t uidset_format(const struct uidset *set, struct uidset_place *place, size_t max,
		       uint64_t most, struct buf *out);
bool uidset_format_left(const struct uidset *set, const struct uidset_place *place);

/* Adds "1:5,9,12:*" to the set; "*" stands for `star` (0: not allowed). The
 * ends of a range may be in either order. Returns 0, SYNCD_EPROTO when the text is no
 * set, SYNCD_ELIMIT; the set is unchanged unless 0. */
int uidset_parse(struct uidset *set, struct slice text, uint32_t star);

#endif
