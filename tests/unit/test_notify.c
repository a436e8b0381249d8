/* What the service manager hears, on a socket of ours.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* MSG_DONTWAIT */

#include "syncd/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "support/temp_dir.h"

struct manager {
	struct temp_dir dir;
	struct loop *loop;
	int fd;
	char text[1024];
};

static void manager_start(struct manager *m, const char *usec, const char *pid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*m = (struct manager){ 0 };
	temp_dir_make(&m->dir);
	m->loop = loop_new_fake();
	m->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", m->dir.path);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	if (usec != NULL)
		assert_int_equal(setenv("WATCHDOG_USEC", usec, 1), 0);
	if (pid != NULL)
		assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
}

static void manager_stop(struct manager *m)
{
	assert_int_equal(close(m->fd), 0);
	temp_dir_remove(&m->dir);
	loop_free(&m->loop);
}

/* The next message, "" for none. */
static const char *heard(struct manager *m)
{
	ssize_t len = recv(m->fd, m->text, sizeof(m->text) - 1, MSG_DONTWAIT);

	m->text[len > 0 ? len : 0] = '\0';
	return m->text;
}

static void each_state_is_told_in_one_message(void **state)
{
	struct manager m;

	(void)state;
	manager_start(&m, NULL, NULL);
	struct notify *notify = notify_new(m.loop);
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_ready(notify);
	assert_string_equal(heard(&m), "READY=1");
	notify_reloading(notify);
	assert_memory_equal(heard(&m), "RELOADING=1\nMONOTONIC_USEC=", 27);
	assert_true(strtoull(m.text + 27, NULL, 10) > 0);
	notify_status(notify, "%d\nREADY=1", 7);
	assert_string_equal(heard(&m), "STATUS=7?READY=1");
	notify_stopping(notify);
	assert_string_equal(heard(&m), "STOPPING=1");
	loop_fake_advance(m.loop, 1000000);
	assert_string_equal(heard(&m), "");
	notify_free(&notify);
	assert_null(notify);
	manager_stop(&m);
}

static void watchdog_is_fed_twice_a_period_until_the_end(void **state)
{
	struct manager m;

	(void)state;
	manager_start(&m, "2000000", NULL);
	struct notify *notify = notify_new(m.loop);
	loop_fake_advance(m.loop, 999);
	assert_string_equal(heard(&m), "");
	loop_fake_advance(m.loop, 1);
	assert_string_equal(heard(&m), "WATCHDOG=1");
	loop_fake_advance(m.loop, 1000);
	assert_string_equal(heard(&m), "WATCHDOG=1");
	notify_free(&notify);
	loop_fake_advance(m.loop, 5000);
	assert_string_equal(heard(&m), "");
	manager_stop(&m);
}

static void watchdog_of_another_process_or_without_sense_is_not_fed(void **state)
{
	static const char *const cases[][2] = {
		{ "2000000", "1" }, { "0", NULL }, { "soon", NULL }, { "2000000x", NULL }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct manager m;
		manager_start(&m, cases[i][0], cases[i][1]);
		struct notify *notify = notify_new(m.loop);
		loop_fake_advance(m.loop, 10000);
		assert_string_equal(heard(&m), "");
		notify_free(&notify);
		manager_stop(&m);
	}
}

static void without_a_manager_nothing_happens(void **state)
{
	struct loop *loop = loop_new_fake();
	struct notify *notify = notify_new(loop);

	(void)state;
	notify_ready(notify);
	notify_status(notify, "x");
	notify_free(&notify);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_is_told_in_one_message),
		cmocka_unit_test(watchdog_is_fed_twice_a_period_until_the_end),
		cmocka_unit_test(watchdog_of_another_process_or_without_sense_is_not_fed),
		cmocka_unit_test(without_a_manager_nothing_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
