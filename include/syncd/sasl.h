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

/* Chooses the strongest mechanism that both sides can do. `offered` are the
 * server's mechanism names (as in AUTH=NAME); `allowed` the configuration's
 * list in lower case (CONTRACT 2.1 `auth`), NULL-terminated, or NULL for all that
 * fit: xoauth2/oauthbearer, external and anonymous only when listed.
 * "login" in `allowed` with `has_login_command` and no AUTH=LOGIN gives "LOGIN-COMMAND":
 * the protocol's own plain login command; it is also the last resort of a NULL
 * list. Mechanisms that send the password readably are skipped unless `is_secure`.
 * `stream` tells which channel bindings exist (-PLUS).
 * Returns 0 and the name in *mechanism (a static string), or SYNCD_EAUTH, or
 * SYNCD_ETRUST when only clear text would have worked, `err` saying what was offered. */
int sasl_choose(const char *const *offered, size_t offered_count, const char *const *allowed,
		bool has_login_command, bool is_secure, const struct stream *stream,
		const char **mechanism, struct error *err);

/* Begins an exchange of a mechanism that sasl_choose gave (but LOGIN-COMMAND).
 * NULL with `err`: SYNCD_ECONFIG when user or password is missing, SYNCD_EAUTH when
 * libgsasl does not have the mechanism or the stream has no channel binding. */
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
 * or is one more than SASL_STEPS_MAX; SYNCD_ELIMIT beyond the other limits above or `out`'s. An OAuth server's error report is
 * answered as it must be (RFC 7628 §3.2.3); its refusal follows. */
int sasl_step(struct sasl *sasl, struct slice challenge_base64, struct buf *out, struct error *err);

/* True once the mechanism has verified all it can; a server's OK before that
 * (SCRAM without the server's signature) must be treated as SYNCD_EAUTH. */
bool sasl_is_done(const struct sasl *sasl);

/* --- Password commands ------------------------------------------------------ */

struct password_request;
/* `password` belongs to the callee on success, NULL otherwise. */
typedef void (*password_done)(struct password_request *req, struct secret *password,
			      const struct error *err);
struct password_request {
	struct loop_child child;
	password_done done;
	char name[64]; /* of the command, for errors */
};

#define PASSWORD_COMMAND_TIMEOUT_MS 120000 /* a person may be typing a PIN */

/* Runs the command and gives its first line of output. `argv` NULL-terminated.
 * An exit status other than 0, no output, or no end within the time is SYNCD_EAUTH
 * naming the command's first word (behind "sh -c" too): asking again by itself
 * would only bother the user. Returns 0, or an error when it cannot be started
 * (SYNCD_ECONFIG when it does not exist). */
int password_request_start(struct loop *loop, struct password_request *req, char *const argv[],
			   password_done done, struct error *err);
void password_request_cancel(struct password_request *req);

#endif
