/* Tests of the configuration: what is read, and each fault with its line.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "syncd/config.h"
#include "syncd/must.h"

struct fixture {
	char path[64];
	struct config *config;
	struct config_faults faults;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .path = "/tmp/syncd-config-XXXXXX" };
	int fd = mkstemp(fixture.path);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(setenv("HOME", "/home/me", 1), 0);
	assert_int_equal(setenv("MAILROOT", "/srv/mail", 1), 0);
	assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
	assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	assert_int_equal(unsetenv("NOT_SET"), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	config_free(&f->config);
	config_faults_free(&f->faults);
	(void)unlink(f->path);
	return 0;
}

static void load(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	config_free(&f->config);
	config_faults_free(&f->faults);
	f->config = config_load(f->path, &f->faults);
}

static const struct config_account *load_account(struct fixture *f, const char *text)
{
	load(f, text);
	if (f->config == NULL)
		fail_msg("%s", config_fault_format(&f->faults, 0));
	assert_int_equal(f->faults.count, 0);
	return &f->config->accounts[0];
}

#define ACCOUNT                                                                                    \
	"account \"work\" {\n protocol = imap\n host = h.example\n user = me\n password = x\n"
#define MAILDIR " maildir = \"~/Mail\"\n"
#define MINIMAL ACCOUNT MAILDIR
#define LINE_7(text) MINIMAL text "\n}\n"

static void defaults_are_those_of_the_contract(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(f, MINIMAL "}\n");
	const struct config_connection *c = &a->connection;

	assert_string_equal(f->config->state_dir, "/home/me/.local/state/syncd");
	assert_int_equal(f->config->log_level, LOG_LEVEL_INFO);
	assert_string_equal(a->name, "work");
	assert_int_equal(a->protocol, CONFIG_IMAP);
	assert_int_equal(c->port, 993);
	assert_int_equal(c->tls, NET_TLS_IMPLICIT);
	assert_int_equal(c->timeout_ms, 60000);
	assert_null(c->auth);
	assert_null(c->password_command);
	assert_string_equal(secret_bytes(c->password), "x");
	assert_string_equal(a->maildir, "/home/me/Mail");
	assert_int_equal(a->layout, MAILDIR_VERBATIM);
	assert_string_equal(a->mailboxes[0], "*");
	assert_null(a->mailboxes[1]);
	assert_false(a->subscribed);
	assert_int_equal(a->direction, SYNC_BOTH);
	assert_int_equal(a->create, CONFIG_FOLLOW_BOTH);
	assert_int_equal(a->remove, CONFIG_FOLLOW_BOTH);
	assert_false(a->expunge_deleted);
	assert_null(a->trash);
	assert_int_equal(a->deletion_limit, 50);
	assert_true(a->max_size_bytes == CONFIG_NO_LIMIT);
	assert_int_equal(a->connections, 4);
	assert_true(a->push);
	assert_int_equal(a->poll_interval_s, 300);
	assert_int_equal(a->verify_interval_s, 86400);
	assert_int_equal(a->unanswered_wait_s, 30);
	assert_true(a->compress);
	assert_false(a->crlf);
	assert_null(a->on_new);
	assert_null(a->on_change);
	assert_null(a->smtp);
}

static void every_imap_key_is_read(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(
		f, "# a comment\nstate_dir = /var/lib/syncd/\nlog_level = debug\n"
		   "account work {\n protocol = imap\n host = \"h\"\n port = 1143\n tls = none\n"
		   " allow_plaintext = true\n user = \"me@example.org\"\n"
		   " password_command = {\"pass\", \"show\", \"a b\"}\n"
		   " auth = {SCRAM-SHA-256, plain}\n timeout = 2m\n"
		   " tls_ca_file = ~/ca.pem\n tls_client_cert = /c.pem\n tls_client_key = /k.pem\n"
		   " tls_fingerprint = "
		   "\"sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
		   "00112233445566778899AABBCCDDEEFF\"\n"
		   " maildir = \"$MAILROOT//me/./x/\"\n layout = \"maildir++\"\n"
		   " mailboxes = {\"*\", \"!Junk\"}\n direction = pull\n create = local\n"
		   " remove = none\n expunge_deleted = yes\n trash = Trash\n deletion_limit = 7%\n"
		   " max_size = 25M\n connections = 2\n push = off\n poll_interval = 1w\n"
		   " compress = false\n line_endings = crlf\n on_new = \"notify $SYNCD_NEW\"\n"
		   " on_change = x\n subscribed = true\n verify_interval = none\n"
		   " unanswered_wait = 0s\n}\n");
	const struct config_connection *c = &a->connection;

	assert_string_equal(f->config->state_dir, "/var/lib/syncd");
	assert_int_equal(f->config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->port, 1143);
	assert_int_equal(c->tls, NET_TLS_NONE);
	assert_string_equal(c->password_command[0], "pass");
	assert_string_equal(c->password_command[2], "a b");
	assert_null(c->password_command[3]);
	assert_null(c->password);
	assert_string_equal(c->auth[0], "scram-sha-256");
	assert_string_equal(c->auth[1], "plain");
	assert_null(c->auth[2]);
	assert_int_equal(c->timeout_ms, 120000);
	assert_string_equal(c->tls_ca_file, "/home/me/ca.pem");
	assert_string_equal(c->tls_fingerprint, "sha256:00112233445566778899aabbccddeeff"
						"00112233445566778899aabbccddeeff");
	assert_string_equal(a->maildir, "/srv/mail/me/x");
	assert_int_equal(a->layout, MAILDIR_PLUSPLUS);
	assert_string_equal(a->mailboxes[1], "!Junk");
	assert_true(a->subscribed);
	assert_int_equal(a->direction, SYNC_PULL);
	assert_int_equal(a->create, CONFIG_FOLLOW_LOCAL);
	assert_int_equal(a->remove, CONFIG_FOLLOW_NONE);
	assert_true(a->expunge_deleted);
	assert_string_equal(a->trash, "Trash");
	assert_false(a->finds_trash);
	assert_int_equal(a->deletion_limit, 7);
	assert_int_equal(a->max_size_bytes, 25u << 20);
	assert_int_equal(a->connections, 2);
	assert_false(a->push);
	assert_int_equal(a->poll_interval_s, 604800);
	assert_int_equal(a->verify_interval_s, 0);
	assert_int_equal(a->unanswered_wait_s, 0);
	assert_false(a->compress);
	assert_true(a->crlf);
	assert_string_equal(a->on_new, "notify $SYNCD_NEW");
	assert_string_equal(a->on_change, "x");
	struct net_target target = config_target(c);
	assert_string_equal(target.host, "h");
	assert_string_equal(target.tls_client_key, "/k.pem");
}

static void trash_is_a_name_or_auto(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(
		f, "account work {\n protocol = imap\n host = h\n user = u\n password = x\n"
		   " maildir = /m\n trash = auto\n}\n");

	assert_true(a->finds_trash);
	assert_null(a->trash);
}

static void one_string_of_a_password_command_is_for_the_shell(void **state)
{
	struct fixture *f = *state;
	static const char *const spellings[] = { "\"pass show work\"", "{\"pass show work\"}" };

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text),
			       "account w {\nprotocol=imap\nhost=h\nuser=u\nmaildir=/m\n"
			       "password_command = %s\n}\n",
			       spellings[i]);
		char **argv = load_account(f, text)->connection.password_command;
		assert_string_equal(argv[0], "sh");
		assert_string_equal(argv[1], "-c");
		assert_string_equal(argv[2], "pass show work");
		assert_null(argv[3]);
	}
}

static void ports_follow_protocol_and_tls(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *protocol;
		const char *tls;
		int port;
	} cases[] = {
		{ "imap", "implicit", 993 }, { "imap", "starttls", 143 }, { "imap", "none", 143 },
		{ "pop3", "implicit", 995 }, { "pop3", "starttls", 110 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text),
			       "account w {\nprotocol=%s\nhost=localhost\nuser=u\npassword=p\n"
			       "maildir=/m\ntls=%s\n}\n",
			       cases[i].protocol, cases[i].tls);
		assert_int_equal(load_account(f, text)->connection.port, cases[i].port);
	}
}

static void a_tunnel_needs_neither_host_nor_password_nor_tls(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a =
		load_account(f, "account w {\nprotocol=imap\ntunnel=\"ssh mail imapd\"\n"
				"maildir=/m\n}\n");

	assert_string_equal(a->connection.tunnel, "ssh mail imapd");
	assert_int_equal(a->connection.tls, NET_TLS_NONE);
}

static void pop3_accounts_say_what_is_kept(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *keep;
		enum config_keep expected;
		uint64_t seconds;
	} cases[] = {
		{ "all", CONFIG_KEEP_ALL, 0 },
		{ "none", CONFIG_KEEP_NONE, 0 },
		{ "until-deleted", CONFIG_KEEP_UNTIL_DELETED, 0 },
		{ "14d", CONFIG_KEEP_TIME, 14 * 86400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text),
			       "account w {\nprotocol=pop3\nhost=h\nuser=u\npassword=p\n"
			       "maildir=/m\nkeep=%s\n}\n",
			       cases[i].keep);
		const struct config_account *a = load_account(f, text);
		assert_int_equal(a->keep, cases[i].expected);
		assert_int_equal(a->keep_s, cases[i].seconds);
		assert_int_equal(a->poll_interval_s, 600);
		assert_int_equal(a->layout, MAILDIR_PLUSPLUS); /* the maildir is its INBOX */
		assert_string_equal(a->mailboxes[0], "INBOX");
		assert_null(a->mailboxes[1]);
		assert_false(a->push);
		assert_false(a->deletes_moved);
		assert_int_equal(a->deletion_limit, 50);
	}
}

