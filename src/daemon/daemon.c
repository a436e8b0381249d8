/* The daemon: keepers, signals, reload and the orderly end.
 * SPDX-License-Identifier: MIT */
#include "daemon_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

static void daemon_start_keepers(struct daemon *daemon);

/* --- What keepers tell ------------------------------------------------------------- */

static void daemon_tell_status(struct daemon *daemon)
{
	size_t failing = 0;

	for (size_t i = 0; i < daemon->count; i++)
		failing += keeper_error(daemon->keepers[i])->code != 0;
	if (failing > 0)
		notify_status(daemon->notify, "%zu of %zu accounts in trouble", failing,
			      daemon->count);
	else
		notify_status(daemon->notify, "%zu accounts in sync", daemon->count);
}

static void daemon_keeper_changed(struct keeper_user *user, struct keeper *keeper)
{
	struct daemon *daemon = container_of(user, struct daemon, keeper_user);

	(void)keeper;
	if (daemon->phase == DAEMON_RUNNING)
		daemon_tell_status(daemon);
}

static void daemon_keeper_event(struct keeper_user *user, const struct control_event *event)
{
	struct daemon *daemon = container_of(user, struct daemon, keeper_user);

	if (daemon->control != NULL && control_has_subscribers(daemon->control))
		control_emit(daemon->control, event);
}

struct keeper *daemon_find(struct daemon *daemon, const char *account, size_t len)
{
	for (size_t i = 0; i < daemon->count; i++) {
		const char *name = keeper_name(daemon->keepers[i]);
		if (strlen(name) == len && memcmp(name, account, len) == 0)
			return daemon->keepers[i];
	}
	return NULL;
}

/* --- The end ---------------------------------------------------------------------------- */

static void daemon_control_stopped(struct control_user *user)
{
	struct daemon *daemon = container_of(user, struct daemon, control_user);

	daemon->control = NULL;
	network_watch_stop(&daemon->network);
	wakeup_stop(&daemon->wakeup);
	notify_free(&daemon->notify);
	for (size_t i = 0; i < ARRAY_LEN(daemon->signals); i++)
		loop_signal_stop(&daemon->signals[i]);
}

static void daemon_finish_reload(struct daemon *daemon)
{
	struct control_event event = { .kind = CONTROL_EVENT_RELOADED };

	config_free(&daemon->config);
	daemon->config = daemon->next_config;
	daemon->next_config = NULL;
	daemon->phase = DAEMON_RUNNING;
	log_set_level(daemon->config->log_level);
	daemon_start_keepers(daemon);
	notify_ready(daemon->notify);
	daemon_keeper_event(&daemon->keeper_user, &event);
	log_info(NULL, "configuration reloaded");
}

static void daemon_keepers_closed(struct daemon *daemon)
{
	free(daemon->keepers);
	daemon->keepers = NULL;
	daemon->count = 0;
	if (daemon->phase == DAEMON_RELOADING)
		daemon_finish_reload(daemon);
	else
		control_stop(daemon->control, daemon_control_stopped);
}

static void daemon_keeper_closed(void *context)
{
	struct daemon *daemon = context;

	must(daemon->open > 0);
	if (--daemon->open == 0)
		daemon_keepers_closed(daemon);
}

static void daemon_close_keepers(struct daemon *daemon)
{
	daemon->open = daemon->count;
	for (size_t i = 0; i < daemon->count; i++)
		keeper_close(daemon->keepers[i], daemon_keeper_closed, daemon);
}

void daemon_stop(struct daemon *daemon)
{
	bool was_running = daemon->phase == DAEMON_RUNNING;

	if (daemon->phase == DAEMON_STOPPING)
		return;
	daemon->phase = DAEMON_STOPPING;
	notify_stopping(daemon->notify);
	if (was_running)
		daemon_close_keepers(daemon);
}

/* --- Reload --------------------------------------------------------------------------------- */

int daemon_reload(struct daemon *daemon, struct error *err)
{
	char *path = daemon->config_path != NULL ? NULL : config_default_path();
	struct config_faults faults;
	struct config *config = NULL;
	int code = 0;

	if (daemon->phase != DAEMON_RUNNING) {
		free(path);
		return error_set(err, SYNCD_EBUSY, "a reload or the end is under way");
	}
	config = config_load(path != NULL ? path : daemon->config_path, &faults);
	for (size_t i = 0; i < faults.count; i++) {
		char *line = config_fault_format(&faults, i);
		log_error(NULL, "%s", line);
		if (i == 0)
			code = error_set(err, SYNCD_ECONFIG, "%s", line);
		free(line);
	}
	config_faults_free(&faults);
	free(path);
	if (config == NULL)
		return code;
	daemon->phase = DAEMON_RELOADING;
	daemon->next_config = config;
	notify_reloading(daemon->notify);
	daemon_close_keepers(daemon);
	return 0;
}

