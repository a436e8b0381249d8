/* Tests of SASL: the choice of a mechanism, the RFCs' examples, and exchanges
 * with libgsasl's server side.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gsasl.h>

#include "support/memory_stream.h"
#include "syncd/must.h"
#include "syncd/sasl.h"

#define NAMES_MAX 8
#define ANSWER_MAX 4096

/* --- Choice -------------------------------------------------------------------- */

struct choice_case {
	const char *what;
	const char *offered[NAMES_MAX];
	const char *allowed[NAMES_MAX]; /* none: NULL is given */
	bool has_login_command;
	bool is_secure;
	bool has_binding;
	int code;
	const char *mechanism;
};

static const struct choice_case choice_cases[] = {
	{ "strongest first",
	  { "PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" },
	  { 0 },
	  false,
	  true,
	  false,
	  0,
	  "SCRAM-SHA-256" },
	{ "names in any case",
	  { "plain", "scram-sha-1" },
	  { 0 },
	  false,
	  true,
	  false,
	  0,
	  "SCRAM-SHA-1" },
	{ "bound where there is a binding",
	  { "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" },
	  { 0 },
	  false,
	  true,
	  true,
	  0,
	  "SCRAM-SHA-256-PLUS" },
	{ "not bound without one",
	  { "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" },
	  { 0 },
	  false,
	  true,
	  false,
	  0,
	  "SCRAM-SHA-256" },
	{ "plain before login", { "LOGIN", "PLAIN" }, { 0 }, true, true, false, 0, "PLAIN" },
	{ "tokens only when listed",
	  { "XOAUTH2", "OAUTHBEARER", "PLAIN" },
	  { 0 },
	  false,
	  true,
	  false,
	  0,
	  "PLAIN" },
	{ "tokens when listed",
	  { "XOAUTH2", "PLAIN" },
	  { "xoauth2" },
	  false,
	  true,
	  false,
	  0,
	  "XOAUTH2" },
	{ "external only when listed",
	  { "EXTERNAL" },
	  { 0 },
	  false,
	  true,
	  false,
	  SYNCD_EAUTH,
	  NULL },
	{ "external when listed",
	  { "PLAIN", "EXTERNAL" },
	  { "external", "plain" },
	  false,
	  true,
	  false,
	  0,
	  "EXTERNAL" },
	{ "anonymous when listed",
	  { "ANONYMOUS" },
	  { "anonymous" },
	  false,
	  false,
	  false,
	  0,
	  "ANONYMOUS" },
	{ "only what is listed",
	  { "SCRAM-SHA-256", "PLAIN" },
	  { "plain" },
	  false,
	  true,
	  false,
	  0,
	  "PLAIN" },
	{ "apop only when listed", { "APOP" }, { 0 }, false, false, false, SYNCD_EAUTH, NULL },
	{ "apop when listed",
	  { "APOP", "PLAIN" },
	  { "plain", "apop" },
	  true,
	  false,
	  false,
	  0,
	  "APOP" },
	{ "scram before apop",
	  { "APOP", "SCRAM-SHA-256" },
	  { "apop", "scram-sha-256" },
	  false,
	  true,
	  false,
	  0,
	  "SCRAM-SHA-256" },
	{ "nothing in common", { "GSSAPI" }, { 0 }, false, true, false, SYNCD_EAUTH, NULL },
	{ "login command as last resort", { 0 }, { 0 }, true, true, false, 0, "LOGIN-COMMAND" },
	{ "login command when listed",
	  { "PLAIN" },
	  { "login" },
	  true,
	  true,
	  false,
	  0,
	  "LOGIN-COMMAND" },
	{ "no login command when not listed",
	  { 0 },
	  { "plain" },
	  true,
	  true,
	  false,
	  SYNCD_EAUTH,
	  NULL },
	{ "mechanism before command", { "LOGIN" }, { "login" }, true, true, false, 0, "LOGIN" },
	{ "hidden password in plaintext",
	  { "PLAIN", "CRAM-MD5" },
	  { 0 },
	  true,
	  false,
	  false,
	  0,
	  "CRAM-MD5" },
	{ "readable password in plaintext",
	  { "PLAIN", "LOGIN" },
	  { 0 },
	  false,
	  false,
	  false,
	  SYNCD_ETRUST,
	  NULL },
	{ "login command in plaintext", { 0 }, { 0 }, true, false, false, SYNCD_ETRUST, NULL },
	{ "token in plaintext",
	  { "OAUTHBEARER" },
	  { "oauthbearer" },
	  false,
	  false,
	  false,
	  SYNCD_ETRUST,
	  NULL },
};

static struct sasl_offer offer_of(const struct choice_case *c)
{
	struct sasl_offer offer = { .has_login_command = c->has_login_command };