#define POP3_7(line)                                                                               \
	"account w {\n protocol = pop3\n host = h\n user = u\n password = p\n maildir = "          \
	"/m\n " line "\n}\n"

static void pop3_accounts_say_what_follows_local_deletions(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(
		f, POP3_7("keep = until-deleted\n moved = delete\n deletion_limit = none"));

	assert_true(a->deletes_moved);
	assert_int_equal(a->deletion_limit, 0);
	a = load_account(f, POP3_7("keep = until-deleted\n moved = keep\n deletion_limit = 10%"));
	assert_false(a->deletes_moved);
	assert_int_equal(a->deletion_limit, 10);
}

static void smtp_takes_what_it_lacks_from_the_account(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(
		f, MINIMAL " auth = plain\n smtp {\n host = s.example\n"
			   " from = {\"me@example.org\", \"*@x.org\"}\n delay = 10s\n }\n}\n");

	assert_non_null(a->smtp);
	assert_string_equal(a->smtp->connection.host, "s.example");
	assert_int_equal(a->smtp->connection.port, 465);
	assert_string_equal(a->smtp->connection.user, "me");
	assert_string_equal(secret_bytes(a->smtp->connection.password), "x");
	assert_string_equal(a->smtp->connection.auth[0], "plain");
	assert_string_equal(a->smtp->from[1], "*@x.org");
	assert_string_equal(a->smtp->sent, "Sent");
	assert_int_equal(a->smtp->delay_s, 10);
	assert_int_equal(a->smtp->expire_s, 5 * 86400);
	a = load_account(f, MINIMAL " smtp {\n host = s\n from = a@b\n sent = \"\"\n user = other\n"
				    " password_command = pw\n }\n}\n");
	assert_string_equal(a->smtp->sent, "");
	assert_string_equal(a->smtp->connection.user, "other");
	assert_null(a->smtp->connection.password);
	assert_string_equal(a->smtp->connection.password_command[2], "pw");
}

