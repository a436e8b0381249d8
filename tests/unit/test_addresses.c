/* Tests of the order in which addresses are tried (RFC 8305 §4).
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "../../src/net/addresses.h"
#include "syncd/must.h"

#define FOUND_MAX 20

struct order_case {
	const char *found; /* '6' or '4' an address, in getaddrinfo's order */
	const char *tried;
};

static const struct order_case order_cases[] = {
	{ "", "" },           { "4", "4" },
	{ "664", "646" },     { "666444", "646464" },
	{ "466", "466" },     { "46466", "46466" },
	{ "44444", "44444" }, { "66666666666666666644", "6464666666666666" },
};

/* Each address carries its place in the answer as its port. */
static struct addrinfo *found_of(const char *families)
{
	static struct addrinfo info[FOUND_MAX];
	static struct sockaddr_storage storage[FOUND_MAX];
	size_t count = strlen(families);

	for (size_t i = 0; i < count; i++) {
		bool is_six = families[i] == '6';
		struct sockaddr_in *in = (struct sockaddr_in *)(void *)&storage[i];

		in->sin_family = is_six ? AF_INET6 : AF_INET;
		in->sin_port = (in_port_t)i;
		info[i] = (struct addrinfo){ .ai_family = in->sin_family,
					     .ai_addr = (struct sockaddr *)&storage[i],
					     .ai_addrlen = is_six ? sizeof(struct sockaddr_in6)
								  : sizeof(struct sockaddr_in),
					     .ai_next = i + 1 < count ? &info[i + 1] : NULL };
	}
	return count > 0 ? info : NULL;
}

static void families_alternate_beginning_with_the_first_and_keep_their_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order_cases); i++) {
		struct addresses addresses;
		in_port_t last[2] = { 0, 0 };
		char tried[ADDRESSES_MAX + 1] = "";

		addresses_take(&addresses, found_of(order_cases[i].found));
		for (size_t j = 0; j < addresses.count; j++) {
			const struct sockaddr_in *in = (const void *)&addresses.list[j];
			bool is_six = in->sin_family == AF_INET6;
			tried[j] = is_six ? '6' : '4';
			assert_true(in->sin_port >= last[is_six]);
			last[is_six] = (in_port_t)(in->sin_port + 1);
		}
		assert_string_equal(tried, order_cases[i].tried);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_alternate_beginning_with_the_first_and_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
