/* The configuration file (CONTRACT 2), read into plain structs. Everything is
 * validated here: what is in a struct config can be used as it is.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_CONFIG_H
#define SYNCD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/error.h"
#include "syncd/log.h"
#include "syncd/maildir.h"
#include "syncd/net.h"
#include "syncd/secret.h"
#include "syncd/sync_plan.h"

enum config_protocol {
	CONFIG_IMAP,
	CONFIG_POP3,
};

/* Who follows when a mailbox is made or deleted on the other side: `local` means
 * that the maildir follows the server. */
enum config_follow {
	CONFIG_FOLLOW_BOTH,
	CONFIG_FOLLOW_LOCAL,
	CONFIG_FOLLOW_REMOTE,
	CONFIG_FOLLOW_NONE,
};

/* What a POP3 server keeps (CONTRACT 2.3). */
enum config_keep {
	CONFIG_KEEP_ALL,
	CONFIG_KEEP_NONE,          /* delete once safely on disk */
	CONFIG_KEEP_TIME,          /* delete keep_s after download */
	CONFIG_KEEP_UNTIL_DELETED, /* delete when the local copy is deleted */
};

#define CONFIG_NO_LIMIT UINT64_MAX /* of max_size: `none` */

/* CONTRACT 2.1. Strings are NULL when the key is absent; the port is filled in. */
struct config_connection {
	char *host;
	uint16_t port;
	enum net_tls tls;
	bool allow_plaintext;
	char *tls_ca_file;
	char *tls_fingerprint; /* "sha256:" and 64 lower-case hex digits */
	char *tls_client_cert;
	char *tls_client_key;
	char *tunnel;
	char *user;
	struct secret *password;
	char **password_command; /* argv, NULL-terminated; a string became sh -c STRING */
	char **auth; /* mechanisms in lower case, NULL-terminated; NULL: the strongest */
	uint64_t timeout_ms;
};

/* CONTRACT 2.4; user, password and auth are the account's where not given. */
struct config_smtp {
	struct config_connection connection;
	char **from; /* NULL-terminated, never empty */
	char *sent;  /* "": the server files it */
	uint64_t delay_s;
	uint64_t expire_s;
};

struct config_account {
	char *name; /* fit for a directory's name: letters, digits, - _ . @ + */
	int line;   /* where its section begins */
	enum config_protocol protocol;
	struct config_connection connection;
	char *maildir; /* absolute, no trailing slash */
	enum maildir_layout layout;
	char **mailboxes; /* for pattern_list_selects; of pop3 INBOX alone */
	bool subscribed;  /* only these; imap only, as the next up to `trash` */
	enum sync_direction direction;
	enum config_follow create;
	enum config_follow remove;
	bool expunge_deleted;
	char *trash;             /* mailbox, or NULL; or, */
	bool finds_trash;        /* trash = auto, the server's \Trash */
	unsigned deletion_limit; /* percent, 1 to 100; 0: no limit */
	uint64_t max_size_bytes; /* CONFIG_NO_LIMIT: none */
	unsigned connections;
	bool push;
	uint64_t poll_interval_s;
	uint64_t verify_interval_s; /* 0: never */
	uint64_t unanswered_wait_s;
	bool compress;
	bool crlf;    /* line_endings = crlf */
	char *on_new; /* sh -c commands, or NULL */
	char *on_change;
	enum config_keep keep; /* pop3 only, as the next two */
	bool deletes_moved;    /* until-deleted: moved to another mailbox counts as deleted */
	uint64_t keep_s;
	struct config_smtp *smtp; /* NULL without the section */
};

struct config {
	char *path;
	char *state_dir; /* absolute */
	enum log_level log_level;
	struct config_account *accounts; /* in the file's order, at least one */
	size_t count;
};

struct config_fault {
	int line; /* 0: of the file as a whole */
	char *message;
};

#define CONFIG_FAULTS_MAX 100

struct config_faults {
	char *path;
	struct config_fault items[CONFIG_FAULTS_MAX];
	size_t count;
};

/* Where the configuration is when -c does not say: $XDG_CONFIG_HOME/syncd/syncd.conf when that
 * exists, else ~/.config/syncd/syncd.conf. Allocated. */
char *config_default_path(void);

/* The control socket when -s does not say: $XDG_RUNTIME_DIR/syncd.sock, else
 * STATE_DIR/syncd.sock. Allocated. */
char *config_socket_path(const struct config *config);

/* Reads and checks a file. Returns the configuration, or NULL with every fault that could be
 * found in *faults (which is initialised here; free it in any case). Warnings there are none. */
struct config *config_load(const char *path, struct config_faults *faults);

/* Wipes passwords. *config becomes NULL; NULL inside is harmless. */
void config_free(struct config **config);
void config_faults_free(struct config_faults *faults);

/* "file:line: message" (without the line when it is 0) of fault `index`. Allocated. */
char *config_fault_format(const struct config_faults *faults, size_t index);

/* The account of that name, or NULL. */
const struct config_account *config_find(const struct config *config, const char *name);

/* "verbatim" or "maildir++". A static string. */
const char *config_layout_name(enum maildir_layout layout);

/* The connection as net wants it; borrows its strings. */
struct net_target config_target(const struct config_connection *connection);

#endif
