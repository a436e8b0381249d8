/* Runs scripts of what a client must send, what a server says and what must
 * come of it: the remote port and IMAP, or a POP3 session, over memory streams and a fake clock.
 *
 *     # comment                  tls implicit|starttls|none        auth MECHANISM...
 *     do VERB [WORDS]            starts something (actor.c)
 *     C: LINE                    the client must have sent this next; $0..$9 are tags
 *     S: LINE                    the server says this line; $0..$9 as heard before
 *     S- BYTES                   the same without a line end, at once; "\n" is one
 *     S+ LINE                    a line that arrives together with what is said next
 *     deflate                    from here on this connection is compressed, both ways
 *     E: LINE                    what must come of it next
 *     login CAPABILITIES         greeting and login up to the authenticated state
 *     pop3-login CAPABILITIES    the same of a POP3 session, started
 *     swallow MIN MAX            the client has sent that many bytes more, looked at no further
 *     skip N                     the same of the next N bytes that it has sent
 *     silence                    the client must have sent nothing, nothing must have come
 *     compress                   the account wants COMPRESS=DEFLATE
 *     mailboxes PATTERN...       of the configuration; as are
 *     user NAME | password TEXT | allow-plaintext
 *     loopback                   the server is on this machine
 *     wait 29m | drop | split N | block | unblock | connection N | connections N | refuse NAME
 *     closed                     the client has closed the connection
 *     unconnected                the client has not made it
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script/actor.h"
#include "script/wire.h"
#include "support/fake_net.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define TEXT_MAX (1 << 22)
#define TAGS 10
#define TAG_MAX 16

struct script {
	struct actor actor;
	struct loop *loop;
	size_t connection; /* the one that C: and S: lines are about */
	size_t split;      /* of every connection */
	struct wire wires[FAKE_NET_CONNECTIONS_MAX];
	char tags[TAGS][TAG_MAX];
	const char *auth[4];
	char auth_text[3][32];
	char *mailboxes[8];
	char mailboxes_text[128];
	char user[512];
	char password[512];
	bool has_leaked; /* the log showed a secret */
	struct buf failure;
	struct buf scratch;
};

static bool fail(struct script *script, const char *what, const char *got)
{
	must(buf_printf(&script->failure, "%s; got: %.200s", what, got) == 0);
	return false;
}

/* Everything that is due now happens. */
static void settle(struct script *script)
{
	loop_fake_advance(script->loop, 0);
	for (size_t i = 0; i < fake_net_count(); i++)
		memory_stream_set_split(fake_net_connection(i), script->split);
	loop_fake_advance(script->loop, 0);
}

static struct memory_stream *connection(struct script *script)
{
	settle(script);
	return fake_net_connection(script->connection);
}

static struct wire *wire(struct script *script)
{
	return &script->wires[script->connection];
}

/* --- What the client sends -------------------------------------------------- */

/* Compares one expected line with what was sent, hearing tags. Returns how many
 * bytes of `sent` it covers, or -1. */
static long match(struct script *script, const char *expected, struct slice sent)
{
	size_t at = 0;

	for (; *expected != '\0'; expected++) {
		if (*expected == '$' && isdigit((unsigned char)expected[1])) {
			char *tag = script->tags[*++expected - '0'];
			size_t len = 0;
			while (at < sent.len && isalnum((unsigned char)sent.data[at]) &&
			       len < TAG_MAX - 1)
				tag[len++] = sent.data[at++];
			tag[len] = '\0';
			continue;
		}
		if (at >= sent.len || sent.data[at++] != *expected)
			return -1;
	}
	return (long)at;
}

static bool step_client(struct script *script, char *words)
{
	struct memory_stream *stream = connection(script);

	if (stream == NULL)
		return fail(script, "the client has not connected", "");
	struct slice sent = wire_sent(wire(script), stream);
	long len = match(script, words, sent);
	if (len < 0 || (size_t)len + 2 > sent.len || memcmp(sent.data + len, "\r\n", 2) != 0)
		return fail(script, "the client sent something else", sent.data);
	wire_consume(wire(script), (size_t)len + 2);
	return true;
}

static bool step_swallow(struct script *script, char *words)
{
	struct memory_stream *stream = connection(script);
	char *rest;
	size_t min = (size_t)strtoul(words, &rest, 10);
	size_t max = (size_t)strtoul(rest, NULL, 10);
	size_t len = stream != NULL ? wire_sent(wire(script), stream).len : 0;
	char text[32];

	if (len >= min && len <= max) {
		wire_consume(wire(script), len);
		return true;
	}
	(void)snprintf(text, sizeof(text), "%zu bytes", len);
	return fail(script, "the client sent another amount", text);
}

