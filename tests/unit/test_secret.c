/* Secrets: copied whole, wiped at the end.
 * SPDX-License-Identifier: MIT */
#include "syncd/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_secret_is_a_terminated_copy(void **state)
{
	char bytes[] = { 'p', 'a', '\0', 's', 's' };
	struct secret *secret = secret_new(bytes, sizeof(bytes));

	(void)state;
	secret_wipe(bytes, sizeof(bytes));
	assert_int_equal(secret_len(secret), 5);
	assert_memory_equal(secret_bytes(secret), "pa\0ss", 6);
	secret_free(&secret);
	assert_null(secret);
	secret_free(&secret); /* harmless */
}

static void a_copy_outlives_its_source(void **state)
{
	struct secret *source = secret_new("token", 5);
	struct secret *copy = secret_copy(source);

	(void)state;
	secret_free(&source);
	assert_string_equal(secret_bytes(copy), "token");
	secret_free(&copy);
}

static void empty_and_largest_secrets_are_kept(void **state)
{
	char *bytes = malloc(SECRET_MAX);
	struct secret *empty = secret_new(NULL, 0);

	(void)state;
	memset(bytes, 'k', SECRET_MAX);
	struct secret *largest = secret_new(bytes, SECRET_MAX);
	assert_int_equal(secret_len(empty), 0);
	assert_string_equal(secret_bytes(empty), "");
	assert_int_equal(secret_len(largest), SECRET_MAX);
	assert_memory_equal(secret_bytes(largest), bytes, SECRET_MAX);
	secret_free(&empty);
	secret_free(&largest);
	free(bytes);
}

static void wiping_overwrites_exactly_what_it_was_given(void **state)
{
	char memory[] = "abcdefgh";

	(void)state;
	secret_wipe(memory + 2, 3);
	assert_memory_equal(memory, "ab\0\0\0fgh", 9);
	secret_wipe(memory, 0);
	assert_memory_equal(memory, "ab\0\0\0fgh", 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_a_terminated_copy),
		cmocka_unit_test(a_copy_outlives_its_source),
		cmocka_unit_test(empty_and_largest_secrets_are_kept),
		cmocka_unit_test(wiping_overwrites_exactly_what_it_was_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
