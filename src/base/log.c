/* The log: levels, one line an event, no control characters.
 * SPDX-License-Identifier: MIT */
#include "syncd/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_MAX 4096 /* bytes; longer lines are cut */

/* The log is one of the two globals the program allows itself. */
static struct {
	enum log_level level;
	bool is_journal;
	log_sink sink;
	void *sink_context;
} the_log = { .level = LOG_LEVEL_INFO };

static const char *const level_words[] = { "error: ", "warning: ", "", "", "" };
static const char *const level_priorities[] = { "<3>", "<4>", "<6>", "<7>", "<7>" };

void log_set_level(enum log_level level)
{
	the_log.level = level;
}

bool log_is_on(enum log_level level)
{
	return level <= the_log.level;
}

void log_set_journal(bool is_on)
{
	the_log.is_journal = is_on;
}

void log_set_sink(log_sink sink, void *context)
{
	the_log.sink = sink;
	the_log.sink_context = context;
}

static void log_clean(char *line)
{
	for (unsigned char *p = (unsigned char *)line; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

void log_write(enum log_level level, const char *account, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list args;

	if (!log_is_on(level))
		return;
	const char *prefix = the_log.is_journal ? level_priorities[level] : level_words[level];
	int len = snprintf(line, sizeof(line), "%s%s%s", prefix, account != NULL ? account : "",
			   account != NULL ? ": " : "");
	if (len < 0 || (size_t)len >= sizeof(line))
		return;
	va_start(args, format);
	(void)vsnprintf(line + len, sizeof(line) - (size_t)len, format, args);
	va_end(args);
	log_clean(line);
	if (the_log.sink != NULL)
		the_log.sink(level, line, the_log.sink_context);
	else
		(void)fprintf(stderr, "%s\n", line);
}