/* --- Signals and hints --------------------------------------------------------------------------
 */

static void daemon_signal_stop(struct loop_signal *sig, int signum)
{
	daemon_stop(signum == SIGTERM ? container_of(sig, struct daemon, signals[0])
				      : container_of(sig, struct daemon, signals[1]));
}

static void daemon_signal_reload(struct loop_signal *sig, int signum)
{
	struct error err = { 0 };

	(void)signum;
	if (daemon_reload(container_of(sig, struct daemon, signals[2]), &err) != 0)
		log_error(NULL, "the configuration is kept as it was: %s", err.text);
}

static void daemon_wake(struct daemon *daemon, const char *why)
{
	if (daemon->phase != DAEMON_RUNNING)
		return;
	log_info(NULL, "%s: looking at every account", why);
	for (size_t i = 0; i < daemon->count; i++)
		keeper_wake(daemon->keepers[i]);
}

static void daemon_network_changed(struct network_watch *watch)
{
	daemon_wake(container_of(watch, struct daemon, network), "the network changed");
}

static void daemon_woke_up(struct wakeup *wakeup, int64_t slept_s)
{
	(void)slept_s;
	daemon_wake(container_of(wakeup, struct daemon, wakeup), "the machine was suspended");
}

/* --- The beginning
 * --------------------------------------------------------------------------------- */

static void daemon_start_keepers(struct daemon *daemon)
{
	struct config *config = daemon->config;

	daemon->count = config->count;
	daemon->keepers = xcalloc(config->count, sizeof(struct keeper *));
	for (size_t i = 0; i < config->count; i++)
		daemon->keepers[i] = keeper_new(daemon->loop, config, &config->accounts[i],
						&daemon->keeper_user);
}

static int daemon_listen(struct daemon *daemon, const char *socket_path, struct error *err)
{
	char *path =
		socket_path != NULL ? xstrdup(socket_path) : config_socket_path(daemon->config);

	daemon->control_user.ops = &daemon_control_ops;
	daemon->control = control_start(daemon->loop, path, &daemon->control_user, err);
	error_context(err, "control socket %s", path);
	free(path);
	return daemon->control != NULL ? 0 : err->code;
}

static int daemon_catch_signals(struct daemon *daemon, struct error *err)
{
	int code = loop_signal_start(daemon->loop, &daemon->signals[0], SIGTERM, daemon_signal_stop,
				     err);

	if (code == 0)
		code = loop_signal_start(daemon->loop, &daemon->signals[1], SIGINT,
					 daemon_signal_stop, err);
	if (code == 0)
		code = loop_signal_start(daemon->loop, &daemon->signals[2], SIGHUP,
					 daemon_signal_reload, err);
	return code;
}

static int daemon_start(struct daemon *daemon, const char *socket_path, struct error *err)
{
	int code = daemon_listen(daemon, socket_path, err);

	if (code != 0)
		return code;
	code = daemon_catch_signals(daemon, err);
	must(code == 0); /* a signal number is all that could be wrong */
	daemon->notify = notify_new(daemon->loop);
	network_watch_start(daemon->loop, &daemon->network, daemon_network_changed);
	wakeup_start(daemon->loop, &daemon->wakeup, daemon_woke_up);
	daemon->keeper_user.changed = daemon_keeper_changed;
	daemon->keeper_user.event = daemon_keeper_event;
	daemon_start_keepers(daemon);
	notify_ready(daemon->notify);
	return 0;
}

int daemon_run(struct config **config, const char *config_path, const char *socket_path)
{
	struct daemon daemon = { .config = *config, .config_path = config_path };
	struct error err = { 0 };
	char text[ERROR_FORMAT_MAX];
	int status = 0;

	*config = NULL;
	daemon.loop = loop_new();
	daemon.started_ms = loop_now_ms(daemon.loop);
	if (daemon_start(&daemon, socket_path, &err) == 0) {
		loop_run(daemon.loop);
	} else {
		log_error(NULL, "%s", error_format(&err, text, sizeof(text)));
		status = error_exit_status(err.code);
	}
	loop_free(&daemon.loop);
	config_free(&daemon.next_config);
	config_free(&daemon.config);
	return status;
}
