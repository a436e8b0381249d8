/* What a mailbox is for.
 * SPDX-License-Identifier: MIT */
#include "syncd/special_use.h"

#include "syncd/must.h"

static const char *const names[] = {
	[SPECIAL_USE_NONE] = NULL,   [SPECIAL_USE_TRASH] = "trash",
	[SPECIAL_USE_SENT] = "sent", [SPECIAL_USE_DRAFTS] = "drafts",
	[SPECIAL_USE_JUNK] = "junk", [SPECIAL_USE_ARCHIVE] = "archive",
	[SPECIAL_USE_ALL] = "all",   [SPECIAL_USE_FLAGGED] = "flagged",
};

const char *special_use_name(enum special_use use)
{
	must((size_t)use < ARRAY_LEN(names));
	return names[use];
}

enum special_use special_use_of_attribute(struct slice attribute)
{
	if (attribute.len == 0 || attribute.data[0] != '\\')
		return SPECIAL_USE_NONE;
	const struct slice word = { attribute.data + 1, attribute.len - 1 };
	for (size_t i = SPECIAL_USE_NONE + 1; i < ARRAY_LEN(names); i++) {
		if (slice_case_equals_str(word, names[i]))
			return (enum special_use)i;
	}
	return SPECIAL_USE_NONE;
}

enum special_use special_use_join(enum special_use one, enum special_use other)
{
	if (one == SPECIAL_USE_NONE || other == SPECIAL_USE_NONE)
		return one == SPECIAL_USE_NONE ? other : one;
	return one < other ? one : other;
}
