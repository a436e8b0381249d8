/* Sets of UIDs as sorted, disjoint, non-adjacent ranges.
 * SPDX-License-Identifier: MIT */
#include "syncd/uidset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/error.h"
#include "syncd/must.h"

void uidset_init(struct uidset *set)
{
	*set = (struct uidset){ 0 };
}

void uidset_free(struct uidset *set)
{
	free(set->ranges);
	uidset_init(set);
}

void uidset_clear(struct uidset *set)
{
	set->range_count = 0;
}

/* The index of the first range that ends at `uid` or behind it. */
static size_t find_end(const struct uidset *set, uint32_t uid)
{
	size_t low = 0;
	size_t high = set->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (set->ranges[middle].high < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Replaces `gone` ranges at `at` by `count` from `ranges` (at most 2). */
static int splice(struct uidset *set, size_t at, size_t gone, const struct uid_range *ranges,
		  size_t count)
{
	if (set->range_count - gone + count > UIDSET_RANGES_MAX)
		return SYNCD_ELIMIT;
	while (set->range_count - gone + count > set->range_cap)
		set->ranges =
			xgrow(set->ranges, set->range_cap, &set->range_cap, sizeof(*set->ranges));
	size_t tail = set->range_count - at - gone;
	if (tail > 0 && gone != count)
		memmove(set->ranges + at + count, set->ranges + at + gone,
			tail * sizeof(*set->ranges));
	for (size_t i = 0; i < count; i++)
		set->ranges[at + i] = ranges[i];
	set->range_count = set->range_count - gone + count;
	return 0;
}

int uidset_add(struct uidset *set, uint32_t uid)
{
	return uidset_add_range(set, uid, uid);
}

int uidset_add_range(struct uidset *set, uint32_t low, uint32_t high)
{
	struct uid_range range = { low, high };
	size_t at = set->range_count;

	must(low >= 1 && low <= high);
	if (at > 0 && low <= set->ranges[at - 1].low)
		at = find_end(set, low > 1 ? low - 1 : low); /* low - 1: a neighbour joins */
	else if (at > 0 && low - 1 <= set->ranges[at - 1].high)
		at--;
	size_t end = at;
	while (end < set->range_count && (high == UINT32_MAX || set->ranges[end].low <= high + 1))
		end++;
	if (end > at) {
		if (set->ranges[at].low < range.low)
			range.low = set->ranges[at].low;
		if (set->ranges[end - 1].high > range.high)
			range.high = set->ranges[end - 1].high;
	}
	return splice(set, at, end - at, &range, 1);
}

int uidset_remove_range(struct uidset *set, uint32_t low, uint32_t high)
{
	struct uid_range left[2];
	size_t left_count = 0;
	size_t at = find_end(set, low);
	size_t end = at;

	must(low >= 1 && low <= high);
	while (end < set->range_count && set->ranges[end].low <= high)
		end++;
	if (end == at)
		return 0;
	if (set->ranges[at].low < low)
		left[left_count++] = (struct uid_range){ set->ranges[at].low, low - 1 };
	if (set->ranges[end - 1].high > high)
		left[left_count++] = (struct uid_range){ high + 1, set->ranges[end - 1].high };
	return splice(set, at, end - at, left, left_count);
}

/* Takes over what was built, or drops it when it failed. */
static int replace(struct uidset *set, struct uidset *built, int rc)
{
	if (rc != 0) {
		uidset_free(built);
		return rc;
	}
	uidset_free(set);
	*set = *built;
	return 0;
}

int uidset_merge(struct uidset *set, const struct uidset *other)
{
	struct uidset built = { 0 };
	size_t i = 0;
	size_t j = 0;
	int rc = 0;

	must(set != other);
	while (rc == 0 && (i < set->range_count || j < other->range_count)) {
		bool is_ours = j == other->range_count ||
			       (i < set->range_count && set->ranges[i].low <= other->ranges[j].low);
		const struct uid_range *range = is_ours ? &set->ranges[i++] : &other->ranges[j++];
		rc = uidset_add_range(&built, range->low, range->high);
	}
	return replace(set, &built, rc);
}

int uidset_subtract(struct uidset *set, const struct uidset *other)
{
	struct uidset built = { 0 };
	size_t j = 0;
	int rc = 0;

	must(set != other);
	for (size_t i = 0; rc == 0 && i < set->range_count; i++) {
		uint64_t low = set->ranges[i].low;
		uint32_t high = set->ranges[i].high;
		while (j < other->range_count && other->ranges[j].high < low)
			j++;
		for (size_t k = j; rc == 0 && k < other->range_count; k++) {
			if (other->ranges[k].low > high)
				break;
			if (other->ranges[k].low > low)
				rc = uidset_add_range(&built, (uint32_t)low,
						      other->ranges[k].low - 1);
			low = (uint64_t)other->ranges[k].high + 1;
			j = k;
		}
		if (rc == 0 && low <= high)
			rc = uidset_add_range(&built, (uint32_t)low, high);
	}
	return replace(set, &built, rc);
}

int uidset_intersect(struct uidset *set, const struct uidset *other)
{
	struct uidset built = { 0 };
	size_t i = 0;
	size_t j = 0;
	int rc = 0;

	must(set != other);
	while (rc == 0 && i < set->range_count && j < other->range_count) {
		struct uid_range a = set->ranges[i];
		struct uid_range b = other->ranges[j];
		uint32_t low = a.low > b.low ? a.low : b.low;
		uint32_t high = a.high < b.high ? a.high : b.high;
		if (low <= high)
			rc = uidset_add_range(&built, low, high);
		if (a.high <= b.high)
			i++;
		else
			j++;
	}
	return replace(set, &built, rc);
}

static uint64_t range_size(struct uid_range range)
{
	return (uint64_t)range.high - range.low + 1;
}

void uidset_take_highest(struct uidset *set, uint64_t most, struct uidset *out)
{
	size_t at = set->range_count;
	uint64_t count = 0;

	must(set != out);
	uidset_clear(out);
	while (at > 0 && count < most)
		count += range_size(set->ranges[--at]);
	for (size_t i = at; i < set->range_count; i++) {
		int rc = uidset_add_range(out, set->ranges[i].low, set->ranges[i].high);
		must(rc == 0); /* no more ranges than the set has */
	}
	set->range_count = at;
	if (count <= most)
		return;
	/* The lowest of the ranges is wanted in part. */
	out->ranges[0].low += (uint32_t)(count - most);
	set->ranges[at].high = out->ranges[0].low - 1;
	set->range_count = at + 1;
}

bool uidset_is_empty(const struct uidset *set)
{
	return set->range_count == 0;
}

bool uidset_contains(const struct uidset *set, uint32_t uid)
{
	return uidset_contains_range(set, uid, uid);
}

bool uidset_contains_range(const struct uidset *set, uint32_t low, uint32_t high)
{
	size_t at = find_end(set, low);

	must(low <= high);
	return at < set->range_count && set->ranges[at].low <= low && set->ranges[at].high >= high;
}

bool uidset_equals(const struct uidset *a, const struct uidset *b)
{
	return a->range_count == b->range_count &&
	       (a->range_count == 0 ||
		memcmp(a->ranges, b->ranges, a->range_count * sizeof(*a->ranges)) == 0);
}

uint64_t uidset_count(const struct uidset *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->range_count; i++)
		count += range_size(set->ranges[i]);
	return count;
}

uint32_t uidset_lowest(const struct uidset *set)
{
	return set->range_count > 0 ? set->ranges[0].low : 0;
}

uint32_t uidset_highest(const struct uidset *set)
{
	return set->range_count > 0 ? set->ranges[set->range_count - 1].high : 0;
}

bool uidset_next(const struct uidset *set, struct uidset_place *place, uint32_t *uid)
{
	if (place->range < set->range_count && place->uid == set->ranges[place->range].high) {
		place->range++;
		place->uid = 0;
	}
	if (place->range >= set->range_count)
		return false;
	place->uid = place->uid == 0 ? set->ranges[place->range].low : place->uid + 1;
	*uid = place->uid;
	return true;
}

/* Renders a range; returns its length. */
static size_t format_range(struct uid_range range, bool is_first, char *text, size_t size)
{
	const char *comma = is_first ? "" : ",";
	int len = range.low == range.high ? snprintf(text, size, "%s%" PRIu32, comma, range.low)
					  : snprintf(text, size, "%s%" PRIu32 ":%" PRIu32, comma,
						     range.low, range.high);

	must(len > 0 && (size_t)len < size);
	return (size_t)len;
}

/* The rest of the range that is being rendered, cut to `most` UIDs. */
static struct uid_range rest_of(const struct uidset *set, const struct uidset_place *place,
				uint64_t most)
{
	struct uid_range range = set->ranges[place->range];

	if (place->uid != 0)
		range.low = place->uid + 1;
	if ((uint64_t)range.high - range.low >= most)
		range.high = range.low + (uint32_t)(most - 1);
	return range;
}

static void step_behind(const struct uidset *set, struct uidset_place *place, uint32_t uid)
{
	bool is_done = uid == set->ranges[place->range].high;

	place->range += is_done;
	place->uid = is_done ? 0 : uid;
}

uint64_t uidset_format(const struct uidset *set, struct uidset_place *place, size_t max,
		       uint64_t most, struct buf *out)
{
	char text[UIDSET_PIECE_MIN + 2];
	size_t used = 0;
	uint64_t count = 0;

	must(max >= UIDSET_PIECE_MIN && most > 0);
	while (place->range < set->range_count && count < most) {
		struct uid_range range = rest_of(set, place, most - count);
		size_t len = format_range(range, used == 0, text, sizeof(text));
		if (len > max - used || buf_add(out, text, len) != 0)
			break;
		used += len;
		count += (uint64_t)range.high - range.low + 1;
		step_behind(set, place, range.high);
	}
	return count;
}

bool uidset_format_left(const struct uidset *set, const struct uidset_place *place)
{
	return place->range < set->range_count;
}

/* Reads a number or "*" from the text: true when it is one of 1..UINT32_MAX. */
static bool take_number(struct slice *text, uint32_t star, uint32_t *value)
{
	uint64_t sum = 0;
	size_t len = 0;

	if (text->len > 0 && text->data[0] == '*') {
		*value = star;
		text->data++;
		text->len--;
		return star != 0;
	}
	while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9') {
		sum = sum * 10 + (unsigned)(text->data[len] - '0');
		if (sum > UINT32_MAX)
			return false;
		len++;
	}
	text->data += len;
	text->len -= len;
	*value = (uint32_t)sum;
	return sum > 0;
}

static bool take_char(struct slice *text, char c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;
	text->data++;
	text->len--;
	return true;
}

static int parse_into(struct uidset *set, struct slice text, uint32_t star)
{
	do {
		uint32_t low = 0;
		if (!take_number(&text, star, &low))
			return SYNCD_EPROTO;
		uint32_t high = low;
		if (take_char(&text, ':') && !take_number(&text, star, &high))
			return SYNCD_EPROTO;
		int rc = uidset_add_range(set, low < high ? low : high, low < high ? high : low);
		if (rc != 0)
			return rc;
	} while (take_char(&text, ','));
	return text.len == 0 ? 0 : SYNCD_EPROTO;
}

int uidset_parse(struct uidset *set, struct slice text, uint32_t star)
{
	struct uidset read = { 0 };

	int rc = parse_into(&read, text, star);
	if (rc == 0)
		rc = uidset_merge(set, &read);
	uidset_free(&read);
	return rc;
}
