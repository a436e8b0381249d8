/* Reading keys out of a section that libConfuse has parsed.
 *
 * libConfuse calls back without a context. What its callbacks find is therefore kept in the tree
 * itself, in the comments that it has room for and does not use unless asked to: an option's
 * comment is its line, a section's comment is "LINE message" of the error met in it.
 * SPDX-License-Identifier: MIT */
#include "config_read.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_scan.h"
#include "config_value.h"
#include "syncd/alloc.h"
#include "syncd/buf.h"
#include "syncd/must.h"

#define MESSAGE_MAX 512
#define CONFIG_TEXT_MAX (1024 * 1024) /* bytes of the file */

static void fault_add(struct config_faults *faults, int line, char *message)
{
	if (faults->count == CONFIG_FAULTS_MAX) {
		free(message);
		return;
	}
	faults->items[faults->count++] = (struct config_fault){ line, message };
}

void config_fault(struct config_faults *faults, int line, const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fault_add(faults, line, xstrdup(message));
}

/* --- Parsing ---------------------------------------------------------------------- */

static int note_line(cfg_t *section, cfg_opt_t *option)
{
	char line[16];

	(void)snprintf(line, sizeof(line), "%d", section->line);
	return cfg_opt_setcomment(option, line) == CFG_SUCCESS ? 0 : -1;
}

static void note_error(cfg_t *section, const char *format, va_list args)
{
	char message[MESSAGE_MAX];

	(void)vsnprintf(message, sizeof(message), format, args);
	if (section->comment == NULL)
		section->comment = xasprintf("%d %s", section->line, message);
}

#define KEY(name) CFG_STR(name, NULL, CFGF_NODEFAULT)
#define LIST(name) CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)
#define CONNECTION_KEYS                                                                            \
	KEY("host"), KEY("port"), KEY("tls"), KEY("allow_plaintext"), KEY("tls_ca_file"),          \
		KEY("tls_fingerprint"), KEY("tls_client_cert"), KEY("tls_client_key"),             \
		KEY("tunnel"), KEY("user"), KEY("password"), LIST("password_command"),             \
		LIST("auth"), KEY("timeout")

static void note_lines_of(cfg_opt_t *options)
{
	for (cfg_opt_t *o = options; o->name != NULL; o++) {
		if (o->type != CFGT_SEC)
			o->validcb = note_line;
	}
}

