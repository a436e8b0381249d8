/* What the files of the configuration share.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_DAEMON_CONFIG_PRIVATE_H
#define SYNCD_DAEMON_CONFIG_PRIVATE_H

#include "config_read.h"
#include "syncd/config.h"

/* Reads the keys of CONTRACT 2.1. Where `account` is not NULL, this is its smtp section, which
 * takes user, password and auth from there. `implicit_port` and `plain_port` are the protocol's. */
void config_read_connection(const struct config_reader *reader, uint16_t implicit_port,
			    uint16_t plain_port, const struct config_connection *account,
			    struct config_connection *out);
/* A fault if `auth` names APOP, which `protocol` does not have. */
void config_refuse_apop(const struct config_reader *reader,
			const struct config_connection *connection, const char *protocol);
void config_connection_free(struct config_connection *connection);

/* Reads an account's section; its fields are valid where no fault was noted. */
void config_read_account(const struct config_reader *reader, struct config_account *out);
void config_account_free(struct config_account *account);

#endif
