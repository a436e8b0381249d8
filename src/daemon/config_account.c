/* An account's section (CONTRACT 2.2 to 2.4).
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "config_private.h"
#include "config_value.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/pattern.h"
#include "syncd/record.h"

#define MINUTE_S 60
#define DAY_S 86400
#define UNANSWERED_WAIT_S 30 /* servers were seen to be late by less than a second */
#define CONNECTIONS_MAX 100

static const struct config_word protocol_words[] = {
	{ "imap", CONFIG_IMAP },
	{ "pop3", CONFIG_POP3 },
	{ NULL, 0 },
};
static const struct config_word layout_words[] = {
	{ "verbatim", MAILDIR_VERBATIM },
	{ "maildir++", MAILDIR_PLUSPLUS },
	{ NULL, 0 },
};
static const struct config_word direction_words[] = {
	{ "both", SYNC_BOTH },
	{ "pull", SYNC_PULL },
	{ "push", SYNC_PUSH },
	{ NULL, 0 },
};
static const struct config_word follow_words[] = {
	{ "both", CONFIG_FOLLOW_BOTH },
	{ "local", CONFIG_FOLLOW_LOCAL },
	{ "remote", CONFIG_FOLLOW_REMOTE },
	{ "none", CONFIG_FOLLOW_NONE },
	{ NULL, 0 },
};
static const struct config_word moved_words[] = {
	{ "keep", false },
	{ "delete", true },
	{ NULL, 0 },
};
static const struct config_word line_ending_words[] = {
	{ "lf", false },
	{ "crlf", true },
	{ NULL, 0 },
};

/* Keys that only one of the protocols knows. */
static const char *const imap_keys[] = {
	"layout",          "mailboxes",       "direction",       "create",     "remove",
	"expunge_deleted", "trash",           "connections",     "push",       "compress",
	"on_change",       "verify_interval", "unanswered_wait", "subscribed",
};
static const char *const pop3_keys[] = { "keep", "moved" };
/* And only where the server's copy follows the local one. */
static const char *const until_deleted_keys[] = { "moved", "deletion_limit" };

static void refuse_keys(const struct config_reader *reader, const char *const *keys, size_t count,
			const char *protocol)
{
	for (size_t i = 0; i < count; i++) {
		if (read_has(reader, keys[i]))
			read_fault(reader, keys[i], "is not a key of %s accounts", protocol);
	}
}

/* libConfuse's words have no `+`: unquoted, it silently loses them. */
static enum maildir_layout read_layout(const struct config_reader *reader)
{
	const char *text = read_text(reader, "layout");

	if (text != NULL && strcmp(text, "maildir") == 0) {
		read_fault(reader, "layout", "\"maildir++\" must stand in quotes");
		return MAILDIR_PLUSPLUS;
	}
	return (enum maildir_layout)read_word(reader, "layout", layout_words, MAILDIR_VERBATIM);
}

const char *config_layout_name(enum maildir_layout layout)
{
	return layout_words[layout == MAILDIR_VERBATIM ? 0 : 1].word;
}

static char **read_mailboxes(const struct config_reader *reader)
{
	char **patterns = read_list(reader, "mailboxes");

	if (patterns == NULL) {
		char *const all[] = { "*", NULL };
		return value_list_copy(all);
	}
	for (size_t i = 0; patterns[i] != NULL; i++) {
		const char *fault = pattern_fault(patterns[i]);
		if (fault != NULL)
			read_fault(reader, "mailboxes", "\"%s\": %s", patterns[i], fault);
	}
	return patterns;
}

static unsigned read_deletion_limit(const struct config_reader *reader)
{
	const char *text = read_text(reader, "deletion_limit");
	unsigned percent = 50;

	if (text == NULL)
		return percent;
	if (strcmp(text, "none") == 0)
		return 0;
	if (!value_percent(text, &percent))
		read_fault(reader, "deletion_limit",
			   "\"%s\" is neither a share from 1%% to 100%% nor none", text);
	return percent;
}

static void read_keep(const struct config_reader *reader, struct config_account *out)
{
	const char *text = read_text(reader, "keep");

	out->keep = CONFIG_KEEP_ALL;
	if (text == NULL || strcmp(text, "all") == 0)
		return;
	if (strcmp(text, "none") == 0)
		out->keep = CONFIG_KEEP_NONE;
	else if (strcmp(text, "until-deleted") == 0)
		out->keep = CONFIG_KEEP_UNTIL_DELETED;
	else if (value_duration(text, &out->keep_s))
		out->keep = CONFIG_KEEP_TIME;
	else
		read_fault(reader, "keep",
			   "\"%s\" is none of all, none, until-deleted and a duration such as 14d",
			   text);
}

static uint64_t read_verify_interval(const struct config_reader *reader)
{
	const char *text = read_text(reader, "verify_interval");

	if (text != NULL && strcmp(text, "none") == 0)
		return 0;
	return read_duration(reader, "verify_interval", 1, DAY_S);
}

/* A maildrop is one mailbox, which is the maildir itself: INBOX of a maildir++. */
static void read_pop3(const struct config_reader *reader, struct config_account *out)
{
	char *const inbox[] = { "INBOX", NULL };

	refuse_keys(reader, imap_keys, ARRAY_LEN(imap_keys), "pop3");
	out->layout = MAILDIR_PLUSPLUS;
	out->mailboxes = value_list_copy(inbox);
	out->connections = 1;
	read_keep(reader, out);
	out->deletes_moved = read_word(reader, "moved", moved_words, false) != 0;
	out->deletion_limit = read_deletion_limit(reader);
	for (size_t i = 0; i < ARRAY_LEN(until_deleted_keys); i++) {
		if (out->keep != CONFIG_KEEP_UNTIL_DELETED &&
		    read_has(reader, until_deleted_keys[i]))
			read_fault(reader, until_deleted_keys[i],
				   "is of use with keep = until-deleted alone");
	}
}