#define POP3_APOP(list)                                                                            \
	"account w {\n protocol = pop3\n host = h\n user = u\n password = p\n maildir = /m\n"      \
	" auth = " list "\n smtp {\n host = s\n from = a@b\n }\n}\n"

static void apop_is_for_pop3_and_not_for_its_smtp_section(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(f, POP3_APOP("{APOP, plain}"));

	assert_string_equal(a->connection.auth[0], "apop");
	assert_string_equal(a->smtp->connection.auth[0], "plain");
	assert_null(a->smtp->connection.auth[1]);
	a = load_account(f, POP3_APOP("apop"));
	assert_null(a->smtp->connection.auth);
}

static void plaintext_to_loopback_is_allowed(void **state)
{
	struct fixture *f = *state;
	static const char *const hosts[] = { "localhost", "127.0.0.1", "127.1.2.3", "\"::1\"" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text),
			       "account w {\nprotocol=imap\nhost=%s\nuser=u\npassword=p\n"
			       "maildir=/m\ntls=none\n}\n",
			       hosts[i]);
		load_account(f, text);
	}
}

/* One fault each: its line, and words it must have. */
static const struct fault_case {
	const char *text;
	int line;
	const char *words;
} fault_cases[] = {
	{ LINE_7("colour = blue"), 7, "colour" },
	{ "speed = 3\n", 1, "speed" },
	{ MINIMAL, 1, "never closed" },
	{ MINIMAL " mailboxes = {a, b\n}\n", 1, "never closed" },
	{ MINIMAL " /* } */ # }\n on_new = \"}\"\n", 1, "never closed" },
	{ LINE_7("host = \"a"), 7, "string that begins here" },
	{ LINE_7("host = 'a\\'"), 7, "string that begins here" },
	{ "# one\n// two\n/* three\n four */ /**/ # five\nspeed = 3\n", 5, "speed" },
	{ "#\n" MINIMAL "# six\n mailboxes = { # seven\n \"*\" // eight\n, \"!\" }\n}\n", 11,
	  "pattern is empty" },
	{ MINIMAL "}\n/* account \"home\" {\n}\n", 8, "comment that begins here" },
	{ LINE_7("host = \"${NOT_SET}.example\""), 7, "not set" },
	{ LINE_7("host = ${NOT_SET}"), 7, "not set" },
	{ LINE_7("host = \"a\\400\""), 7, "octal" },
	{ LINE_7("timeout = soonish"), 7, "not a duration" },
	{ LINE_7("timeout = 60"), 7, "not a duration" },
	{ LINE_7("timeout = 0s"), 7, "too short" },
	{ LINE_7("timeout = 99999999999999999999d"), 7, "not a duration" },
	{ LINE_7("poll_interval = 5 m"), 7, "" },
	{ LINE_7("max_size = big"), 7, "neither a size" },
	{ LINE_7("max_size = 99999999999G"), 7, "neither a size" },
	{ LINE_7("connections = many"), 7, "not a number" },
	{ LINE_7("connections = 0"), 7, "not a number" },
	{ LINE_7("port = 65536"), 7, "not a number" },
	{ LINE_7("port = -1"), 7, "not a number" },
	{ LINE_7("tls = perhaps"), 7, "not one of: implicit, starttls, none" },
	{ LINE_7("tls = none"), 7, "readably" },
	{ LINE_7("push = maybe"), 7, "neither true nor false" },
	{ LINE_7("deletion_limit = 101%"), 7, "neither a share" },
	{ LINE_7("deletion_limit = 50"), 7, "neither a share" },
	{ LINE_7("layout = mbox"), 7, "verbatim" },
	{ LINE_7("layout = maildir++"), 7, "quotes" },
	{ LINE_7("direction = up"), 7, "pull" },
	{ LINE_7("create = everywhere"), 7, "remote" },
	{ LINE_7("line_endings = cr"), 7, "crlf" },
	{ LINE_7("mailboxes = {\"*\",\n \"!\"}"), 8, "pattern is empty" },
	{ LINE_7("mailboxes = {}"), 2, "empty" },
	{ LINE_7("auth = rot13"), 7, "rot13" },
	{ LINE_7("auth = {plain, apop}"), 7, "\"apop\" is a command of pop3; imap has none" },
	{ LINE_7("smtp {\n host = s\n from = a@b\n auth = APOP\n }"), 10, "smtp has none" },
	{ LINE_7("tls_fingerprint = \"sha256:12\""), 7, "64 hex digits" },
	{ LINE_7("tls_fingerprint = \"md5:12\""), 7, "64 hex digits" },
	{ LINE_7("tls_client_cert = /x"), 7, "tls_client_key" },
	{ LINE_7("tls_client_key = /x"), 7, "tls_client_cert" },
	{ LINE_7("tls_ca_file = x.pem"), 7, "absolute" },
	{ LINE_7("tls_ca_file = \"$NOT_SET/x\""), 7, "not set" },
	{ LINE_7("tls_ca_file = \"~you/x\""), 7, "~/" },
	{ LINE_7("tls_ca_file = \"/a$\""), 7, "variable" },
	{ LINE_7("password_command = pass"), 7, "without password" },
	{ LINE_7("trash = \"\""), 7, "empty" },
	{ LINE_7("keep = all"), 7, "not a key of imap" },
	{ LINE_7("moved = keep"), 7, "not a key of imap" },
	{ LINE_7("smtp {\n host = s\n }"), 8, "from: is missing" },
	{ LINE_7("smtp {\n from = a@b\n }"), 8, "host: is missing" },
	{ LINE_7("smtp {\n host = s\n from = a@b\n keep = all\n }"), 10, "keep" },
	{ ACCOUNT "}\n", 2, "maildir: is missing" },
	{ "account a {\n host = h\n user = u\n password = p\n maildir = /m\n}\n", 2,
	  "protocol: is missing" },
	{ "account a {\n protocol = pigeon\n host = h\n user = u\n password = p\n maildir = /m\n}",
	  2, "imap, pop3" },
	{ "account a {\n protocol = imap\n user = u\n password = p\n maildir = /m\n}\n", 2,
	  "host: is missing" },
	{ "account a {\n protocol = imap\n host = h\n password = p\n maildir = /m\n}\n", 2,
	  "user: is missing" },
	{ "account a {\n protocol = imap\n host = h\n user = u\n maildir = /m\n}\n", 2,
	  "password: is missing" },
	{ "account \"../x\" {\n protocol = imap\n host = h\n user = u\n password = p\n"
	  " maildir = /m\n}\n",
	  2, "name must be" },
	{ POP3_7("push = true"), 7, "not a key of pop3" },
	{ POP3_7("moved = delete"), 7, "until-deleted" },
	{ POP3_7("keep = none\n deletion_limit = 5%"), 8, "until-deleted" },
	{ POP3_7("keep = until-deleted\n moved = on"), 8, "keep, delete" },
	{ POP3_7("keep = forever"), 7, "until-deleted and a duration" },
	{ MINIMAL "}\n" POP3_7("\n}\naccount b {\n protocol=pop3\n host=h\n user=u\n password=p\n"
			       " maildir = \"/m/.Sub\""),
	  21, "overlaps that of account \"w\"" },
	{ MINIMAL "}\n" MINIMAL "}\n", 8, "work" },
	{ MINIMAL "}\naccount b {\n protocol=imap\n host=h\n user=u\n password=p\n"
		  " maildir = \"/home/me/Mail/sub\"\n}\n",
	  13, "overlaps that of account \"work\"" },
	{ MINIMAL "}\naccount b {\n protocol=imap\n host=h\n user=u\n password=p\n"
		  " maildir = \"/home/me\"\n}\nstate_dir = /s\n",
	  13, "overlaps" },
	{ "state_dir = \"~/Mail/.state\"\n" MINIMAL "}\n", 7, "overlaps state_dir" },
	{ "state_dir = here\n" MINIMAL "}\n", 1, "absolute" },
	{ "log_level = loud\n" MINIMAL "}\n", 1, "not one of" },
	{ "", 0, "no account" },
};

