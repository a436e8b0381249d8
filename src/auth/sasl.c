/* SASL exchanges: libgsasl's mechanisms, and our two for OAuth tokens.
 * SPDX-License-Identifier: MIT */
#include "syncd/sasl.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "mechanism.h"
#include "oauth.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

struct sasl {
	const struct mechanism *mechanism;
	Gsasl *gsasl;           /* NULL for OAuth, as is */
	Gsasl_session *session; /* this */
	struct secret *message; /* OAuth's, until it was sent */
	unsigned steps;
	bool is_done;
};

static void wipe_and_free(char *text)
{
	if (text == NULL)
		return;
	secret_wipe(text, strlen(text));
	gsasl_free(text);
}

/* --- Beginning --------------------------------------------------------------- */

static void set_property(struct sasl *sasl, Gsasl_property property, const char *value)
{
	if (value != NULL)
		must(gsasl_property_set(sasl->session, property, value) == GSASL_OK);
}

static int set_binding(struct sasl *sasl, const struct stream *stream, struct error *err)
{
	unsigned char binding[MECHANISM_BINDING_MAX];
	char *text = NULL;
	size_t len = 0;

	if (stream != NULL)
		len = stream_binding(stream, MECHANISM_BINDING, binding, sizeof(binding));
	if (len == 0)
		return error_set(err, SYNCD_EAUTH, "%s needs TLS 1.3", sasl->mechanism->name);
	must(gsasl_base64_to((const char *)binding, len, &text, NULL) == GSASL_OK);
	set_property(sasl, GSASL_CB_TLS_EXPORTER, text);
	gsasl_free(text);
	return 0;
}

/* A mechanism without -PLUS is given no binding, so that SCRAM says "n" and not
 * "y" (RFC 5802 §6): "y" fails with a server that offers -PLUS when the
 * configuration asks for the plain one. */
static int begin_gsasl(struct sasl *sasl, const struct sasl_identity *identity,
		       const struct stream *stream, struct error *err)
{
	must(gsasl_init(&sasl->gsasl) == GSASL_OK);
	int rc = gsasl_client_start(sasl->gsasl, sasl->mechanism->name, &sasl->session);
	if (rc != GSASL_OK)
		return error_set(err, SYNCD_EAUTH, "libgsasl cannot do %s: %s",
				 sasl->mechanism->name, gsasl_strerror(rc));
	if (strcmp(sasl->mechanism->name, "ANONYMOUS") == 0) {
		set_property(sasl, GSASL_ANONYMOUS_TOKEN,
			     identity->user != NULL ? identity->user : "anonymous");
	} else if (strcmp(sasl->mechanism->name, "EXTERNAL") == 0) {
		set_property(sasl, GSASL_AUTHZID, identity->user);
	} else {
		set_property(sasl, GSASL_AUTHID, identity->user);
		set_property(sasl, GSASL_PASSWORD, secret_bytes(identity->password));
	}
	return sasl->mechanism->is_bound ? set_binding(sasl, stream, err) : 0;
}

static bool has_control(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			return true;
	}
	return false;
}

static int begin_oauth(struct sasl *sasl, const struct sasl_identity *identity, struct error *err)
{
	/* They are the message's own marks (RFC 7628 §3.1). */
	if (has_control(identity->user) || has_control(secret_bytes(identity->password)))
		return error_set(err, SYNCD_EAUTH,
				 "the user or the access token has a control character");
	sasl->message = oauth_message(sasl->mechanism, identity);
	if (sasl->message == NULL)
		return error_set(err, SYNCD_ELIMIT, "the access token is too long");
	return 0;
}

static int begin(struct sasl *sasl, const struct sasl_identity *identity,
		 const struct stream *stream, struct error *err)
{
	const struct mechanism *mechanism = sasl->mechanism;

	if (mechanism->needs_user && identity->user == NULL)
		return error_set(err, SYNCD_ECONFIG, "%s needs a user", mechanism->name);
	if (mechanism->needs_password && identity->password == NULL)
		return error_set(err, SYNCD_ECONFIG, "%s needs a password", mechanism->name);
	if (mechanism->is_oauth)
		return begin_oauth(sasl, identity, err);
	return begin_gsasl(sasl, identity, stream, err);
}

struct sasl *sasl_new(const char *mechanism, const struct sasl_identity *identity,
		      const struct stream *stream, struct error *err)
{
	struct sasl *sasl = xcalloc(1, sizeof(*sasl));

	sasl->mechanism = mechanism_find(mechanism);
	must(sasl->mechanism != NULL);
	if (begin(sasl, identity, stream, err) != 0)
		sasl_free(&sasl);
	return sasl;
}