static void read_trash(const struct config_reader *reader, struct config_account *out)
{
	out->trash = read_string(reader, "trash");
	if (out->trash == NULL)
		return;
	out->finds_trash = strcmp(out->trash, "auto") == 0;
	if (strlen(out->trash) > MAILBOX_NAME_MAX)
		read_fault(reader, "trash", "the name is too long");
	if (out->finds_trash) {
		free(out->trash);
		out->trash = NULL;
	}
}

static void read_imap(const struct config_reader *reader, struct config_account *out)
{
	refuse_keys(reader, pop3_keys, ARRAY_LEN(pop3_keys), "imap");
	config_refuse_apop(reader, &out->connection, "imap");
	out->layout = read_layout(reader);
	out->mailboxes = read_mailboxes(reader);
	out->subscribed = read_bool(reader, "subscribed", false);
	out->direction =
		(enum sync_direction)read_word(reader, "direction", direction_words, SYNC_BOTH);
	out->create =
		(enum config_follow)read_word(reader, "create", follow_words, CONFIG_FOLLOW_BOTH);
	out->remove =
		(enum config_follow)read_word(reader, "remove", follow_words, CONFIG_FOLLOW_BOTH);
	out->expunge_deleted = read_bool(reader, "expunge_deleted", false);
	read_trash(reader, out);
	out->deletion_limit = read_deletion_limit(reader);
	out->connections = (unsigned)read_number(reader, "connections", 1, CONNECTIONS_MAX, 4);
	out->push = read_bool(reader, "push", true);
	out->compress = read_bool(reader, "compress", true);
	out->on_change = read_string(reader, "on_change");
	out->verify_interval_s = read_verify_interval(reader);
	out->unanswered_wait_s = read_duration(reader, "unanswered_wait", 0, UNANSWERED_WAIT_S);
}

static void read_smtp(const struct config_reader *account, struct config_account *out)
{
	cfg_t *section = cfg_size(account->section, "smtp") > 0
				 ? cfg_getsec(account->section, "smtp")
				 : NULL;

	if (section == NULL)
		return;
	char *where = xasprintf("%ssmtp: ", account->where);
	struct config_reader reader = { account->faults, section, where,
					config_section_line(section) };
	out->smtp = xcalloc(1, sizeof(*out->smtp));
	config_read_connection(&reader, 465, 587, &out->connection, &out->smtp->connection);
	config_refuse_apop(&reader, &out->smtp->connection, "smtp");
	out->smtp->from = read_list(&reader, "from");
	if (!read_has(&reader, "from"))
		read_fault(&reader, "from", "is missing");
	const char *sent = read_has(&reader, "sent") ? cfg_getstr(section, "sent") : "Sent";
	out->smtp->sent = xstrdup(sent);
	out->smtp->delay_s = read_duration(&reader, "delay", 0, 0);
	out->smtp->expire_s = read_duration(&reader, "expire", 1, 5 * DAY_S);
	free(where);
}

/* The name becomes a directory below state_dir. */
static void check_name(const struct config_reader *reader, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.@+";
	size_t len = strlen(name);

	if (len == 0 || len > 64 || name[0] == '.' || strspn(name, allowed) != len)
		config_fault(reader->faults, reader->line,
			     "%sthe name must be 1 to 64 letters, digits and any of - _ . @ +, and "
			     "not begin with a dot",
			     reader->where);
}

void config_read_account(const struct config_reader *reader, struct config_account *out)
{
	out->name = xstrdup(cfg_title(reader->section));
	out->line = reader->line;
	check_name(reader, out->name);
	out->protocol =
		(enum config_protocol)read_word(reader, "protocol", protocol_words, CONFIG_IMAP);
	if (!read_has(reader, "protocol"))
		read_fault(reader, "protocol", "is missing: imap or pop3");
	bool is_imap = out->protocol == CONFIG_IMAP;
	config_read_connection(reader, is_imap ? 993 : 995, is_imap ? 143 : 110, NULL,
			       &out->connection);
	out->maildir = read_path(reader, "maildir");
	if (!read_has(reader, "maildir"))
		read_fault(reader, "maildir", "is missing");
	out->max_size_bytes = read_size_limit(reader, "max_size");
	out->poll_interval_s =
		read_duration(reader, "poll_interval", 1, (is_imap ? 5 : 10) * MINUTE_S);
	out->crlf = read_word(reader, "line_endings", line_ending_words, false) != 0;
	out->on_new = read_string(reader, "on_new");
	if (is_imap)
		read_imap(reader, out);
	else
		read_pop3(reader, out);
	read_smtp(reader, out);
}

void config_account_free(struct config_account *account)
{
	free(account->name);
	config_connection_free(&account->connection);
	free(account->maildir);
	value_list_free(account->mailboxes);
	free(account->trash);
	free(account->on_new);
	free(account->on_change);
	if (account->smtp != NULL) {
		config_connection_free(&account->smtp->connection);
		value_list_free(account->smtp->from);
		free(account->smtp->sent);
		free(account->smtp);
	}
}
