/* Mailbox patterns.
 * SPDX-License-Identifier: MIT */
#include "syncd/pattern.h"

#include <string.h>
#include <strings.h>

#include "syncd/record.h"

#define INBOX_LEN 5

const char *pattern_fault(const char *pattern)
{
	const char *text = pattern[0] == '!' ? pattern + 1 : pattern;

	if (text[0] == '\0')
		return "the pattern is empty";
	if (strlen(text) > MAILBOX_NAME_MAX)
		return "the pattern is longer than a mailbox's name can be";
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "the pattern has a control character";
	}
	return NULL;
}

/* True when the text begins with INBOX, whole or as the first level. */
static bool begins_with_inbox(const char *text)
{
	return strncasecmp(text, "INBOX", INBOX_LEN) == 0 &&
	       (text[INBOX_LEN] == '\0' || text[INBOX_LEN] == '/');
}

/* Where to go on when what follows a wildcard does not fit: one more byte of the name goes to
 * the last `*`, or, while no separator is in the way, to a later `%`. */
struct retry {
	const char *pattern; /* behind the wildcard; NULL: none yet */
	const char *name;
};

static bool matches_exactly(const char *pattern, const char *name)
{
	struct retry star = { NULL, NULL };
	struct retry percent = { NULL, NULL };

	for (;;) {
		if (*pattern == '*') {
			star = (struct retry){ ++pattern, name };
			percent.pattern = NULL;
		} else if (*pattern == '%') {
			percent = (struct retry){ ++pattern, name };
		} else if (*name != '\0' && *pattern == *name) {
			pattern++;
			name++;
		} else if (*name == '\0' && *pattern == '\0') {
			return true;
		} else if (percent.pattern != NULL && *percent.name != '\0' &&
			   *percent.name != '/') {
			pattern = percent.pattern;
			name = ++percent.name;
		} else if (star.pattern != NULL && *star.name != '\0') {
			percent.pattern = NULL;
			pattern = star.pattern;
			name = ++star.name;
		} else {
			return false;
		}
	}
}

bool pattern_matches(const char *pattern, const char *name)
{
	if (begins_with_inbox(pattern) && begins_with_inbox(name)) {
		pattern += INBOX_LEN;
		name += INBOX_LEN;
	}
	return matches_exactly(pattern, name);
}

static bool begins_with(const char *pattern, const char *prefix)
{
	return prefix[0] != '\0' && strncmp(pattern, prefix, strlen(prefix)) == 0;
}

bool pattern_list_has_prefix(char *const *patterns, const char *prefix)
{
	for (size_t i = 0; patterns[i] != NULL; i++) {
		if (begins_with(patterns[i], prefix))
			return true;
	}
	return false;
}

bool pattern_list_names(char *const *patterns, const char *prefix, const char *name)
{
	bool is_named = false;

	for (size_t i = 0; patterns[i] != NULL; i++) {
		bool is_exclusion = patterns[i][0] == '!';
		if (!is_exclusion && !begins_with(patterns[i], prefix))
			continue;
		if (pattern_matches(patterns[i] + (is_exclusion ? 1 : 0), name))
			is_named = !is_exclusion;
	}
	return is_named;
}

bool pattern_list_selects(char *const *patterns, const char *name)
{
	bool is_selected = false;

	for (size_t i = 0; patterns[i] != NULL; i++) {
		bool is_exclusion = patterns[i][0] == '!';
		if (pattern_matches(patterns[i] + (is_exclusion ? 1 : 0), name))
			is_selected = !is_exclusion;
	}
	return is_selected;
}