static cfg_t *new_tree(void)
{
	cfg_opt_t smtp[] = { CONNECTION_KEYS, LIST("from"),  KEY("sent"),
			     KEY("delay"),    KEY("expire"), CFG_END() };
	cfg_opt_t account[] = { CONNECTION_KEYS,
				KEY("protocol"),
				KEY("maildir"),
				KEY("layout"),
				LIST("mailboxes"),
				KEY("subscribed"),
				KEY("direction"),
				KEY("create"),
				KEY("remove"),
				KEY("expunge_deleted"),
				KEY("trash"),
				KEY("deletion_limit"),
				KEY("max_size"),
				KEY("connections"),
				KEY("push"),
				KEY("poll_interval"),
				KEY("compress"),
				KEY("line_endings"),
				KEY("on_new"),
				KEY("on_change"),
				KEY("keep"),
				KEY("moved"),
				KEY("verify_interval"),
				KEY("unanswered_wait"),
				CFG_SEC("smtp", smtp, CFGF_NODEFAULT),
				CFG_END() };
	cfg_opt_t root[] = { KEY("state_dir"), KEY("log_level"),
			     CFG_SEC("account", account,
				     CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
			     CFG_END() };

	note_lines_of(smtp);
	note_lines_of(account);
	note_lines_of(root);
	cfg_t *tree = cfg_init(root, CFGF_NONE);
	must(tree != NULL);
	(void)cfg_set_error_function(tree, note_error);
	return tree;
}

/* Turns what note_error left in a section, and in those below, into faults. */
static void gather_errors(cfg_t *section, struct config_faults *faults)
{
	for (cfg_opt_t *o = section->opts; o->name != NULL; o++) {
		for (unsigned i = 0; o->type == CFGT_SEC && i < o->nvalues; i++) {
			if (o->values[i]->section != NULL)
				gather_errors(o->values[i]->section, faults);
		}
	}
	if (section->comment == NULL)
		return;
	char *message;
	long line = strtol(section->comment, &message, 10);
	config_fault(faults, (int)line, "%s", message + 1);
}

/* libConfuse itself only says that it could not. */
static bool read_file(const char *path, struct buf *text, struct config_faults *faults)
{
	FILE *file = fopen(path, "re");
	size_t got = 0;

	if (file == NULL) {
		config_fault(faults, 0, "cannot be read: %s", strerror(errno));
		return false;
	}
	/* At once: a buffer that grows would leave copies of passwords behind. */
	char *room = buf_reserve(text, text->max);
	errno = 0;
	got = fread(room, 1, text->max, file);
	if (ferror(file))
		config_fault(faults, 0, "cannot be read: %s", strerror(errno));
	else if (got == text->max)
		config_fault(faults, 0, "is longer than %d bytes", CONFIG_TEXT_MAX);
	room[got] = '\0';
	text->len = got;
	(void)fclose(file);
	return faults->count == 0;
}

/* NULL, the faults noted, when it cannot be understood. */
static cfg_t *parse_text(struct slice text, int open_line, struct config_faults *faults)
{
	cfg_t *tree = new_tree();
	/* An empty file is nothing that can be opened everywhere. */
	FILE *file = text.len > 0 ? fmemopen((void *)(uintptr_t)text.data, text.len, "r") : NULL;
	int rc = CFG_SUCCESS;

	must(file != NULL || text.len == 0);
	if (file != NULL) {
		rc = cfg_parse_fp(tree, file);
		(void)fclose(file);
	}
	gather_errors(tree, faults);
	/* libConfuse takes the end of the file for any closing brace. */
	if (faults->count == 0 && open_line > 0)
		config_fault(faults, open_line, "the section that begins here is never closed");
	if (faults->count == 0 && rc != CFG_SUCCESS)
		config_fault(faults, tree->line, "cannot be understood");
	if (faults->count > 0) {
		cfg_free(tree);
		return NULL;
	}
	return tree;
}

cfg_t *config_parse(const char *path, struct config_faults *faults)
{
	struct buf text;
	cfg_t *tree = NULL;

	buf_init(&text, CONFIG_TEXT_MAX);
	if (read_file(path, &text, faults)) {
		struct scan_findings found = scan_text(text.data, text.len);
		if (found.fault != NULL)
			config_fault(faults, found.line, "%s", found.fault);
		else
			tree = parse_text(buf_slice(&text), found.open_line, faults);
	}
	if (text.len > 0)
		secret_wipe(text.data, text.len);
	buf_free(&text);
	return tree;
}

static int option_line(cfg_opt_t *option)
{
	const char *line = option != NULL ? cfg_opt_getcomment(option) : NULL;

	return line != NULL ? (int)strtol(line, NULL, 10) : 0;
}

int config_section_line(cfg_t *section)
{
	int first = INT_MAX;

	for (cfg_opt_t *o = section->opts; o->name != NULL; o++) {
		int line = option_line(o);
		if (line > 0 && line < first)
			first = line;
	}
	return first < INT_MAX ? first : section->line;
}

/* --- Keys ---------------------------------------------------------------------------- */

void read_fault(const struct config_reader *reader, const char *key, const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;
	int line = option_line(cfg_getopt(reader->section, key));

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	config_fault(reader->faults, line > 0 ? line : reader->line, "%s%s: %s", reader->where, key,
		     message);
}

bool read_has(const struct config_reader *reader, const char *key)
{
	/* An empty list is no value, and gets no line. */
	return (cfg_getopt(reader->section, key)->flags & CFGF_MODIFIED) != 0;
}

const char *read_text(const struct config_reader *reader, const char *key)
{
	if (!read_has(reader, key))
		return NULL;
	const char *text = cfg_getstr(reader->section, key);
	if (text != NULL && text[0] != '\0')
		return text;
	read_fault(reader, key, "must not be empty");
	return NULL;
}

char *read_string(const struct config_reader *reader, const char *key)
{
	const char *text = read_text(reader, key);

	return text != NULL ? xstrdup(text) : NULL;
}

char *read_path(const struct config_reader *reader, const char *key)
{
	const char *text = read_text(reader, key);
	const char *fault;

	if (text == NULL)
		return NULL;
	char *path = value_path(text, &fault);
	if (path == NULL)
		read_fault(reader, key, "the path %s", fault);
	return path;
}

char **read_list(const struct config_reader *reader, const char *key)
{
	if (!read_has(reader, key))
		return NULL;
	unsigned count = cfg_size(reader->section, key);
	if (count == 0) {
		read_fault(reader, key, "the list is empty");
		return NULL;
	}
	char **list = xcalloc(count + 1, sizeof(*list));
	for (unsigned i = 0; i < count; i++)
		list[i] = xstrdup(cfg_getnstr(reader->section, key, i));
	return list;
}

struct secret *read_secret(const struct config_reader *reader, const char *key)
{
	if (read_text(reader, key) == NULL)
		return NULL;
	char *text = cfg_getstr(reader->section, key);
	size_t len = strlen(text);
	struct secret *secret = NULL;
	if (len <= SECRET_MAX)
		secret = secret_new(text, len);
	else
		read_fault(reader, key, "is longer than any password");
	secret_wipe(text, len);
	return secret;
}

bool read_bool(const struct config_reader *reader, const char *key, bool absent)
{
	const char *text = read_text(reader, key);
	bool value = absent;

	if (text != NULL && !value_bool(text, &value))
		read_fault(reader, key, "\"%s\" is neither true nor false", text);
	return value;
}

int read_word(const struct config_reader *reader, const char *key, const struct config_word *words,
	      int absent)
{
	const char *text = read_text(reader, key);
	struct buf known;

	if (text == NULL)
		return absent;
	buf_init(&known, MESSAGE_MAX);
	for (const struct config_word *w = words; w->word != NULL; w++) {
		if (strcmp(w->word, text) == 0) {
			buf_free(&known);
			return w->value;
		}
		(void)buf_printf(&known, "%s%s", known.len > 0 ? ", " : "", w->word);
	}
	read_fault(reader, key, "\"%s\" is not one of: %s", text, buf_str(&known));
	buf_free(&known);
	return absent;
}

uint64_t read_number(const struct config_reader *reader, const char *key, uint64_t min,
		     uint64_t max, uint64_t absent)
{
	const char *text = read_text(reader, key);
	uint64_t value = absent;

	if (text != NULL && !value_number(text, min, max, &value))
		read_fault(reader, key, "\"%s\" is not a number from %llu to %llu", text,
			   (unsigned long long)min, (unsigned long long)max);
	return value;
}

uint64_t read_duration(const struct config_reader *reader, const char *key, uint64_t min_s,
		       uint64_t absent_s)
{
	const char *text = read_text(reader, key);
	uint64_t value = absent_s;

	if (text == NULL)
		return absent_s;
	if (!value_duration(text, &value))
		read_fault(reader, key, "\"%s\" is not a duration, such as 30s, 5m, 2h, 1d or 1w",
			   text);
	else if (value < min_s)
		read_fault(reader, key, "\"%s\" is too short, at least %llus is needed", text,
			   (unsigned long long)min_s);
	return value;
}

uint64_t read_size_limit(const struct config_reader *reader, const char *key)
{
	const char *text = read_text(reader, key);
	uint64_t value = CONFIG_NO_LIMIT;

	if (text == NULL || strcmp(text, "none") == 0)
		return CONFIG_NO_LIMIT;
	if (!value_size(text, &value))
		read_fault(reader, key,
			   "\"%s\" is neither a size, such as 500K, 25M or 1G, nor none", text);
	return value;
}
