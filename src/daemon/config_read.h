/* Reading keys out of a section that libConfuse has parsed, with the line of each. Every key is
 * text to libConfuse; what it means, and what is wrong with it, is found out here, so that all
 * faults of a file are told at once.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_CONFIG_READ_H
#define SYNCD_DAEMON_CONFIG_READ_H

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/config.h"

struct config_reader {
	struct config_faults *faults;
	cfg_t *section;
	const char *where; /* what a fault's text begins with: `account "work": `, or "" */
	int line;          /* of the section */
};

/* A word and what it stands for; tables end with a NULL word. */
struct config_word {
	const char *word;
	int value;
};

/* Parses the file's text into libConfuse's tree. NULL, the fault noted, when it cannot. */
cfg_t *config_parse(const char *path, struct config_faults *faults);

/* Where a section begins, as far as it can be told: the line of its first key. */
int config_section_line(cfg_t *section);

/* Notes a fault at a line; more than CONFIG_FAULTS_MAX are dropped. */
void config_fault(struct config_faults *faults, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same at the line of `key`, or of the section when the key is absent. */
void read_fault(const struct config_reader *reader, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool read_has(const struct config_reader *reader, const char *key);

/* The text, or NULL when absent. Borrowed. An empty one is a fault, and NULL. */
const char *read_text(const struct config_reader *reader, const char *key);

/* Copies; NULL when absent or faulty. */
char *read_string(const struct config_reader *reader, const char *key);
char *read_path(const struct config_reader *reader, const char *key);
char **read_list(const struct config_reader *reader, const char *key);

/* A password; its text is wiped from libConfuse's tree. */
struct secret *read_secret(const struct config_reader *reader, const char *key);

/* Values with a default for an absent (or faulty) key. */
bool read_bool(const struct config_reader *reader, const char *key, bool absent);
int read_word(const struct config_reader *reader, const char *key, const struct config_word *words,
	      int absent);
uint64_t read_number(const struct config_reader *reader, const char *key, uint64_t min,
		     uint64_t max, uint64_t absent);
uint64_t read_duration(const struct config_reader *reader, const char *key, uint64_t min_s,
		       uint64_t absent_s);

/* `none` gives CONFIG_NO_LIMIT, as does an absent key. */
uint64_t read_size_limit(const struct config_reader *reader, const char *key);

#endif
