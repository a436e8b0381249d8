/* The log: one line an event on stderr, or to a sink that tests install.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_LOG_H
#define SYNCD_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG, /* -v: what is done and why */
	LOG_LEVEL_TRACE, /* -vv: protocol traffic, secrets redacted by the protocol modules */
};

/* Only lines at or below `level` are written. Default: INFO. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* With systemd's journal on stderr, lines carry "<N>" priorities instead of
 * words. */
void log_set_journal(bool is_on);

/* Lines go to `sink` instead of stderr; NULL restores stderr. `line` is valid
 * during the call only and has no newline. */
typedef void (*log_sink)(enum log_level level, const char *line, void *context);
void log_set_sink(log_sink sink, void *context);

/* Writes one line. Control characters are replaced by '?', so that nothing a
 * server says can forge a line or reach the terminal. `account` may be NULL. */
void log_write(enum log_level level, const char *account, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(account, ...) log_write(LOG_LEVEL_ERROR, (account), __VA_ARGS__)
#define log_warn(account, ...) log_write(LOG_LEVEL_WARN, (account), __VA_ARGS__)
#define log_info(account, ...) log_write(LOG_LEVEL_INFO, (account), __VA_ARGS__)

/* Debug and trace cost nothing when they are off. */
#define log_debug(account, ...)                                                                    \
	(log_is_on(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, (account), __VA_ARGS__) : (void)0)
#define log_trace(account, ...)                                                                    \
	(log_is_on(LOG_LEVEL_TRACE) ? log_write(LOG_LEVEL_TRACE, (account), __VA_ARGS__) : (void)0)

#endif
