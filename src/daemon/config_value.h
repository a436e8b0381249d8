/* Single values of the configuration: text to number, path, list.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_CONFIG_VALUE_H
#define SYNCD_DAEMON_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns false for text that is not of its kind, leaving *out alone. */

/* "true" "yes" "on" and "false" "no" "off". */
bool value_bool(const char *text, bool *out);

/* Decimal digits from `min` to `max`. */
bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* Digits and one of s m h d w; in seconds, at most VALUE_DURATION_MAX. */
#define VALUE_DURATION_MAX ((uint64_t)100 * 365 * 86400)
bool value_duration(const char *text, uint64_t *seconds);

/* Digits and, maybe, one of K M G (powers of 1024); in bytes. */
bool value_size(const char *text, uint64_t *bytes);

/* "1%" to "100%". */
bool value_percent(const char *text, unsigned *percent);

/* "sha256:" and 64 hex digits, colons between them allowed; gives them in lower case without
 * colons, allocated. */
bool value_fingerprint(const char *text, char **out);

/* Expands `~` at the beginning and $VAR, ${VAR} anywhere, takes "//", "/./" and the slash at the
 * end away. Allocated; NULL with a reason in *fault (static) when a variable is not set or the
 * result is not absolute. */
char *value_path(const char *text, const char **fault);

/* True when one is the other or lies inside it; both as value_path gives them. Links are
 * followed as far as the paths exist. */
bool value_paths_overlap(const char *a, const char *b);

/* NULL-terminated lists of allocated strings. */
char **value_list_copy(char *const *list);
void value_list_free(char **list);

#endif