static void each_fault_is_told_with_its_line(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(fault_cases); i++) {
		const struct fault_case *c = &fault_cases[i];
		load(f, c->text);
		if (f->config != NULL || f->faults.count != 1)
			fail_msg("%zu faults in:\n%s", f->faults.count, c->text);
		if (f->faults.items[0].line != c->line ||
		    strstr(f->faults.items[0].message, c->words) == NULL)
			fail_msg("%d: %s\nin:\n%s", f->faults.items[0].line,
				 f->faults.items[0].message, c->text);
	}
}

static void all_faults_are_told_in_line_order(void **state)
{
	struct fixture *f = *state;

	load(f, LINE_7("push = maybe\nport = 0\ntimeout = x"));
	assert_int_equal(f->faults.count, 3);
	assert_int_equal(f->faults.items[0].line, 7);
	assert_int_equal(f->faults.items[1].line, 8);
	assert_int_equal(f->faults.items[2].line, 9);
}

static void a_fault_is_formatted_as_file_line_message(void **state)
{
	struct fixture *f = *state;
	char expected[256];

	load(f, LINE_7("push = maybe"));
	(void)snprintf(expected, sizeof(expected),
		       "%s:7: account \"work\": push: \"maybe\" is neither true nor false",
		       f->path);
	char *text = config_fault_format(&f->faults, 0);
	assert_string_equal(text, expected);
	free(text);
}

