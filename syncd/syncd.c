/* syncd: options and wiring.
 * SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "syncd/alloc.h"
#include "syncd/config.h"
#include "syncd/daemon.h"
#include "syncd/log.h"
#include "syncd/loop.h"
#include "syncd/once.h"
#include "syncd/versions.h"

struct options {
	const char *config_path;
	const char *socket_path;
	int verbosity; /* -v counts up, -q down */
	bool is_once;
	bool is_dry_run;
	bool is_check;
	char *const *targets;
	size_t target_count;
};

static const char usage[] =
	"usage: syncd [-c FILE] [-s SOCKET] [-v|-q] [--once [--dry-run]] [--check]\n"
	"             [ACCOUNT[/MAILBOX]...]\n";

enum { OPTION_ONCE = 256, OPTION_DRY_RUN, OPTION_CHECK, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, 's' },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static int usage_fault(const char *why)
{
	(void)fprintf(stderr, "syncd: %s\n%s", why, usage);
	return 64;
}

/* Returns -1 to go on, else the exit status. */
static int take_option(struct options *options, int option)
{
	switch (option) {
	case 'c':
		options->config_path = optarg;
		return -1;
	case 's':
		options->socket_path = optarg;
		return -1;
	case 'v':
		options->verbosity++;
		return -1;
	case 'q':
		options->verbosity--;
		return -1;
	case OPTION_ONCE:
		options->is_once = true;
		return -1;
	case OPTION_DRY_RUN:
		options->is_dry_run = true;
		return -1;
	case OPTION_CHECK:
		options->is_check = true;
		return -1;
	case OPTION_VERSION:
		versions_print("syncd");
		return 0;
	case OPTION_HELP:
		(void)fputs(usage, stdout);
		return 0;
	default:
		(void)fputs(usage, stderr);
		return 64;
	}
}

static int take_options(struct options *options, int argc, char **argv)
{
	int option = 0;

	while ((option = getopt_long(argc, argv, "c:s:vq", long_options, NULL)) != -1) {
		int status = take_option(options, option);
		if (status >= 0)
			return status;
	}
	options->targets = &argv[optind];
	options->target_count = (size_t)(argc - optind);
	if (options->is_dry_run && !options->is_once)
		return usage_fault("--dry-run goes with --once");
	if (options->target_count > 0 && !options->is_once)
		return usage_fault("accounts and mailboxes are named with --once");
	return -1;
}

static struct config *load_config(const struct options *options)
{
	char *path = options->config_path != NULL ? NULL : config_default_path();
	struct config_faults faults;
	struct config *config = config_load(path != NULL ? path : options->config_path, &faults);

	for (size_t i = 0; i < faults.count; i++) {
		char *line = config_fault_format(&faults, i);
		(void)fprintf(stderr, "%s\n", line);
		free(line);
	}
	config_faults_free(&faults);
	free(path);
	return config;
}

static void set_log(const struct options *options, const struct config *config)
{
	int level = (int)config->log_level;

	if (options->verbosity > 0)
		level = LOG_LEVEL_INFO + options->verbosity;
	else if (options->verbosity < 0)
		level = LOG_LEVEL_WARN + 1 + options->verbosity;
	else if (options->is_once && level > LOG_LEVEL_WARN)
		level = LOG_LEVEL_WARN;
	if (level < LOG_LEVEL_ERROR)
		level = LOG_LEVEL_ERROR;
	log_set_level(level > LOG_LEVEL_TRACE ? LOG_LEVEL_TRACE : (enum log_level)level);
	log_set_journal(!options->is_once && getenv("JOURNAL_STREAM") != NULL);
}

/* Passwords are in memory: no core file. The kernel heeds a limit of 0 only where cores are files;
 * 1 keeps a program that core_pattern names from getting any, too (core(5)). */
static void forbid_cores(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max < 1)
		return;
	limit.rlim_cur = 1;
	(void)setrlimit(RLIMIT_CORE, &limit);
}

int main(int argc, char **argv)
{
	struct options options = { .config_path = NULL };

	forbid_cores();
	alloc_keep_small();
	int status = take_options(&options, argc, argv);

	if (status >= 0)
		return status;
	struct config *config = load_config(&options);
	if (config == NULL)
		return 78;
	if (options.is_check) {
		config_free(&config);
		return 0;
	}
	set_log(&options, config);
	if (options.is_once) {
		struct loop *loop = loop_new();
		status = once_run(loop, config, options.targets, options.target_count,
				  options.is_dry_run);
		loop_free(&loop);
		config_free(&config);
		return status;
	}
	return daemon_run(&config, options.config_path, options.socket_path);
}
