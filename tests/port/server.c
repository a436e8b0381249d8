/* Starts server.py and reads the port that it prints.
 * SPDX-License-Identifier: MIT */
#include "port/server.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/must.h"

#define ARGS_MAX 32

static _Noreturn void run_child(const char *const *arguments, int stdin_fd, int stdout_fd)
{
	const char *python = getenv("PYTHON");
	char *args[ARGS_MAX] = { NULL };
	size_t count = 0;

	if (python == NULL)
		python = "python3";
	args[count++] = (char *)(uintptr_t)python;
	args[count++] = (char *)(uintptr_t) "tests/port/server.py";
	while (*arguments != NULL && count < ARGS_MAX - 1)
		args[count++] = (char *)(uintptr_t)*arguments++;
	if (dup2(stdin_fd, 0) == 0 && dup2(stdout_fd, 1) == 1)
		(void)execvp(python, args);
	_exit(127);
}

/* Starts it with these arguments and reads the line that it prints. */
static void start(struct server *server, const char *const *arguments, char *line, int size)
{
	int to_child[2];
	int from_child[2];

	must(pipe(to_child) == 0 && pipe(from_child) == 0);
	/* Other servers' inputs must not be held open by this one. */
	must(fcntl(to_child[1], F_SETFD, FD_CLOEXEC) == 0);
	server->pid = fork();
	must(server->pid >= 0);
	if (server->pid == 0) {
		(void)close(to_child[1]); /* or it would never end */
		(void)close(from_child[0]);
		run_child(arguments, to_child[0], from_child[1]);
	}
	(void)close(to_child[0]);
	(void)close(from_child[1]);
	server->stdin_fd = to_child[1];
	FILE *output = fdopen(from_child[0], "r");
	must(output != NULL);
	must(fgets(line, size, output) != NULL);
	(void)fclose(output);
	server->port = (uint16_t)strtoul(line, NULL, 10);
	must(server->port != 0 || strcmp(line, "missing\n") == 0);
}

void server_start(struct server *server, const char *const *without)
{
	char line[32] = "";

	start(server, without, line, sizeof(line));
}

void server_start_pop3(struct server *server)
{
	static const char *const arguments[] = { "--pop3", NULL };
	char line[512] = "";

	start(server, arguments, line, sizeof(line));
	if (server->port != 0)
		must(sscanf(line, "%*u %hu %255s", &server->tls_port, server->ca_file) == 2);
}

void server_stop(struct server *server)
{
	(void)close(server->stdin_fd);
	must(waitpid(server->pid, NULL, 0) == server->pid);
}