static bool step_skip(struct script *script, char *words)
{
	struct memory_stream *stream = connection(script);
	size_t len = (size_t)strtoul(words, NULL, 10);

	if (stream == NULL || wire_sent(wire(script), stream).len < len)
		return fail(script, "the client has not sent as much", "");
	wire_consume(wire(script), len);
	return true;
}

static bool step_silence(struct script *script, char *words)
{
	struct memory_stream *stream = connection(script);

	(void)words;
	if (stream != NULL && wire_sent(wire(script), stream).len > 0)
		return fail(script, "the client is not silent",
			    wire_sent(wire(script), stream).data);
	if (script->actor.events.len > 0)
		return fail(script, "something came of it", buf_str(&script->actor.events));
	return true;
}

static bool step_closed(struct script *script, char *words)
{
	struct memory_stream *stream = connection(script);

	(void)words;
	if (stream == NULL || !memory_stream_is_closed(stream))
		return fail(script, "the client has not closed the connection", "");
	return true;
}

static bool step_unconnected(struct script *script, char *words)
{
	(void)words;
	return connection(script) == NULL || fail(script, "the client has connected", "");
}

/* --- What the server says ------------------------------------------------------ */

/* The words with tags and line ends put in, into script->scratch. */
static void write_out(struct script *script, const char *words, const char *end)
{
	buf_reset(&script->scratch);
	for (; *words != '\0'; words++) {
		char next = words[1];
		if (*words == '$' && isdigit((unsigned char)next)) {
			must(buf_add_str(&script->scratch, script->tags[next - '0']) == 0);
			words++;
		} else if (*words == '\\' && next == 'n') {
			must(buf_add_str(&script->scratch, "\r\n") == 0);
			words++;
		} else {
			must(buf_add_char(&script->scratch, *words) == 0);
		}
	}
	must(buf_add_str(&script->scratch, end) == 0);
}

static bool say(struct script *script, const char *words, const char *end)
{
	struct memory_stream *stream = connection(script);

	if (stream == NULL)
		return fail(script, "the client has not connected", "");
	write_out(script, words, end);
	wire_say(wire(script), stream, buf_slice(&script->scratch));
	return true;
}

static bool step_server(struct script *script, char *words)
{
	return say(script, words, "\r\n");
}

static bool step_server_bytes(struct script *script, char *words)
{
	return say(script, words, "");
}

static bool step_server_later(struct script *script, char *words)
{
	write_out(script, words, "\r\n");
	wire_hold(wire(script), buf_slice(&script->scratch));
	return true;
}

static bool step_deflate(struct script *script, char *words)
{
	(void)words;
	wire_compress(wire(script));
	return true;
}

static bool step_drop(struct script *script, char *words)
{
	(void)words;
	memory_stream_break(connection(script), SYNCD_ENET, "connection reset", false);
	return true;
}

static bool step_block(struct script *script, char *words)
{
	(void)words;
	memory_stream_set_blocked(connection(script), true);
	return true;
}

static bool step_unblock(struct script *script, char *words)
{
	(void)words;
	memory_stream_set_blocked(connection(script), false);
	return true;
}

/* --- The rest -------------------------------------------------------------------- */

static bool step_event(struct script *script, char *words)
{
	settle(script);
	if (!actor_event(&script->actor, &script->scratch))
		return fail(script, "nothing came of it", "");
	if (strcmp(words, buf_str(&script->scratch)) != 0)
		return fail(script, "something else came of it", buf_str(&script->scratch));
	return true;
}

static bool step_do(struct script *script, char *words)
{
	return actor_do(&script->actor, words) || fail(script, "no such thing to do", words);
}

static bool step_wait(struct script *script, char *words)
{
	char *unit;
	uint64_t ms = strtoull(words, &unit, 10) * 1000;

	settle(script);
	loop_fake_advance(script->loop, *unit == 'm' ? ms * 60 : ms);
	return true;
}

static bool step_split(struct script *script, char *words)
{
	script->split = (size_t)strtoul(words, NULL, 10);
	return true;
}

static bool step_connection(struct script *script, char *words)
{
	script->connection = (size_t)strtoul(words, NULL, 10) - 1;
	return true;
}

static bool step_connections(struct script *script, char *words)
{
	script->actor.settings.connections = (unsigned)strtoul(words, NULL, 10);
	return true;
}