void sasl_free(struct sasl **sasl)
{
	if (*sasl == NULL)
		return;
	if ((*sasl)->session != NULL)
		gsasl_finish((*sasl)->session);
	if ((*sasl)->gsasl != NULL)
		gsasl_done((*sasl)->gsasl);
	secret_free(&(*sasl)->message);
	free(*sasl);
	*sasl = NULL;
}

bool sasl_has_initial(const struct sasl *sasl)
{
	return !sasl->mechanism->is_server_first;
}

bool sasl_is_done(const struct sasl *sasl)
{
	return sasl->is_done;
}

/* --- Steps --------------------------------------------------------------------- */

static int add_answer(struct buf *out, const char *text, struct error *err)
{
	if (buf_add_str(out, text) != 0)
		return error_set(err, SYNCD_ELIMIT, "the answer of the login is too long");
	return 0;
}

/* The server chooses how long we compute (RFC 5802 §5.1, "i="): without a limit it
 * could stop the whole program. libGSASL reads on behind a NUL, and would compute what we
 * do not see. */
static int check_iterations(const char *challenge, struct error *err)
{
	char *text = NULL;
	size_t len = 0;

	if (gsasl_base64_from(challenge, strlen(challenge), &text, &len) != GSASL_OK)
		return 0; /* gsasl_step64 will say so */
	char *copy = xstrndup(text, len);
	bool is_scram = strncmp(copy, "r=", 2) == 0;
	bool has_nul = is_scram && strlen(copy) != len;
	const char *count = is_scram ? strstr(copy, ",i=") : NULL;
	unsigned long long iterations = count != NULL ? strtoull(count + 3, NULL, 10) : 0;
	free(copy);
	gsasl_free(text);
	if (has_nul)
		return error_set(err, SYNCD_EPROTO, "the server's challenge has a NUL byte");
	if (iterations > SASL_SCRAM_ITERATIONS_MAX)
		return error_set(err, SYNCD_ELIMIT, "the server asks for %llu iterations of SCRAM",
				 iterations);
	return 0;
}

static int step_error(const struct sasl *sasl, int rc, struct error *err)
{
	switch (rc) {
	case GSASL_BASE64_ERROR:
	case GSASL_MECHANISM_PARSE_ERROR:
	case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
		return error_set(err, SYNCD_EPROTO, "the server's %s challenge makes no sense: %s",
				 sasl->mechanism->name, gsasl_strerror(rc));
	case GSASL_AUTHENTICATION_ERROR:
		return error_set(err, SYNCD_EAUTH,
				 "the server could not prove that it knows the "
				 "password");
	default:
		return error_set(err, SYNCD_EAUTH, "%s failed: %s", sasl->mechanism->name,
				 gsasl_strerror(rc));
	}
}

static int step_gsasl(struct sasl *sasl, const char *challenge, struct buf *out, struct error *err)
{
	char *answer = NULL;

	int rc = check_iterations(challenge, err);
	if (rc != 0)
		return rc;
	rc = gsasl_step64(sasl->session, challenge, &answer);
	if (rc == GSASL_OK || rc == GSASL_NEEDS_MORE) {
		sasl->is_done = rc == GSASL_OK;
		rc = add_answer(out, answer != NULL ? answer : "", err);
	} else {
		rc = step_error(sasl, rc, err);
	}
	wipe_and_free(answer);
	return rc;
}

static int step_oauth(struct sasl *sasl, struct buf *out, struct error *err)
{
	struct slice plain = oauth_error_answer(sasl->mechanism);
	char *text = NULL;

	if (sasl->message != NULL)
		plain = (struct slice){ secret_bytes(sasl->message), secret_len(sasl->message) };
	must(gsasl_base64_to(plain.data, plain.len, &text, NULL) == GSASL_OK);
	int rc = add_answer(out, text, err);
	wipe_and_free(text);
	secret_free(&sasl->message);
	sasl->is_done = true;
	return rc;
}

int sasl_step(struct sasl *sasl, struct slice challenge_base64, struct buf *out, struct error *err)
{
	if (challenge_base64.len > SASL_CHALLENGE_MAX)
		return error_set(err, SYNCD_ELIMIT, "the server's challenge is too long");
	if (++sasl->steps > SASL_STEPS_MAX)
		return error_set(err, SYNCD_EPROTO,
				 "the server's %s exchange does not come to an end",
				 sasl->mechanism->name);
	if (sasl->mechanism->is_oauth)
		return step_oauth(sasl, out, err);
	char *challenge = xstrndup(challenge_base64.len > 0 ? challenge_base64.data : "",
				   challenge_base64.len);
	int rc = step_gsasl(sasl, challenge, out, err);
	free(challenge);
	return rc;
}
