/* The two keywords that the models know: bits of their own to them, names to the engine, whose
 * bits each mailbox's table gives; and in each mailbox of the maildir two letters.
 * SPDX-License-Identifier: MIT */
#include "model.h"

#define KEYWORD_BIT(n) ((uint64_t)1 << (FLAGS_SYSTEM_COUNT + (n)))

static const struct slice names[MODEL_KEYWORDS] = { SLICE_LITERAL("first"),
						    SLICE_LITERAL("second") };

void model_keywords_tell(const struct world *world, struct keyword_table *table, bool is_reversed)
{
	for (size_t i = 0; world->names_keywords && i < MODEL_KEYWORDS; i++)
		(void)keyword_table_intern(table, names[is_reversed ? MODEL_KEYWORDS - 1 - i : i]);
}

uint64_t model_flags_out(const struct world *world, const struct keyword_table *table,
			 uint64_t flags)
{
	uint64_t out = flags & FLAGS_SYSTEM;

	if (!world->names_keywords)
		return flags;
	for (size_t i = 0; i < MODEL_KEYWORDS; i++) {
		if ((flags & KEYWORD_BIT(i)) != 0)
			out |= keyword_table_find(table, names[i]);
	}
	return out;
}

uint64_t model_flags_in(const struct world *world, const struct keyword_table *table,
			uint64_t flags)
{
	uint64_t in = flags & FLAGS_SYSTEM;

	if (!world->names_keywords)
		return flags;
	for (size_t i = 0; i < MODEL_KEYWORDS; i++) {
		if ((flags & keyword_table_find(table, names[i])) != 0)
			in |= KEYWORD_BIT(i);
	}
	return in;
}

uint64_t model_letters(const struct model_maildir *maildir, uint64_t flags)
{
	uint64_t letters = flags & ~(KEYWORD_BIT(0) | KEYWORD_BIT(1));

	if (!maildir->has_letters_swapped)
		return flags;
	if ((flags & KEYWORD_BIT(0)) != 0)
		letters |= KEYWORD_BIT(1);
	if ((flags & KEYWORD_BIT(1)) != 0)
		letters |= KEYWORD_BIT(0);
	return letters;
}

uint64_t model_file_flags(const struct model_file *file)
{
	return model_letters(file->maildir, file->flags);
}
