/* Mailbox patterns (CONTRACT 2.2 `mailboxes`): in order, the last that matches
 * decides; `!` in front excludes; `*` stands for any text, `%` for any without
 * the hierarchy separator '/'. Names are canonical (record.h). INBOX, and what
 * is below it, is matched without case (RFC 3501 §5.1); all else is exact.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_PATTERN_H
#define SYNCD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* Why `pattern` cannot be used, or NULL when it can. A static string. */
const char *pattern_fault(const char *pattern);

/* True when the `!`-less `pattern` matches the whole `name`. Polynomial in its length. */
bool pattern_matches(const char *pattern, const char *name);

/* True when the NULL-terminated list selects the mailbox. A name that no
 * pattern matches is not selected. */
bool pattern_list_selects(char *const *patterns, const char *name);

/* True when one of the patterns, none that excludes, begins with `prefix`; never for "". */
bool pattern_list_has_prefix(char *const *patterns, const char *prefix);

/* The same as pattern_list_selects, with only those of the patterns that begin with `prefix`, and
 * those that exclude. */
bool pattern_list_names(char *const *patterns, const char *prefix, const char *name);

#endif
