/* The commands that an account runs after new mail and after local changes (CONTRACT 2.2: on_new,
 * on_change). What happens close together makes one run; at most one command of an account runs
 * at a time.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_HOOKS_H
#define SYNCD_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "syncd/loop.h"

#define HOOKS_QUIET_MS 200                   /* a run starts this long after the last note, */
#define HOOKS_DELAY_MAX_MS 2000              /* or this long after the first of them */
#define HOOKS_RUN_MAX_MS (10u * 60u * 1000u) /* then a command is killed */
#define HOOKS_CLOSE_MS 5000                  /* for the running command to end by itself */
#define HOOKS_MAILBOXES_MAX 65536            /* bytes of SYNCD_MAILBOXES; execve has a limit */

struct hooks;

/* Embedded in the struct of whoever closes; stays in place until the callback. */
struct hooks_close;
typedef void (*hooks_closed_cb)(struct hooks_close *close);
struct hooks_close {
	hooks_closed_cb cb;
};

/* `on_new` and `on_change` are commands for `sh -c`, NULL or "" for none. Strings are copied. */
struct hooks *hooks_new(struct loop *loop, const char *account, const char *on_new,
			const char *on_change);

/* Something was done to the local side of `mailbox` (UTF-8, `/` between levels): `new_messages`
 * came, and, or, flags, removals, moves or the mailbox itself changed. New messages are due to
 * on_new, and are a local change as well. With 0 and false nothing happens. Only starts a timer:
 * no command is started inside. After hooks_close nothing is noted any more.
 *
 * The commands see SYNCD_ACCOUNT, SYNCD_MAILBOXES (those noted since the command's last run, one a
 * line, each once; control characters as '?'; a warning tells when they do not all fit) and
 * SYNCD_NEW (the messages that came since). Their output is dropped, stderr is ours. An exit
 * status other than 0 is logged as a warning. */
void hooks_note(struct hooks *hooks, const char *mailbox, size_t new_messages,
		bool is_local_change);

/* What is noted is run without delay, and a hooks_close that follows waits for all of it, as long
 * as the commands may run. For --once. Starts no command inside. */
void hooks_flush(struct hooks *hooks);

/* Ends: what was noted and not flushed is forgotten; the running command may go on for
 * HOOKS_CLOSE_MS and is killed then (after hooks_flush: see there). Calls `cb` once, never inside,
 * with everything freed. *hooks becomes NULL. */
void hooks_close(struct hooks **hooks, struct hooks_close *close, hooks_closed_cb cb);

#endif