static void an_unreadable_file_is_named(void **state)
{
	struct fixture *f = *state;

	f->config = config_load("/nonexistent/syncd.conf", &f->faults);
	assert_null(f->config);
	char *text = config_fault_format(&f->faults, 0);
	assert_string_equal(text,
			    "/nonexistent/syncd.conf: cannot be read: No such file or directory");
	free(text);
	config_faults_free(&f->faults);
	f->config = config_load("/tmp", &f->faults);
	assert_null(f->config);
	assert_non_null(strstr(f->faults.items[0].message, "directory"));
}

static void a_file_that_is_no_text_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char text[] = MINIMAL "}\n\0account b {\n}\n";
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, sizeof(text), file), sizeof(text));
	assert_int_equal(fclose(file), 0);
	f->config = config_load(f->path, &f->faults);
	assert_null(f->config);
	assert_int_equal(f->faults.items[0].line, 8);
	assert_non_null(strstr(f->faults.items[0].message, "NUL"));
	config_faults_free(&f->faults);
	f->config = config_load("/dev/zero", &f->faults);
	assert_null(f->config);
	assert_non_null(strstr(f->faults.items[0].message, "longer than"));
}

static void variables_are_the_environments(void **state)
{
	struct fixture *f = *state;
	const struct config_account *a = load_account(
		f, MINIMAL " trash = \"a${HOME}b\"\n on_new = ${NOT_SET:-default}\n on_change = "
			   "'${NOT_SET}'\n}\n");

	assert_string_equal(a->trash, "a/home/meb");
	assert_string_equal(a->on_new, "default");
	assert_string_equal(a->on_change, "${NOT_SET}");
}