static bool step_mailboxes(struct script *script, char *words)
{
	size_t count = 0;

	(void)snprintf(script->mailboxes_text, sizeof(script->mailboxes_text), "%s", words);
	for (char *word = strtok(script->mailboxes_text, " "); word != NULL;
	     word = strtok(NULL, " ")) {
		must(count + 1 < ARRAY_LEN(script->mailboxes));
		script->mailboxes[count++] = word;
	}
	script->mailboxes[count] = NULL;
	script->actor.settings.mailboxes = script->mailboxes;
	return true;
}

static bool step_user(struct script *script, char *words)
{
	(void)snprintf(script->user, sizeof(script->user), "%s", words);
	script->actor.settings.user = script->user;
	return true;
}

static bool step_password(struct script *script, char *words)
{
	(void)snprintf(script->password, sizeof(script->password), "%s", words);
	script->actor.settings.password = script->password;
	return true;
}

static bool step_allow_plaintext(struct script *script, char *words)
{
	(void)words;
	script->actor.settings.allow_plaintext = true;
	return true;
}

static bool step_compress(struct script *script, char *words)
{
	(void)words;
	script->actor.settings.compress = true;
	return true;
}

static bool step_loopback(struct script *script, char *words)
{
	(void)script;
	(void)words;
	fake_net_set_loopback();
	return true;
}

static bool step_refuse(struct script *script, char *words)
{
	(void)script;
	fake_net_refuse(strcmp(words, "nothing") == 0 ? 0 : SYNCD_ENET);
	return true;
}

/* auth MECHANISM...: at most three. */
static bool step_auth(struct script *script, char *words)
{
	size_t count = 0;

	for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
		must(count < ARRAY_LEN(script->auth) - 1);
		(void)snprintf(script->auth_text[count], sizeof(script->auth_text[0]), "%s", word);
		script->auth[count] = script->auth_text[count];
		script->auth[++count] = NULL;
	}
	script->actor.settings.auth = script->auth;
	return true;
}

static bool step_tls(struct script *script, char *words)
{
	enum net_tls tls = NET_TLS_NONE;

	if (strcmp(words, "implicit") == 0)
		tls = NET_TLS_IMPLICIT;
	else if (strcmp(words, "starttls") == 0)
		tls = NET_TLS_STARTTLS;
	script->actor.settings.target.tls = tls;
	return true;
}

/* ENABLE as the capabilities ask for it, confirmed. */
static bool login_enable(struct script *script, const char *capabilities)
{
	bool has_qresync = strstr(capabilities, "QRESYNC") != NULL;
	bool has_condstore = has_qresync || strstr(capabilities, "CONDSTORE") != NULL;
	char enable[32];
	char line[64];

	if (!has_qresync && (!has_condstore || strstr(capabilities, "ENABLE") == NULL))
		return true;
	const char *what = has_qresync ? "QRESYNC" : "CONDSTORE";
	(void)snprintf(enable, sizeof(enable), "$1 ENABLE %s", what);
	(void)snprintf(line, sizeof(line), "* ENABLED %s\r\n$1 OK done", what);
	return step_client(script, enable) && say(script, line, "\r\n");
}

static bool step_login(struct script *script, char *words)
{
	char line[512];
	char expected[] = "$1 LOGIN \"me\" \"secret\"";
	char list[] = "$1 LIST \"\" \"\"";

	(void)snprintf(line, sizeof(line), "* OK [CAPABILITY IMAP4rev1 %s] hello", words);
	if (!say(script, line, "\r\n") || !step_client(script, expected))
		return false;
	(void)snprintf(line, sizeof(line), "$1 OK [CAPABILITY IMAP4rev1 %s] welcome", words);
	return say(script, line, "\r\n") && step_client(script, list) &&
	       say(script, "* LIST (\\Noselect) \"/\" \"\"\r\n$1 OK done", "\r\n") &&
	       login_enable(script, words);
}

/* UIDL, TOP and USER are always there; without PIPELINING the client asks once more. */
static bool step_pop3_login(struct script *script, char *words)
{
	char start[] = "pop3 start";
	char capa[] = "CAPA";
	char user[] = "USER me";
	char pass[] = "PASS secret";
	char ready[] = "ready";
	char line[512];

	(void)snprintf(line, sizeof(line), "+OK\r\nUIDL\r\nTOP\r\nUSER\r\n%s%s.", words,
		       *words != '\0' ? "\r\n" : "");
	if (!actor_do(&script->actor, start) || !say(script, "+OK hello", "\r\n") ||
	    !step_client(script, capa) || !say(script, line, "\r\n") ||
	    !step_client(script, user) || !say(script, "+OK", "\r\n") ||
	    !step_client(script, pass) || !say(script, "+OK", "\r\n"))
		return false;
	if (strstr(words, "PIPELINING") == NULL &&
	    (!step_client(script, capa) || !say(script, line, "\r\n")))
		return false;
	return step_event(script, ready);
}

