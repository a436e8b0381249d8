/* Tests of SASL exchanges line by line, and of APOP's digest.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/must.h"
#include "syncd/sasl.h"

struct fixture {
	struct secret *password;
	struct sasl_exchange exchange;
	struct error err;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .password = secret_new("tanstaaftanstaaf", 16) };
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sasl_exchange_free(&f->exchange);
	secret_free(&f->password);
	return 0;
}

static int begin(struct fixture *f, const char *mechanism, const char *user)
{
	const struct sasl_identity identity = {
		.user = user,
		.password = f->password,
		.host = "pop.example.org",
		.service = "pop",
	};

	return sasl_exchange_begin(&f->exchange, mechanism, &identity, NULL, &f->err);
}

static void initial_response_is_the_first_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(begin(f, "PLAIN", "tim"), 0);
	assert_int_equal(sasl_exchange_initial(&f->exchange, &f->err), 0);
	assert_string_equal(buf_str(&f->exchange.line), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
	assert_int_equal(sasl_exchange_end(&f->exchange, NULL, &f->err), 0);
}

static void empty_initial_response_is_an_equals_sign(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(begin(f, "EXTERNAL", NULL), 0);
	assert_int_equal(sasl_exchange_initial(&f->exchange, &f->err), 0);
	assert_string_equal(buf_str(&f->exchange.line), "=");
}

static void server_that_speaks_first_gets_no_initial_response(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(begin(f, "CRAM-MD5", "tim"), 0);
	assert_int_equal(sasl_exchange_initial(&f->exchange, &f->err), 0);
	assert_int_equal(f->exchange.line.len, 0);
	/* RFC 2195 §2 */
	assert_true(sasl_exchange_answer(
		&f->exchange,
		SLICE_LITERAL("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")));
	assert_string_equal(buf_str(&f->exchange.line),
			    "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
	assert_int_equal(sasl_exchange_end(&f->exchange, NULL, &f->err), 0);
}

static void exchange_given_up_says_why_whatever_the_server_says(void **state)
{
	struct fixture *f = *state;
	struct error refusal;

	assert_int_equal(begin(f, "SCRAM-SHA-1", "tim"), 0);
	assert_int_equal(sasl_exchange_initial(&f->exchange, &f->err), 0);
	assert_true(sasl_exchange_answer(&f->exchange, SLICE_LITERAL("!!!")));
	assert_string_equal(buf_str(&f->exchange.line), "*");
	/* A challenge more is not answered. */
	assert_false(sasl_exchange_answer(&f->exchange, SLICE_LITERAL("!!!")));
	assert_int_equal(f->exchange.line.len, 0);
	(void)error_set(&refusal, SYNCD_EAUTH, "cancelled by the client");
	assert_int_equal(sasl_exchange_end(&f->exchange, &refusal, &f->err), SYNCD_EPROTO);
	assert_non_null(strstr(f->err.text, "challenge makes no sense"));
}

static void refusal_is_the_servers_word(void **state)
{
	struct fixture *f = *state;
	struct error refusal;

	assert_int_equal(begin(f, "PLAIN", "tim"), 0);
	(void)error_set(&refusal, SYNCD_EBUSY, "in use");
	assert_int_equal(sasl_exchange_end(&f->exchange, &refusal, &f->err), SYNCD_EBUSY);
	assert_string_equal(f->err.text, "in use");
}

static void acceptance_without_a_proof_is_eauth(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(begin(f, "SCRAM-SHA-256", "tim"), 0);
	assert_int_equal(sasl_exchange_initial(&f->exchange, &f->err), 0);
	assert_int_equal(sasl_exchange_end(&f->exchange, NULL, &f->err), SYNCD_EAUTH);
}

static void without_an_exchange_the_servers_word_is_all(void **state)
{
	struct fixture *f = *state;
	struct error refusal;

	assert_int_equal(sasl_exchange_end(&f->exchange, NULL, &f->err), 0);
	(void)error_set(&refusal, SYNCD_EAUTH, "no");
	assert_int_equal(sasl_exchange_end(&f->exchange, &refusal, &f->err), SYNCD_EAUTH);
}

static void apop_matches_the_example_of_its_document(void **state)
{
	struct secret *password = secret_new("tanstaaf", 8);
	char digest[SASL_APOP_SIZE];
	struct error err;

	(void)state;
	/* RFC 1939 §7 */
	assert_int_equal(sasl_apop_digest(SLICE_LITERAL("<1896.697170952@dbc.mtview.ca.us>"),
					  password, digest, &err),
			 0);
	assert_string_equal(digest, "c4c9334bac560ecc979e58001b3e22fb");
	secret_free(&password);
}

static void apop_prepares_a_password_beyond_ascii(void **state)
{
	/* U+2163 is "IV" (RFC 4013 §3), and what is no UTF-8 is left as it is. */
	static const char *const passwords[] = { "\xe2\x85\xa3", "IV", "\xff", "\xfe" };
	char digests[ARRAY_LEN(passwords)][SASL_APOP_SIZE];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct secret *password = secret_new(passwords[i], strlen(passwords[i]));
		assert_int_equal(
			sasl_apop_digest(SLICE_LITERAL("<1@b>"), password, digests[i], &err), 0);
		secret_free(&password);
	}
	assert_string_equal(digests[0], digests[1]);
	assert_string_not_equal(digests[2], digests[3]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(initial_response_is_the_first_line),
		TEST(empty_initial_response_is_an_equals_sign),
		TEST(server_that_speaks_first_gets_no_initial_response),
		TEST(exchange_given_up_says_why_whatever_the_server_says),
		TEST(refusal_is_the_servers_word),
		TEST(acceptance_without_a_proof_is_eauth),
		TEST(without_an_exchange_the_servers_word_is_all),
		TEST(apop_matches_the_example_of_its_document),
		TEST(apop_prepares_a_password_beyond_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
