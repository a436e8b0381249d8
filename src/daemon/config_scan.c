/* Strings, comments, variables and braces, as libConfuse reads them.
 * SPDX-License-Identifier: MIT */
#include "config_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

/* What ends a word, or is none. */
#define BETWEEN_WORDS " \t\r\n{}=,()\"'+*"

struct scan {
	char *at;
	int line;
	int depth;
	struct scan_findings found;
};

static void scan_fail(struct scan *scan, int line, const char *fault)
{
	if (scan->found.fault != NULL)
		return;
	scan->found.fault = fault;
	scan->found.line = line;
}

static bool scan_is_at(const struct scan *scan, const char *token)
{
	return strncmp(scan->at, token, strlen(token)) == 0;
}

/* Moves on, but never past the end. */
static void scan_skip(struct scan *scan, size_t count)
{
	for (; count > 0 && *scan->at != '\0'; count--)
		scan->line += *scan->at++ == '\n';
}

/* As scan_skip; what is passed is blank. */
static void scan_blank(struct scan *scan, size_t count)
{
	for (; count > 0 && *scan->at != '\0'; count--) {
		char *passed = scan->at;
		scan_skip(scan, 1);
		if (*passed != '\n')
			*passed = ' ';
	}
}

/* ${NAME}, or ${NAME:-else}. Without its brace it is no variable. */
static bool scan_variable(struct scan *scan)
{
	const char *end = scan_is_at(scan, "${") ? strchr(scan->at, '}') : NULL;

	if (end == NULL)
		return false;
	char *name = xstrndup(scan->at + 2, (size_t)(end - scan->at) - 2);
	if (strstr(name, ":-") == NULL && getenv(name) == NULL)
		scan_fail(scan, scan->line, "names a variable that is not set");
	free(name);
	scan_skip(scan, (size_t)(end - scan->at) + 1);
	return true;
}

static void scan_string(struct scan *scan)
{
	char quote = *scan->at;
	int begin = scan->line;

	scan_skip(scan, 1);
	while (*scan->at != '\0' && *scan->at != quote) {
		if (*scan->at == '\\')
			scan_skip(scan, 2);
		else if (quote == '\'' || !scan_variable(scan))
			scan_skip(scan, 1);
	}
	if (*scan->at == '\0')
		scan_fail(scan, begin, "the string that begins here is never closed");
	scan_skip(scan, 1);
}

static void scan_block_comment(struct scan *scan)
{
	const char *end = strstr(scan->at + 2, "*/");

	if (end == NULL)
		scan_fail(scan, scan->line, "the comment that begins here is never closed");
	scan_blank(scan, end != NULL ? (size_t)(end - scan->at) + 2 : strlen(scan->at));
}

static void scan_brace(struct scan *scan)
{
	if (*scan->at == '{' && scan->depth++ == 0)
		scan->found.open_line = scan->line;
	if (*scan->at == '}' && scan->depth > 0)
		scan->depth--;
}

/* The next string, comment, variable or character. */
static void scan_step(struct scan *scan, bool is_in_word)
{
	if (*scan->at == '"' || *scan->at == '\'') {
		scan_string(scan);
	} else if (*scan->at == '#' || (!is_in_word && scan_is_at(scan, "//"))) {
		scan_blank(scan, strcspn(scan->at, "\n"));
	} else if (!is_in_word && scan_is_at(scan, "/*")) {
		scan_block_comment(scan);
	} else if (is_in_word || !scan_variable(scan)) {
		scan_brace(scan);
		scan_skip(scan, 1);
	}
}

struct scan_findings scan_text(char *text, size_t len)
{
	struct scan scan = { .at = text, .line = 1 };
	bool is_in_word = false; /* where a slash is a slash */

	while (*scan.at != '\0') {
		scan_step(&scan, is_in_word);
		is_in_word = strchr(BETWEEN_WORDS, scan.at[-1]) == NULL;
	}
	if (scan.at < text + len)
		scan_fail(&scan, scan.line, "there is a NUL byte");
	if (scan.depth == 0)
		scan.found.open_line = 0;
	return scan.found;
}
