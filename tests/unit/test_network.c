/* Which messages of the kernel count, and that nothing is left behind.
 * SPDX-License-Identifier: MIT */
#include "syncd/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/watch/network_private.h"
#include "syncd/must.h"

static void changed(struct network_watch *watch)
{
	(void)watch;
	fail();
}

static void start_and_stop_leave_an_empty_loop(void **state)
{
	struct network_watch watch = { 0 };

	(void)state;
	for (int is_real = 0; is_real < 2; is_real++) {
		struct loop *loop = is_real ? loop_new() : loop_new_fake();
		network_watch_stop(&watch);
		network_watch_start(loop, &watch, changed);
		network_watch_stop(&watch);
		network_watch_stop(&watch);
		loop_run(loop);
		loop_free(&loop);
	}
}

#ifdef __linux__
#include <linux/if.h>
#include <linux/rtnetlink.h>

/* One message: a header and one of the three bodies. */
struct message {
	struct nlmsghdr header;
	union {
		struct ifaddrmsg address;
		struct rtmsg route;
		struct ifinfomsg link;
	} body;
};

#define ADDRESS(index, scope)                                                                      \
	{                                                                                          \
		.address = {.ifa_index = (index), .ifa_scope = (scope) }                           \
	}
#define ROUTE(len, type, flags)                                                                    \
	{                                                                                          \
		.route = {.rtm_dst_len = (len), .rtm_type = (type), .rtm_flags = (flags) }         \
	}
#define LINK(flags)                                                                                \
	{                                                                                          \
		.link = {.ifi_flags = (flags) }                                                    \
	}
#define HEADER(type)                                                                               \
	{                                                                                          \
		.nlmsg_len = sizeof(struct message), .nlmsg_type = (type)                          \
	}

static const struct {
	struct message message;
	bool counts;
} cases[] = {
	{ { HEADER(RTM_NEWADDR), ADDRESS(2, RT_SCOPE_UNIVERSE) }, true },
	{ { HEADER(RTM_DELADDR), ADDRESS(2, RT_SCOPE_UNIVERSE) }, true },
	{ { HEADER(RTM_NEWADDR), ADDRESS(2, RT_SCOPE_LINK) }, false },
	{ { HEADER(RTM_NEWADDR), ADDRESS(1, RT_SCOPE_UNIVERSE) }, false },
	{ { HEADER(RTM_NEWADDR), ADDRESS(2, RT_SCOPE_HOST) }, false },
	{ { HEADER(RTM_NEWROUTE), ROUTE(0, RTN_UNICAST, 0) }, true },
	{ { HEADER(RTM_DELROUTE), ROUTE(0, RTN_UNICAST, 0) }, true },
	{ { HEADER(RTM_NEWROUTE), ROUTE(24, RTN_UNICAST, 0) }, false },
	{ { HEADER(RTM_NEWROUTE), ROUTE(0, RTN_UNICAST, RTM_F_CLONED) }, false },
	{ { HEADER(RTM_NEWLINK), LINK(IFF_UP) }, true },
	{ { HEADER(RTM_NEWLINK), LINK(IFF_UP | IFF_LOOPBACK) }, false },
	{ { HEADER(RTM_NEWNEIGH), LINK(IFF_UP) }, false },
};

static void only_messages_that_may_change_our_way_out_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(network_message_counts(&cases[i].message, sizeof(struct message)),
				 cases[i].counts);
}

static void the_second_of_two_messages_is_seen_and_a_cut_one_is_not(void **state)
{
	struct message two[2] = { cases[2].message, cases[0].message };

	(void)state;
	assert_true(network_message_counts(two, sizeof(two)));
	for (size_t len = 0; len < sizeof(two); len++)
		assert_false(network_message_counts(two, len));
	two[0].header.nlmsg_len = 0;
	assert_false(network_message_counts(two, sizeof(two)));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_and_stop_leave_an_empty_loop),
#ifdef __linux__
		cmocka_unit_test(only_messages_that_may_change_our_way_out_count),
		cmocka_unit_test(the_second_of_two_messages_is_seen_and_a_cut_one_is_not),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
