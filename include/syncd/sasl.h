/* SASL exchanges through libgsasl, independent of the protocol that carries
 * them (RFC 4422), and password commands.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_SASL_H
#define SYNCD_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/loop.h"
#include "syncd/secret.h"
#include "syncd/stream.h"

struct sasl;

/* What is known for logging in. Borrowed during sasl_new only. */
struct sasl_identity {
	const char *user;              /* may be NULL for external, anonymous */
	const struct secret *password; /* may be NULL */
	const char *host;              /* for service names: "imap" at `host` */
	uint16_t port;
	const char *service; /* "imap", "pop", "smtp" */
};

#define SASL_MECHANISMS_MAX 16
#define SASL_MECHANISM_LEN_MAX 32

/* What a server offers for logging in. Zeroed: nothing. */
struct sasl_offer {
	char names[SASL_MECHANISMS_MAX][SASL_MECHANISM_LEN_MAX]; /* as in AUTH=NAME */
	size_t count;
	bool has_login_command; /* the protocol's own, which sends the password readably */
};

/* Adds a mechanism; what is too long for one, or too many, is left out. */
void sasl_offer_add(struct sasl_offer *offer, struct slice name);

/* Chooses the strongest mechanism that both sides can do. `allowed` is the
 * configuration's list in lower case (CONTRACT 2.1 `auth`), NULL-terminated, or NULL for all that
 * fit: xoauth2/oauthbearer, external, apop and anonymous only when listed.
 * "login" in `allowed` with has_login_command and no AUTH=LOGIN gives "LOGIN-COMMAND":
 * the protocol's own plain login command; it is also the last resort of a NULL
 * list. "APOP" is a command of POP3 too, offered where the greeting has a timestamp (RFC 1939 §7).
 * Mechanisms that send the password readably are skipped unless `is_secure`.
 * `stream` tells which channel bindings exist (-PLUS).
 * Returns 0 and the name in *mechanism (a static string), or SYNCD_EAUTH, or
 * SYNCD_ETRUST when only clear text would have worked, `err` saying what was offered. */
int sasl_choose(const struct sasl_offer *offer, const char *const *allowed, bool is_secure,
		const struct stream *stream, const char **mechanism, struct error *err);

/* Begins an exchange of a mechanism that sasl_choose gave (but LOGIN-COMMAND and APOP).
 * NULL with `err`: SYNCD_ECONFIG when user or password is missing, SYNCD_EAUTH when
 * libgsasl does not have the mechanism, the stream has no channel binding, or an OAuth token (or
 * its user) has control characters, which would be read as further fields. */
struct sasl *sasl_new(const char *mechanism, const struct sasl_identity *identity,
		      const struct stream *stream, struct error *err);
void sasl_free(struct sasl **sasl);

/* True when the mechanism's first message is the client's, so that it may go
 * as an initial response (SASL-IR, RFC 4959). */
bool sasl_has_initial(const struct sasl *sasl);

#define SASL_CHALLENGE_MAX 65536          /* bytes of base64 */
#define SASL_SCRAM_ITERATIONS_MAX 1000000 /* more would keep the loop busy for seconds */
#define SASL_STEPS_MAX 8                  /* of one exchange; SCRAM, the longest, has three */

/* One step: `challenge_base64` is the server's text after "+ " (empty for the first).
 * Appends the base64 answer to `out` ("=" never: an empty initial response is the caller's to
 * render), which may be a secret: the caller wipes it and keeps it out of logs.
 * Returns 0; SYNCD_EAUTH when the exchange failed on our side, such as a server
 * signature that does not match; SYNCD_EPROTO for a challenge that makes no sense
 * or is one more than SASL_STEPS_MAX; SYNCD_ELIMIT beyond the other limits above or `out`'s. An
 * OAuth server's error report is answered as it must be (RFC 7628 §3.2.3); its refusal follows. */
int sasl_step(struct sasl *sasl, struct slice challenge_base64, struct buf *out, struct error *err);

/* True once the mechanism has verified all it can; a server's OK before that
 * (SCRAM without the server's signature) must be treated as SYNCD_EAUTH. */
bool sasl_is_done(const struct sasl *sasl);

/* --- An exchange over a protocol's lines (RFC 4422 §4) ---------------------------- */

#define SASL_LINE_MAX (128 * 1024) /* bytes of base64 of one step of ours */

/* Zeroed: none. */
struct sasl_exchange {
	struct sasl *sasl;
	struct error err; /* why we gave it up; code 0: we did not */
	struct buf line;  /* what to send next, without the line's end; a secret */
};

/* As sasl_new. What was begun before is freed. */
int sasl_exchange_begin(struct sasl_exchange *exchange, const char *mechanism,
			const struct sasl_identity *identity, const struct stream *stream,
			struct error *err);

/* Puts the initial response into the line: "=" for an empty one (RFC 4959 §3, RFC 5034 §4), and
 * nothing when the server is to speak first. Returns as sasl_step. */
int sasl_exchange_initial(struct sasl_exchange *exchange, struct error *err);

/* Puts the answer to a challenge into the line: "*" when there is none, exchange->err says why then
 * and more than the server's refusal, which follows. False: we have given up before, and there is
 * nothing to send. */
bool sasl_exchange_answer(struct sasl_exchange *exchange, struct slice challenge_base64);

/* The server has accepted (`refusal` NULL) or refused; none of the exchange is left. Returns 0, or
 * the code with `err` filled: our reason before the server's; SYNCD_EAUTH when it accepted before
 * it had proved itself. Without an exchange the server's word is all. */
int sasl_exchange_end(struct sasl_exchange *exchange, const struct error *refusal,
		      struct error *err);

/* Wipes and frees, at any time. */
void sasl_exchange_free(struct sasl_exchange *exchange);

/* --- APOP (RFC 1939 §7) ---------------------------------------------------------- */

#define SASL_APOP_SIZE 33 /* 32 hex digits and NUL */

/* The digest of a greeting's timestamp, "<" and ">" with it, and the password, into `out`. The
 * password is prepared by SASLprep where it can be (RFC 6856 §2.2). Returns 0, or SYNCD_EAUTH when
 * this machine's OpenSSL does no MD5. */
int sasl_apop_digest(struct slice timestamp, const struct secret *password,
		     char out[SASL_APOP_SIZE], struct error *err);

/* --- Password commands ------------------------------------------------------ */

struct password_request;
/* `password` belongs to the callee on success, NULL otherwise. */
typedef void (*password_done)(struct password_request *req, struct secret *password,
			      const struct error *err);
struct password_request {
	struct loop_child child;
	password_done done;
	uint64_t timeout_ms;
	char name[64]; /* of the command, for errors */
};

#define PASSWORD_COMMAND_TIMEOUT_MS 120000 /* a person may be typing a PIN */

/* Runs the command and gives its first line of output. `argv` NULL-terminated. One that has not
 * ended after `timeout_ms` is ended, by force if it must be.
 * An exit status other than 0, no output, or no end within the time is SYNCD_EAUTH
 * naming the command's first word (behind "sh -c" too): asking again by itself
 * would only bother the user. Returns 0, or an error when it cannot be started
 * (SYNCD_ECONFIG when it does not exist). */
int password_request_start(struct loop *loop, struct password_request *req, char *const argv[],
			   uint64_t timeout_ms, password_done done, struct error *err);
void password_request_cancel(struct password_request *req);

#endif
