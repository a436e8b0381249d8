/* Single values of the configuration.
 * SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* realpath */

#include "config_value.h"

#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syncd/alloc.h"
#include "syncd/buf.h"
#include "syncd/must.h"

bool value_bool(const char *text, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "true", true },   { "yes", true }, { "on", true },
		{ "false", false }, { "no", false }, { "off", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i].word) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

/* Reads digits up to *end; false when there are none or too many. */
static bool read_digits(const char *text, const char **end, uint64_t *out)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*end = p;
	*out = value;
	return p != text;
}

bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t value;

	if (!read_digits(text, &end, &value) || *end != '\0' || value < min || value > max)
		return false;
	*out = value;
	return true;
}

/* Digits times what the unit letter stands for; `units` and `factors` go together. */
static bool read_scaled(const char *text, const char *units, const uint64_t *factors, uint64_t max,
			uint64_t *out)
{
	const char *end;
	uint64_t value;

	if (!read_digits(text, &end, &value) || *end == '\0' || end[1] != '\0')
		return false;
	const char *unit = strchr(units, *end);
	if (unit == NULL || value > max / factors[unit - units])
		return false;
	*out = value * factors[unit - units];
	return true;
}

bool value_duration(const char *text, uint64_t *seconds)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400, 604800 };

	return read_scaled(text, "smhdw", factors, VALUE_DURATION_MAX, seconds);
}

bool value_size(const char *text, uint64_t *bytes)
{
	static const uint64_t factors[] = { 1u << 10, 1u << 20, 1u << 30 };

	return value_number(text, 0, UINT64_MAX - 1, bytes) ||
	       read_scaled(text, "KMG", factors, UINT64_MAX - 1, bytes);
}

bool value_percent(const char *text, unsigned *percent)
{
	const char *end;
	uint64_t value;

	if (!read_digits(text, &end, &value) || strcmp(end, "%") != 0 || value < 1 || value > 100)
		return false;
	*percent = (unsigned)value;
	return true;
}

#define FINGERPRINT_PREFIX "sha256:"
#define FINGERPRINT_DIGITS 64

bool value_fingerprint(const char *text, char **out)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	char clean[sizeof(FINGERPRINT_PREFIX) + FINGERPRINT_DIGITS] = FINGERPRINT_PREFIX;
	size_t len = strlen(FINGERPRINT_PREFIX);

	if (strncmp(text, FINGERPRINT_PREFIX, len) != 0)
		return false;
	for (const char *p = text + len; *p != '\0'; p++) {
		const char *digit = strchr(digits, *p);
		if (*p == ':')
			continue;
		if (digit == NULL || len == sizeof(clean) - 1)
			return false;
		clean[len++] = digits[(digit - digits) % 16];
	}
	if (len != sizeof(clean) - 1)
		return false;
	*out = xstrdup(clean);
	return true;
}

/* --- Paths ---------------------------------------------------------------------- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static const char *home_directory(void)
{
	const char *home = getenv("HOME");

	if (home != NULL && home[0] != '\0')
		return home;
	struct passwd *user = getpwuid(getuid());
	return user != NULL ? user->pw_dir : NULL;
}

/* Expands the variable whose `$` is at *text and moves *text behind it. */
static const char *expand_variable(const char **text, struct buf *out)
{
	const char *begin = *text + 1;
	bool has_brace = *begin == '{';

	begin += has_brace ? 1 : 0;
	const char *end = begin;
	while (is_name_char(*end))
		end++;
	if (end == begin || (has_brace && *end != '}'))
		return "has a `$` that no variable's name follows";
	char *name = xstrndup(begin, (size_t)(end - begin));
	const char *value = getenv(name);
	free(name);
	if (value == NULL)
		return "names a variable that is not set";
	*text = end + (has_brace ? 1 : 0);
	return buf_add_str(out, value) == 0 ? NULL : "is too long";
}

static const char *expand_path(const char *text, struct buf *out)
{
	const char *fault = NULL;

	if (text[0] == '~') {
		const char *home = home_directory();
		if (text[1] != '/' && text[1] != '\0')
			return "may begin with `~/` only, another user's home is not looked up";
		if (home == NULL || buf_add_str(out, home) != 0)
			return "needs a home directory, and there is none";
		text++;
	}
	while (*text != '\0' && fault == NULL) {
		if (*text == '$')
			fault = expand_variable(&text, out);
		else if (buf_add_char(out, *text++) != 0)
			fault = "is too long";
	}
	return fault;
}

/* Drops empty and "." parts in place. */
static void clean_path(char *path)
{
	char *to = path;
	const char *from = path;

	while (*from != '\0') {
		size_t len = strcspn(from + 1, "/");
		bool is_empty = len == 0 || (len == 1 && from[1] == '.');
		if (!is_empty) {
			memmove(to, from, len + 1);
			to += len + 1;
		}
		from += len + 1;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

char *value_path(const char *text, const char **fault)
{
	struct buf out;

	buf_init(&out, PATH_MAX - 1);
	*fault = expand_path(text, &out);
	if (*fault == NULL && buf_str(&out)[0] != '/')
		*fault = "must be absolute or begin with `~/`";
	if (*fault != NULL) {
		buf_free(&out);
		return NULL;
	}
	clean_path(out.data);
	return out.data;
}

/* The path with links followed in the longest part of it that exists. Allocated. */
static char *resolve(const char *path)
{
	char real[PATH_MAX];
	char *head = xstrdup(path);
	char *result = NULL;

	for (;;) {
		char *slash = strrchr(head, '/');
		if (realpath(head[0] != '\0' ? head : "/", real) != NULL) {
			const char *tail = path + strlen(head);
			result = xasprintf("%s%s", strcmp(real, "/") == 0 ? "" : real, tail);
			break;
		}
		if (slash == NULL)
			break;
		*slash = '\0';
	}
	free(head);
	return result != NULL ? result : xstrdup(path);
}

static bool contains(const char *outer, const char *inner)
{
	size_t len = strcmp(outer, "/") == 0 ? 0 : strlen(outer);

	return strncmp(outer, inner, len) == 0 && (inner[len] == '/' || inner[len] == '\0');
}

bool value_paths_overlap(const char *a, const char *b)
{
	char *real_a = resolve(a);
	char *real_b = resolve(b);
	bool does = contains(real_a, real_b) || contains(real_b, real_a);

	free(real_a);
	free(real_b);
	return does;
}

/* --- Lists ---------------------------------------------------------------------- */

char **value_list_copy(char *const *list)
{
	size_t count = 0;

	while (list[count] != NULL)
		count++;
	char **copy = xcalloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

void value_list_free(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}
