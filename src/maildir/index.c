/* Where each file was when the directories were last read: hints only, packed as 64 bits of a
 * hash and the number of a directory-and-flags pair, since few of those are distinct.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maildir_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define KINDS_MAX 4096 /* distinct pairs remembered; other files are looked for */
#define KIND_NONE UINT16_MAX
#define MAILDIR_SKIPPED_MAX 1024 /* bytes of a name that are told */

struct kind {
	bool is_new;
	char *suffix; /* ":2,S", or "" */
};

struct entry {
	uint64_t hash;
	uint16_t kind;
} __attribute__((packed));

struct maildir_index {
	struct entry *entries; /* sorted by hash after index_sort */
	size_t count;
	size_t cap;
	struct kind *kinds;
	size_t kind_count;
	size_t kind_cap;
	size_t last_kind; /* neighbours in a directory are often alike */
	char *skipped;    /* the first one's path in the mailbox, or NULL */
	size_t skipped_count;
};

struct maildir_index *index_new(void)
{
	return xcalloc(1, sizeof(struct maildir_index));
}

void maildir_index_free(struct maildir_index **index)
{
	if (*index == NULL)
		return;
	for (size_t i = 0; i < (*index)->kind_count; i++)
		free((*index)->kinds[i].suffix);
	free((*index)->kinds);
	free((*index)->entries);
	free((*index)->skipped);
	free(*index);
	*index = NULL;
}

/* FNV-1a. A collision costs a second guess, nothing else. */
static uint64_t hash_of(struct slice base)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < base.len; i++)
		hash = (hash ^ (unsigned char)base.data[i]) * 0x100000001b3u;
	return hash;
}

static bool kind_is(const struct kind *kind, bool is_new, struct slice suffix)
{
	return kind->is_new == is_new && slice_equals_str(suffix, kind->suffix);
}

static uint16_t kind_of(struct maildir_index *index, bool is_new, struct slice suffix)
{
	if (index->kind_count > 0 && kind_is(&index->kinds[index->last_kind], is_new, suffix))
		return (uint16_t)index->last_kind;
	for (size_t i = 0; i < index->kind_count; i++) {
		if (kind_is(&index->kinds[i], is_new, suffix)) {
			index->last_kind = i;
			return (uint16_t)i;
		}
	}
	if (index->kind_count == KINDS_MAX)
		return KIND_NONE;
	index->kinds =
		xgrow(index->kinds, index->kind_count, &index->kind_cap, sizeof(*index->kinds));
	index->kinds[index->kind_count] = (struct kind){
		.is_new = is_new,
		.suffix = xstrndup(suffix.data, suffix.len),
	};
	index->last_kind = index->kind_count++;
	return (uint16_t)index->last_kind;
}

void index_add(struct maildir_index *index, struct slice base, bool is_new, struct slice suffix)
{
	uint16_t kind = kind_of(index, is_new, suffix);

	index->entries = xgrow(index->entries, index->count, &index->cap, sizeof(*index->entries));
	index->entries[index->count++] = (struct entry){ .hash = hash_of(base), .kind = kind };
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;

	return (left->hash > right->hash) - (left->hash < right->hash);
}

void index_sort(struct maildir_index *index)
{
	if (index->count > 0)
		qsort(index->entries, index->count, sizeof(*index->entries), compare_entries);
}

/* The first entry whose hash is not below `hash`. */
static size_t lower_bound(const struct maildir_index *index, uint64_t hash)
{
	size_t low = 0;
	size_t high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->entries[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool index_guess(const struct maildir_index *index, const char *base, size_t n,
		 struct maildir_place *place)
{
	uint64_t hash = hash_of(slice_of(base));
	size_t at = lower_bound(index, hash) + n;

	if (at >= index->count || index->entries[at].hash != hash)
		return false;
	place->file[0] = '\0';
	if (index->entries[at].kind == KIND_NONE)
		return true;
	const struct kind *kind = &index->kinds[index->entries[at].kind];
	place->is_new = kind->is_new;
	int len = snprintf(place->file, sizeof(place->file), "%s%s", base, kind->suffix);
	if (len < 0 || (size_t)len >= sizeof(place->file))
		place->file[0] = '\0';
	return true;
}

void index_update(struct maildir_index *index, const char *base, const struct maildir_place *place)
{
	uint64_t hash = hash_of(slice_of(base));
	size_t at = lower_bound(index, hash);

	if (at < index->count && index->entries[at].hash == hash)
		index->entries[at].kind =
			kind_of(index, place->is_new, slice_of(place->file + strlen(base)));
}

/* The kinds of `from` by the numbers they have in `index`. */
static uint16_t *translate_kinds(struct maildir_index *index, const struct maildir_index *from)
{
	uint16_t *kinds = xreallocarray(NULL, from->kind_count, sizeof(*kinds));

	for (size_t i = 0; i < from->kind_count; i++)
		kinds[i] = kind_of(index, from->kinds[i].is_new, slice_of(from->kinds[i].suffix));
	return kinds;
}

void index_merge(struct maildir_index *index, const struct maildir_index *from)
{
	uint16_t *kinds = translate_kinds(index, from);
	size_t cap = index->count + from->count;
	struct entry *merged = xreallocarray(NULL, cap, sizeof(*merged));
	size_t count = 0;
	size_t old = 0;

	for (size_t i = 0; i < from->count; i++) {
		struct entry entry = from->entries[i];
		while (old < index->count && index->entries[old].hash < entry.hash)
			merged[count++] = index->entries[old++];
		while (old < index->count && index->entries[old].hash == entry.hash)
			old++;
		if (entry.kind != KIND_NONE)
			entry.kind = kinds[entry.kind];
		merged[count++] = entry;
	}
	while (old < index->count)
		merged[count++] = index->entries[old++];
	free(index->entries);
	free(kinds);
	index->entries = merged;
	index->count = count;
	index->cap = cap;
}

void index_skip(struct maildir_index *index, bool is_new, struct slice file)
{
	char path[sizeof("new/") + MAILDIR_SKIPPED_MAX];

	if (index->skipped_count++ > 0)
		return;
	int len = snprintf(path, sizeof(path), "%s/%.*s", is_new ? "new" : "cur", (int)file.len,
			   file.data);
	must(len > 0);
	index->skipped = xstrdup(path);
}

size_t maildir_index_skipped(const struct maildir_index *index, const char **first)
{
	*first = index->skipped;
	return index->skipped_count;
}