	for (size_t i = 0; i < NAMES_MAX && c->offered[i] != NULL; i++)
		sasl_offer_add(&offer, slice_of(c->offered[i]));
	return offer;
}

static void strongest_mechanism_of_both_sides_is_chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(choice_cases); i++) {
		const struct choice_case *c = &choice_cases[i];
		struct loop *loop = loop_new_fake();
		struct memory_stream *memory = memory_stream_new(loop);
		const struct sasl_offer offer = offer_of(c);
		const char *mechanism = NULL;
		struct error err;

		print_message("  %s\n", c->what);
		if (c->has_binding)
			memory_stream_set_binding(memory, "tls-exporter", SLICE_LITERAL("0123"));
		assert_int_equal(sasl_choose(&offer, c->allowed[0] != NULL ? c->allowed : NULL,
					     c->is_secure, memory_stream_stream(memory), &mechanism,
					     &err),
				 c->code);
		if (c->code == 0)
			assert_string_equal(mechanism, c->mechanism);
		else if (c->offered[0] != NULL)
			assert_non_null(strstr(err.text, c->offered[0]));
		memory_stream_free(&memory);
		loop_free(&loop);
	}
}

/* --- Fixed exchanges ------------------------------------------------------------- */

struct step_case {
	const char *mechanism;
	const char *user;
	const char *password;
	bool has_initial;
	const char *challenges[3]; /* NULL behind the last */
	const char *answers[3];
};

static const struct step_case step_cases[] = {
	/* RFC 2195 §2 */
	{ "CRAM-MD5",
	  "tim",
	  "tanstaaftanstaaf",
	  false,
	  { "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+" },
	  { "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw" } },
	/* RFC 4616 §4 */
	{ "PLAIN", "tim", "tanstaaftanstaaf", true, { "" }, { "AHRpbQB0YW5zdGFhZnRhbnN0YWFm" } },
	/* The prompts are "Username:" and "Password:". */
	{ "LOGIN",
	  "tim",
	  "secret",
	  false,
	  { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
	  { "dGlt", "c2VjcmV0" } },
	/* Google's XOAUTH2 page, with its error report. */
	{ "XOAUTH2",
	  "someuser@example.com",
	  "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
	  true,
	  { "", "eyJzdGF0dXMiOiI0MDEifQ==" },
	  { "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNr"
	    "QmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==",
	    "" } },
	/* RFC 7628 §4.1 and §4.3 */
	{ "OAUTHBEARER",
	  "user@example.com",
	  "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
	  true,
	  { "", "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=" },
	  { "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVh"
	    "cmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
	    "AQ==" } },
	/* "n,a=a=3Db=2Cc,^Ahost=server.example.com^Aport=143^Aauth=Bearer t^A^A" */
	{ "OAUTHBEARER",
	  "a=b,c",
	  "t",
	  true,
	  { "" },
	  { "bixhPWE9M0RiPTJDYywBaG9zdD1zZXJ2ZXIuZXhhbXBsZS5jb20BcG9ydD0xNDMBYXV0aD1CZWFyZXIgdAE"
	    "B" } },
	{ "EXTERNAL", NULL, NULL, true, { "" }, { "" } },
	{ "EXTERNAL", "me", NULL, true, { "" }, { "bWU=" } },
	{ "ANONYMOUS", NULL, NULL, true, { "" }, { "YW5vbnltb3Vz" } },
};

/* `password` may be NULL. Frees nothing of the caller's. */
static struct sasl *start(const char *mechanism, const char *user, const char *password,
			  const struct stream *stream, struct error *err)
{
	struct secret *secret = password != NULL ? secret_new(password, strlen(password)) : NULL;
	struct sasl_identity identity = { .user = user,
					  .password = secret,
					  .host = "server.example.com",
					  .port = 143,
					  .service = "imap" };
	struct sasl *sasl = sasl_new(mechanism, &identity, stream, err);

	secret_free(&secret);
	return sasl;
}

static void exchanges_match_the_examples_of_their_documents(void **state)
{
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(step_cases); i++) {
		const struct step_case *c = &step_cases[i];
		struct sasl *sasl = start(c->mechanism, c->user, c->password, NULL, &err);

		print_message("  %s\n", c->mechanism);
		assert_non_null(sasl);
		assert_int_equal(sasl_has_initial(sasl), c->has_initial);
		assert_false(sasl_is_done(sasl));
		for (size_t j = 0; j < 3 && c->challenges[j] != NULL; j++) {
			struct buf out;
			buf_init(&out, ANSWER_MAX);
			assert_int_equal(sasl_step(sasl, slice_of(c->challenges[j]), &out, &err),
					 0);
			assert_string_equal(buf_str(&out), c->answers[j]);
			buf_free(&out);
		}
		assert_true(sasl_is_done(sasl));
		sasl_free(&sasl);
		assert_null(sasl);
	}
}

