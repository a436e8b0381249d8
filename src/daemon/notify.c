/* sd_notify(3)'s datagrams to the service manager.
 * SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* MSG_DONTWAIT, SOCK_CLOEXEC */

#include "syncd/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define WATCHDOG_PERIOD_MAX_US (24u * 3600u * UINT64_C(1000000)) /* an absurd wish is cut */

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_len;
	struct loop_timer watchdog;
	uint64_t watchdog_ms;
};

static void notify_send(struct notify *notify, const char *text)
{
	if (notify->fd < 0)
		return;
	ssize_t sent = sendto(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
			      (const struct sockaddr *)&notify->address, notify->address_len);
	if (sent < 0)
		log_debug(NULL, "the service manager was not told: %s", strerror(errno));
}

/* A path, or with '@' a name in Linux's abstract namespace. */
static void notify_open(struct notify *notify, const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2 ||
	    len >= sizeof(notify->address.sun_path)) {
		log_debug(NULL, "NOTIFY_SOCKET is not understood: %s", path);
		return;
	}
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, path, len);
	if (path[0] == '@')
		notify->address.sun_path[0] = '\0';
	else
		len++;
	notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		log_debug(NULL, "no socket to the service manager: %s", strerror(errno));
}

/* A positive decimal number, or 0. */
static uint64_t number_of(const char *text)
{
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' ? value : 0;
}

static void watchdog_fired(struct loop_timer *timer)
{
	struct notify *notify = container_of(timer, struct notify, watchdog);

	notify_send(notify, "WATCHDOG=1");
	loop_timer_start(timer, notify->watchdog_ms);
}

static void watchdog_start(struct notify *notify)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t period_us = number_of(getenv("WATCHDOG_USEC"));

	if (period_us == 0 || (pid != NULL && number_of(pid) != (uint64_t)getpid()))
		return;
	if (period_us > WATCHDOG_PERIOD_MAX_US)
		period_us = WATCHDOG_PERIOD_MAX_US;
	notify->watchdog_ms = period_us / 2000;
	if (notify->watchdog_ms == 0)
		notify->watchdog_ms = 1;
	loop_timer_start(&notify->watchdog, notify->watchdog_ms);
}

struct notify *notify_new(struct loop *loop)
{
	struct notify *notify = xcalloc(1, sizeof(*notify));
	const char *path = getenv("NOTIFY_SOCKET");

	notify->fd = -1;
	loop_timer_init(loop, &notify->watchdog, watchdog_fired);
	if (path != NULL)
		notify_open(notify, path);
	if (notify->fd >= 0)
		watchdog_start(notify);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return notify;
}

void notify_ready(struct notify *notify)
{
	notify_send(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
	char text[64];
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	uint64_t now_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_us);
	notify_send(notify, text);
}

void notify_status(struct notify *notify, const char *format, ...)
{
	char text[sizeof("STATUS=") + NOTIFY_STATUS_MAX] = "STATUS=";
	char *status = text + strlen(text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(status, NOTIFY_STATUS_MAX + 1, format, args);
	va_end(args);
	/* A newline would begin another assignment. */
	for (char *c = status; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == '\x7f')
			*c = '?';
	}
	notify_send(notify, text);
}

void notify_stopping(struct notify *notify)
{
	notify_send(notify, "STOPPING=1");
}

void notify_free(struct notify **notify)
{
	if (*notify == NULL)
		return;
	loop_timer_stop(&(*notify)->watchdog);
	if ((*notify)->fd >= 0)
		(void)close((*notify)->fd);
	free(*notify);
	*notify = NULL;
}