static void paths_follow_the_environment(void **state)
{
	struct fixture *f = *state;

	char *path = config_default_path();
	assert_string_equal(path, "/home/me/.config/syncd/syncd.conf");
	free(path);
	load(f, MINIMAL "}\n");
	path = config_socket_path(f->config);
	assert_string_equal(path, "/home/me/.local/state/syncd/syncd.sock");
	free(path);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/1", 1), 0);
	path = config_socket_path(f->config);
	assert_string_equal(path, "/run/user/1/syncd.sock");
	free(path);
	assert_int_equal(setenv("XDG_STATE_HOME", "/xdg", 1), 0);
	load(f, MINIMAL "}\n");
	assert_string_equal(f->config->state_dir, "/xdg/syncd");
}

static void accounts_are_found_by_name(void **state)
{
	struct fixture *f = *state;

	load_account(f, MINIMAL "}\n");
	assert_ptr_equal(config_find(f->config, "work"), &f->config->accounts[0]);
	assert_null(config_find(f->config, "wor"));
}

int main(void)
{
#define CONFIG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CONFIG_TEST(defaults_are_those_of_the_contract),
		CONFIG_TEST(every_imap_key_is_read),
		CONFIG_TEST(trash_is_a_name_or_auto),
		CONFIG_TEST(one_string_of_a_password_command_is_for_the_shell),
		CONFIG_TEST(ports_follow_protocol_and_tls),
		CONFIG_TEST(a_tunnel_needs_neither_host_nor_password_nor_tls),
		CONFIG_TEST(pop3_accounts_say_what_is_kept),
		CONFIG_TEST(pop3_accounts_say_what_follows_local_deletions),
		CONFIG_TEST(smtp_takes_what_it_lacks_from_the_account),
		CONFIG_TEST(apop_is_for_pop3_and_not_for_its_smtp_section),
		CONFIG_TEST(plaintext_to_loopback_is_allowed),
		CONFIG_TEST(each_fault_is_told_with_its_line),
		CONFIG_TEST(all_faults_are_told_in_line_order),
		CONFIG_TEST(a_fault_is_formatted_as_file_line_message),
		CONFIG_TEST(an_unreadable_file_is_named),
		CONFIG_TEST(a_file_that_is_no_text_is_refused),
		CONFIG_TEST(variables_are_the_environments),
		CONFIG_TEST(paths_follow_the_environment),
		CONFIG_TEST(accounts_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