static void missing_user_or_password_is_econfig(void **state)
{
	struct error err;

	(void)state;
	assert_null(start("PLAIN", NULL, "x", NULL, &err));
	assert_int_equal(err.code, SYNCD_ECONFIG);
	assert_null(start("XOAUTH2", "me", NULL, NULL, &err));
	assert_int_equal(err.code, SYNCD_ECONFIG);
}

static void a_token_cannot_add_fields_to_its_message(void **state)
{
	static const char *const mechanisms[] = { "XOAUTH2", "OAUTHBEARER" };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		assert_null(start(mechanisms[i], "user", "token\1auth=Bearer x", NULL, &err));
		assert_int_equal(err.code, SYNCD_EAUTH);
		assert_null(start(mechanisms[i], "user\1auth=Bearer x", "token", NULL, &err));
		assert_int_equal(err.code, SYNCD_EAUTH);
	}
}

static void bound_mechanism_without_a_binding_cannot_begin(void **state)
{
	struct error err;

	(void)state;
	assert_null(start("SCRAM-SHA-256-PLUS", "me", "x", NULL, &err));
	assert_int_equal(err.code, SYNCD_EAUTH);
}

static void answer_beyond_the_buffers_maximum_is_elimit(void **state)
{
	struct error err;
	struct buf out;
	struct sasl *sasl = start("PLAIN", "me", "secret", NULL, &err);

	(void)state;
	buf_init(&out, 4);
	assert_int_equal(sasl_step(sasl, slice_of(""), &out, &err), SYNCD_ELIMIT);
	buf_free(&out);
	sasl_free(&sasl);
}

/* --- SCRAM against libgsasl's server ------------------------------------------------ */

#define BINDING "0123456789abcdef0123456789abcdef"

struct scram_case {
	const char *mechanism;
	const char *client_binding; /* NULL: none */
	const char *server_password;
	bool tampers_with_signature;
	int code;
};

static const struct scram_case scram_cases[] = {
	{ "SCRAM-SHA-1", NULL, "pencil", false, 0 },
	{ "SCRAM-SHA-256", NULL, "pencil", false, 0 },
	{ "SCRAM-SHA-1-PLUS", BINDING, "pencil", false, 0 },
	{ "SCRAM-SHA-256-PLUS", BINDING, "pencil", false, 0 },
	{ "SCRAM-SHA-256", BINDING, "pencil", false, 0 },
	{ "SCRAM-SHA-256", NULL, "pencil", true, SYNCD_EAUTH },
	{ "SCRAM-SHA-256", NULL, "other", false, SYNCD_ENET /* the server says no */ },
	{ "SCRAM-SHA-256-PLUS", "someone in the middle............", "pencil", false, SYNCD_ENET },
};

static int server_property(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	const struct scram_case *c = gsasl_callback_hook_get(gsasl);
	char *binding = NULL;

	if (property == GSASL_PASSWORD)
		return gsasl_property_set(session, property, c->server_password);
	if (property != GSASL_CB_TLS_EXPORTER || c->client_binding == NULL)
		return GSASL_NO_CALLBACK;
	must(gsasl_base64_to(BINDING, strlen(BINDING), &binding, NULL) == GSASL_OK);
	int rc = gsasl_property_set(session, property, binding);
	gsasl_free(binding);
	return rc;
}

/* Another, well-formed signature in the server's last message, "v=SIGNATURE". */
static void tamper(char **challenge)
{
	char *plain = NULL;
	size_t len = 0;

	must(gsasl_base64_from(*challenge, strlen(*challenge), &plain, &len) == GSASL_OK);
	plain[2] = plain[2] == 'A' ? 'B' : 'A';
	gsasl_free(*challenge);
	must(gsasl_base64_to(plain, len, challenge, NULL) == GSASL_OK);
	gsasl_free(plain);
}

/* Runs the exchange. Returns 0, our side's failure, or SYNCD_ENET for a refusal
 * by the server. */
static int scram_run(const struct scram_case *c, struct sasl *sasl, Gsasl_session *server)
{
	char *challenge = NULL;
	struct error err;
	struct buf out;
	int rc = 0;

	buf_init(&out, ANSWER_MAX);
	for (int turn = 0; rc == 0 && !sasl_is_done(sasl); turn++) {
		buf_reset(&out);
		rc = sasl_step(sasl, slice_of(challenge != NULL ? challenge : ""), &out, &err);
		gsasl_free(challenge);
		challenge = NULL;
		if (rc != 0 || sasl_is_done(sasl))
			break;
		int server_rc = gsasl_step64(server, buf_str(&out), &challenge);
		if (server_rc != GSASL_OK && server_rc != GSASL_NEEDS_MORE)
			rc = SYNCD_ENET;
		else if (server_rc == GSASL_OK && c->tampers_with_signature)
			tamper(&challenge);
	}
	gsasl_free(challenge);
	buf_free(&out);
	return rc;
}

