/* The configuration file as a whole.
 * SPDX-License-Identifier: MIT */
#include "syncd/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_private.h"
#include "config_value.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

static const struct config_word log_level_words[] = {
	{ "error", LOG_LEVEL_ERROR }, { "warn", LOG_LEVEL_WARN },   { "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG }, { "trace", LOG_LEVEL_TRACE }, { NULL, 0 },
};

/* $VARIABLE/TAIL when it is set to an absolute path, as the XDG rules want it. */
static char *xdg_path(const char *variable, const char *tail)
{
	const char *base = getenv(variable);

	return base != NULL && base[0] == '/' ? xasprintf("%s/%s", base, tail) : NULL;
}

static char *home_path(const char *tail)
{
	const char *fault;
	char *path = value_path(tail, &fault);

	return path != NULL ? path : xstrdup(tail);
}

char *config_default_path(void)
{
	char *path = xdg_path("XDG_CONFIG_HOME", "syncd/syncd.conf");

	if (path != NULL && access(path, F_OK) == 0)
		return path;
	free(path);
	return home_path("~/.config/syncd/syncd.conf");
}

char *config_socket_path(const struct config *config)
{
	char *path = xdg_path("XDG_RUNTIME_DIR", "syncd.sock");

	return path != NULL ? path : xasprintf("%s/syncd.sock", config->state_dir);
}

static char *default_state_dir(void)
{
	char *path = xdg_path("XDG_STATE_HOME", "syncd");

	return path != NULL ? path : home_path("~/.local/state/syncd");
}

/* Mail of two accounts must not meet, nor the state be taken for mail. */
static void check_overlaps(const struct config *config, size_t index,
			   const struct config_reader *reader)
{
	const struct config_account *a = &config->accounts[index];

	if (a->maildir == NULL)
		return;
	if (config->state_dir != NULL && value_paths_overlap(a->maildir, config->state_dir))
		read_fault(reader, "maildir", "overlaps state_dir");
	for (size_t i = 0; i < index; i++) {
		const struct config_account *b = &config->accounts[i];
		if (b->maildir != NULL && value_paths_overlap(a->maildir, b->maildir))
			read_fault(reader, "maildir", "overlaps that of account \"%s\" on line %d",
				   b->name, b->line);
	}
}

static void read_root(cfg_t *tree, struct config *config, struct config_faults *faults)
{
	struct config_reader root = { faults, tree, "", 1 };

	config->state_dir =
		read_has(&root, "state_dir") ? read_path(&root, "state_dir") : default_state_dir();
	config->log_level =
		(enum log_level)read_word(&root, "log_level", log_level_words, LOG_LEVEL_INFO);
	config->count = cfg_size(tree, "account");
	config->accounts = xcalloc(config->count, sizeof(*config->accounts));
	if (config->count == 0)
		config_fault(faults, 0, "no account is configured");
	for (size_t i = 0; i < config->count; i++) {
		cfg_t *section = cfg_getnsec(tree, "account", (unsigned)i);
		char *where = xasprintf("account \"%s\": ", cfg_title(section));
		struct config_reader reader = { faults, section, where,
						config_section_line(section) };
		config_read_account(&reader, &config->accounts[i]);
		check_overlaps(config, i, &reader);
		free(where);
	}
}

static int fault_compare(const void *a, const void *b)
{
	int line_a = ((const struct config_fault *)a)->line;
	int line_b = ((const struct config_fault *)b)->line;

	return (line_a > line_b) - (line_a < line_b);
}

struct config *config_load(const char *path, struct config_faults *faults)
{
	*faults = (struct config_faults){ .path = xstrdup(path) };
	cfg_t *tree = config_parse(path, faults);
	if (tree == NULL)
		return NULL;
	struct config *config = xcalloc(1, sizeof(*config));
	config->path = xstrdup(path);
	read_root(tree, config, faults);
	cfg_free(tree);
	qsort(faults->items, faults->count, sizeof(faults->items[0]), fault_compare);
	if (faults->count > 0)
		config_free(&config);
	return config;
}

void config_free(struct config **config)
{
	struct config *freed = *config;

	*config = NULL;
	if (freed == NULL)
		return;
	for (size_t i = 0; i < freed->count; i++)
		config_account_free(&freed->accounts[i]);
	free(freed->accounts);
	free(freed->state_dir);
	free(freed->path);
	free(freed);
}

void config_faults_free(struct config_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		free(faults->items[i].message);
	free(faults->path);
	*faults = (struct config_faults){ .count = 0 };
}

char *config_fault_format(const struct config_faults *faults, size_t index)
{
	must(index < faults->count);
	const struct config_fault *fault = &faults->items[index];
	if (fault->line == 0)
		return xasprintf("%s: %s", faults->path, fault->message);
	return xasprintf("%s:%d: %s", faults->path, fault->line, fault->message);
}

const struct config_account *config_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->count; i++) {
		if (strcmp(config->accounts[i].name, name) == 0)
			return &config->accounts[i];
	}
	return NULL;
}
