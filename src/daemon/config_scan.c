/* Finding a brace that is never closed.
 * SPDX-License-Identifier: MIT */
#include "config_scan.h"

#include <stdbool.h>
#include <string.h>

/* One character at a time, the next one seen too. */
struct scan {
	FILE *file;
	int line;
	int depth;
	int open_line; /* of the outermost brace that is open */
};

static int scan_next(struct scan *scan)
{
	int c = getc(scan->file);

	if (c == '\n')
		scan->line++;
	return c;
}

static bool scan_follows(struct scan *scan, int wanted)
{
	int c = getc(scan->file);

	if (c == wanted)
		return true;
	if (c != EOF)
		(void)ungetc(c, scan->file);
	return false;
}

static void skip_string(struct scan *scan, int quote)
{
	int c;

	while ((c = scan_next(scan)) != EOF && c != quote) {
		if (c == '\\')
			(void)scan_next(scan);
	}
}

static void skip_line(struct scan *scan)
{
	int c;

	while ((c = scan_next(scan)) != EOF && c != '\n')
		;
}

static void skip_block_comment(struct scan *scan)
{
	int c;

	while ((c = scan_next(scan)) != EOF) {
		if (c == '*' && scan_follows(scan, '/'))
			return;
	}
}

static void scan_brace(struct scan *scan, int c)
{
	if (c == '{' && scan->depth++ == 0)
		scan->open_line = scan->line;
	else if (c == '}' && scan->depth > 0)
		scan->depth--;
}

int scan_unclosed_brace(FILE *file)
{
	struct scan scan = { .file = file, .line = 1 };
	bool is_in_word = false; /* where a slash is a slash */
	int c;

	while ((c = scan_next(&scan)) != EOF) {
		if (c == '"' || c == '\'')
			skip_string(&scan, c);
		else if (c == '#' || (c == '/' && !is_in_word && scan_follows(&scan, '/')))
			skip_line(&scan);
		else if (c == '/' && !is_in_word && scan_follows(&scan, '*'))
			skip_block_comment(&scan);
		else
			scan_brace(&scan, c);
		is_in_word = strchr(" \t\r\n{}=,()\"'", c) == NULL;
	}
	return scan.depth > 0 ? scan.open_line : 0;
}