static void scram_proves_both_sides(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scram_cases); i++) {
		const struct scram_case *c = &scram_cases[i];
		struct loop *loop = loop_new_fake();
		struct memory_stream *memory = memory_stream_new(loop);
		struct scram_case hook = *c;
		Gsasl *gsasl;
		Gsasl_session *server;
		struct error err;

		print_message("  %s\n", c->mechanism);
		if (c->client_binding != NULL)
			memory_stream_set_binding(memory, "tls-exporter",
						  slice_of(c->client_binding));
		assert_int_equal(gsasl_init(&gsasl), GSASL_OK);
		gsasl_callback_set(gsasl, server_property);
		gsasl_callback_hook_set(gsasl, &hook);
		assert_int_equal(gsasl_server_start(gsasl, c->mechanism, &server), GSASL_OK);
		struct sasl *sasl =
			start(c->mechanism, "user", "pencil", memory_stream_stream(memory), &err);
		assert_non_null(sasl);
		assert_true(sasl_has_initial(sasl));
		assert_int_equal(scram_run(c, sasl, server), c->code);
		assert_int_equal(sasl_is_done(sasl), c->code == 0);
		sasl_free(&sasl);
		gsasl_finish(server);
		gsasl_done(gsasl);
		memory_stream_free(&memory);
		loop_free(&loop);
	}
}

struct bad_challenge_case {
	const char *plain; /* NULL: "*" is sent as it is */
	int code;
};

static void scram_challenges_that_make_no_sense_are_refused(void **state)
{
	const struct bad_challenge_case cases[] = {
		{ NULL, SYNCD_EPROTO },
		{ "nonsense", SYNCD_EPROTO },
		{ "r=x,s=QUJD,i=4294967295", SYNCD_ELIMIT },
		{ "r=not our nonce,s=QUJD,i=4096", SYNCD_EAUTH },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *challenge = NULL;
		struct error err;
		struct buf out;
		struct sasl *sasl = start("SCRAM-SHA-256", "user", "pencil", NULL, &err);

		buf_init(&out, ANSWER_MAX);
		assert_int_equal(sasl_step(sasl, slice_of(""), &out, &err), 0);
		if (cases[i].plain != NULL)
			assert_int_equal(gsasl_base64_to(cases[i].plain, strlen(cases[i].plain),
							 &challenge, NULL),
					 GSASL_OK);
		assert_int_equal(
			sasl_step(sasl, slice_of(challenge != NULL ? challenge : "*"), &out, &err),
			cases[i].code);
		assert_false(sasl_is_done(sasl));
		gsasl_free(challenge);
		buf_free(&out);
		sasl_free(&sasl);
	}
}

/* libgsasl takes it for a nonce that begins with ours. */
static void scram_iterations_cannot_hide_behind_a_nul(void **state)
{
	static const char tail[] = "x\0y,s=QUJD,i=2000000";
	struct sasl *sasl = start("SCRAM-SHA-256", "user", "pencil", NULL, &(struct error){ 0 });
	char *first = NULL;
	char *challenge = NULL;
	size_t len = 0;
	struct error err;
	struct buf out;
	struct buf plain;

	(void)state;
	buf_init(&out, ANSWER_MAX);
	buf_init(&plain, ANSWER_MAX);
	assert_int_equal(sasl_step(sasl, slice_of(""), &out, &err), 0);
	assert_int_equal(gsasl_base64_from(buf_str(&out), out.len, &first, &len), GSASL_OK);
	const size_t at = strlen("n,,n=user,");
	assert_int_equal(buf_add(&plain, first + at, len - at), 0);
	assert_int_equal(buf_add(&plain, tail, sizeof(tail) - 1), 0);
	assert_int_equal(gsasl_base64_to(plain.data, plain.len, &challenge, NULL), GSASL_OK);
	assert_int_equal(sasl_step(sasl, slice_of(challenge), &out, &err), SYNCD_EPROTO);
	gsasl_free(first);
	gsasl_free(challenge);
	buf_free(&plain);
	buf_free(&out);
	sasl_free(&sasl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strongest_mechanism_of_both_sides_is_chosen),
		cmocka_unit_test(exchanges_match_the_examples_of_their_documents),
		cmocka_unit_test(missing_user_or_password_is_econfig),
		cmocka_unit_test(a_token_cannot_add_fields_to_its_message),
		cmocka_unit_test(bound_mechanism_without_a_binding_cannot_begin),
		cmocka_unit_test(answer_beyond_the_buffers_maximum_is_elimit),
		cmocka_unit_test(scram_proves_both_sides),
		cmocka_unit_test(scram_challenges_that_make_no_sense_are_refused),
		cmocka_unit_test(scram_iterations_cannot_hide_behind_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
