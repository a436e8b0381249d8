/* The configuration, whatever is in the file: it is one that can be used as it is, or there are
 * faults on lines that the file has.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/temp_dir.h"
#include "syncd/config.h"
#include "syncd/must.h"
#include "syncd/pattern.h"

#define FILE_NAME "syncd.conf"

static void check_connection(const struct config_connection *c)
{
	must(c->host != NULL || c->tunnel != NULL);
	must(c->port != 0 && c->timeout_ms >= 1000);
	must(c->password == NULL || c->password_command == NULL);
	must(c->password_command == NULL || c->password_command[0][0] != '\0');
	must((c->tls_client_cert == NULL) == (c->tls_client_key == NULL));
	must(c->tls_fingerprint == NULL || strlen(c->tls_fingerprint) == sizeof("sha256:") + 63);
	must(c->tls_ca_file == NULL || c->tls_ca_file[0] == '/');
	must(config_target(c).port == c->port);
}

static void check_path(const char *path)
{
	size_t len = strlen(path);

	must(path[0] == '/' && (len == 1 || path[len - 1] != '/'));
	must(strstr(path, "//") == NULL && strstr(path, "/./") == NULL);
}

static void check_account(const struct config *config, const struct config_account *account)
{
	must(config_find(config, account->name) == account);
	must(account->name[0] != '\0' && account->name[0] != '.');
	must(strchr(account->name, '/') == NULL && strlen(account->name) <= 64);
	check_connection(&account->connection);
	check_path(account->maildir);
	must(account->mailboxes != NULL);
	for (size_t i = 0; account->mailboxes[i] != NULL; i++) {
		must(pattern_fault(account->mailboxes[i]) == NULL);
		(void)pattern_matches(account->mailboxes[i], "Archive/2024");
	}
	must(account->deletion_limit <= 100 && account->connections >= 1);
	must(account->poll_interval_s >= 1);
	must(account->trash == NULL || !account->finds_trash);
	if (account->smtp == NULL)
		return;
	check_connection(&account->smtp->connection);
	must(account->smtp->from != NULL && account->smtp->sent != NULL);
}

static void check_faults(const struct config_faults *faults, int lines)
{
	must(faults->count > 0 && faults->count <= CONFIG_FAULTS_MAX);
	for (size_t i = 0; i < faults->count; i++) {
		must(faults->items[i].line >= 0 && faults->items[i].line <= lines);
		must(faults->items[i].message[0] != '\0');
		char *text = config_fault_format(faults, i);
		must(strstr(text, FILE_NAME) != NULL);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_faults faults;
	int lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	temp_write(temp_dir_of_process(), FILE_NAME, (const char *)data, size);
	char *path = temp_path(temp_dir_of_process(), FILE_NAME);
	struct config *config = config_load(path, &faults);
	if (config == NULL) {
		check_faults(&faults, lines);
	} else {
		must(config->count > 0 && faults.count == 0);
		check_path(config->state_dir);
		for (size_t i = 0; i < config->count; i++)
			check_account(config, &config->accounts[i]);
	}
	config_free(&config);
	config_faults_free(&faults);
	free(path);
	return 0;
}