static const struct {
	const char *word;
	bool (*run)(struct script *script, char *words);
} steps[] = {
	{ "C:", step_client },
	{ "S:", step_server },
	{ "S-", step_server_bytes },
	{ "E:", step_event },
	{ "do", step_do },
	{ "login", step_login },
	{ "pop3-login", step_pop3_login },
	{ "silence", step_silence },
	{ "wait", step_wait },
	{ "drop", step_drop },
	{ "split", step_split },
	{ "block", step_block },
	{ "unblock", step_unblock },
	{ "closed", step_closed },
	{ "unconnected", step_unconnected },
	{ "connection", step_connection },
	{ "refuse", step_refuse },
	{ "connections", step_connections },
	{ "tls", step_tls },
	{ "auth", step_auth },
	{ "swallow", step_swallow },
	{ "skip", step_skip },
	{ "S+", step_server_later },
	{ "deflate", step_deflate },
	{ "mailboxes", step_mailboxes },
	{ "user", step_user },
	{ "password", step_password },
	{ "allow-plaintext", step_allow_plaintext },
	{ "compress", step_compress },
	{ "loopback", step_loopback },
};

static bool run_line(struct script *script, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '#' || line[0] == '\0')
		return true;
	size_t len = strcspn(line, " ");
	char *rest = line + len;
	if (*rest == ' ')
		*rest++ = '\0';
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (strcmp(line, steps[i].word) == 0)
			return steps[i].run(script, rest);
	}
	return fail(script, "no such step", line);
}

/* The log of -vv is on in every script: what it may never show (CONTRACT 1.1). */
static void look_for_secrets(enum log_level level, const char *line, void *context)
{
	static const char *const secrets[] = { "secret", "AG1lAHNlY3JldA==" };
	struct script *script = context;

	(void)level;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		if (strstr(line, secrets[i]) != NULL)
			script->has_leaked = true;
	}
	if (script->password[0] != '\0' && strstr(line, script->password) != NULL)
		script->has_leaked = true;
}

/* Runs the lines; the number of the one that failed, or 0. */
static int run_file(struct script *script, FILE *file)
{
	static char line[65536];
	int number = 0;

	while (fgets(line, sizeof(line), file) != NULL) {
		number++;
		if (!run_line(script, line))
			return number;
	}
	settle(script);
	if (script->has_leaked) {
		(void)fail(script, "the log shows a secret", "");
		return number;
	}
	if (script->actor.events.len == 0)
		return 0;
	(void)fail(script, "more came of it than the script says", buf_str(&script->actor.events));
	return number;
}

static int run_script(const char *path, bool is_split)
{
	struct script script = { .split = is_split ? 1 : 0 };
	FILE *file = fopen(path, "r");

	must(file != NULL);
	fake_net_begin();
	for (size_t i = 0; i < ARRAY_LEN(script.wires); i++)
		wire_init(&script.wires[i]);
	script.loop = loop_new_fake();
	actor_init(&script.actor, script.loop);
	buf_init(&script.failure, TEXT_MAX);
	buf_init(&script.scratch, TEXT_MAX);
	log_set_sink(look_for_secrets, &script);
	int line = run_file(&script, file);
	(void)fclose(file);
	actor_free(&script.actor);
	fake_net_end();
	for (size_t i = 0; i < ARRAY_LEN(script.wires); i++)
		wire_free(&script.wires[i]);
	loop_free(&script.loop);
	log_set_sink(NULL, NULL);
	if (line > 0)
		printf("# %s:%d: %s\n", path, line, buf_str(&script.failure));
	buf_free(&script.failure);
	buf_free(&script.scratch);
	return line;
}

int main(int argc, char **argv)
{
	int failures = 0;
	int count = 0;

	log_set_level(LOG_LEVEL_TRACE);
	for (int i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		for (int is_split = 0; is_split < 2; is_split++) {
			bool is_good = run_script(argv[i], is_split) == 0;
			failures += !is_good;
			printf("%sok %d - %s%s\n", is_good ? "" : "not ", ++count,
			       slash != NULL ? slash + 1 : argv[i],
			       is_split ? ", byte by byte" : "");
			(void)fflush(stdout);
		}
	}
	printf("1..%d\n", count);
	return failures > 0;
}
