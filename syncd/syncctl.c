/* syncctl: the control client of a running syncd.
 * SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "syncd/ctl.h"
#include "syncd/versions.h"

#define EXIT_USAGE 64

static void print_usage(FILE *file)
{
	(void)fprintf(file, "usage: syncctl [-s SOCKET] [--json] COMMAND [ARG...]\n");
}

static int help(void)
{
	print_usage(stdout);
	(void)printf("Commands:\n");
	ctl_print_commands();
	return 0;
}

static int usage_error(void)
{
	print_usage(stderr);
	return EXIT_USAGE;
}

/* --json is taken behind the command too; any other option there is a mistake. */
static bool take_options(struct ctl_options *options, char **arguments)
{
	char **to = arguments + 1;

	for (char **from = to; *from != NULL; from++) {
		if (strcmp(*from, "--json") == 0)
			options->is_json = true;
		else if ((*from)[0] == '-')
			return false;
		else
			*to++ = *from;
	}
	*to = NULL;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct ctl_options options = { .socket_path = NULL };
	int option;

	(void)setlocale(LC_CTYPE, "");
	/* "+": the options of `sendmail` are its own. */
	while ((option = getopt_long(argc, argv, "+s:", long_options, NULL)) != -1) {
		if (option == 's')
			options.socket_path = optarg;
		else if (option == 'j')
			options.is_json = true;
		else if (option == 'h')
			return help();
		else if (option == 'V') {
			versions_print("syncctl");
			return 0;
		} else {
			return usage_error();
		}
	}
	if (argv[optind] == NULL)
		return usage_error();
	if (strcmp(argv[optind], "sendmail") != 0 && !take_options(&options, argv + optind))
		return usage_error();
	return ctl_run(&options, argv + optind);
}
