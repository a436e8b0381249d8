/* on_new and on_change: notes are gathered per command, and the commands run one after another.
 * SPDX-License-Identifier: MIT */
#include "syncd/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/buf.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define HOOK_COUNT 2
#define MAILBOXES_NAME "SYNCD_MAILBOXES="

struct hook {
	const char *name;
	char *command;        /* NULL: none */
	struct buf mailboxes; /* MAILBOXES_NAME and what was noted */
	size_t new_messages;
	bool is_noted;
	bool is_due;
	bool has_overflowed;
};

struct hooks {
	struct loop *loop;
	char *account;
	struct hook hook[HOOK_COUNT]; /* on_new, on_change */
	size_t turn;                  /* whose turn it is when both are due */
	struct hook *running;
	struct loop_child child;
	struct loop_timer quiet; /* while noting: until the run; when closing: until the kill */
	struct loop_defer step;
	uint64_t first_note_ms;
	bool is_flushed;
	struct hooks_close *closing;
};

static void hook_reset(struct hook *hook)
{
	buf_reset(&hook->mailboxes);
	must(buf_add_str(&hook->mailboxes, MAILBOXES_NAME) == 0);
	hook->new_messages = 0;
	hook->is_noted = false;
	hook->is_due = false;
	hook->has_overflowed = false;
}

static void hook_init(struct hook *hook, const char *name, const char *command)
{
	hook->name = name;
	hook->command = command != NULL && command[0] != '\0' ? xstrdup(command) : NULL;
	buf_init(&hook->mailboxes, sizeof(MAILBOXES_NAME) + HOOKS_MAILBOXES_MAX);
	hook_reset(hook);
}

/* Whether `name` is one of the lines behind MAILBOXES_NAME. */
static bool hook_has_mailbox(const struct hook *hook, const char *name)
{
	size_t len = strlen(name);
	const char *line = buf_str(&hook->mailboxes) + strlen(MAILBOXES_NAME);

	while (*line != '\0') {
		size_t line_len = strcspn(line, "\n");
		if (line_len == len && memcmp(line, name, len) == 0)
			return true;
		line += line_len + (line[line_len] == '\n');
	}
	return false;
}

static void hook_note(struct hook *hook, const char *name, size_t new_messages)
{
	bool is_first = hook->mailboxes.len == strlen(MAILBOXES_NAME);

	hook->is_noted = true;
	hook->new_messages += new_messages;
	if (hook_has_mailbox(hook, name))
		return;
	if (buf_printf(&hook->mailboxes, "%s%s", is_first ? "" : "\n", name) != 0)
		hook->has_overflowed = true;
}

/* --- Running --------------------------------------------------------------------- */

static void hooks_step(struct loop_defer *defer);

static void hook_done(struct loop_child *child, int code, int status, const char *output,
		      size_t output_len)
{
	struct hooks *hooks = container_of(child, struct hooks, child);
	const char *name = hooks->running->name;

	(void)output;
	(void)output_len;
	hooks->running = NULL;
	if (code == SYNCD_ETIMEOUT)
		log_warn(hooks->account, "%s was killed: it ran for more than %u s", name,
			 HOOKS_RUN_MAX_MS / 1000u);
	else if (code == SYNCD_ECANCELLED)
		log_warn(hooks->account, "%s was killed: syncd is stopping", name);
	else if (status != 0)
		log_warn(hooks->account, "%s: exit status %d", name, status);
	loop_defer(hooks->loop, &hooks->step, hooks_step);
}

static void hook_run(struct hooks *hooks, struct hook *hook)
{
	char *argv[] = { (char *)"sh", (char *)"-c", hook->command, NULL };
	char *account = xasprintf("SYNCD_ACCOUNT=%s", hooks->account);
	char *count = xasprintf("SYNCD_NEW=%zu", hook->new_messages);
	char *env[] = { account, hook->mailboxes.data, count, NULL };
	char text[ERROR_FORMAT_MAX];
	struct error err = { 0 };

	if (hook->has_overflowed)
		log_warn(hooks->account, "%s: SYNCD_MAILBOXES does not name all mailboxes",
			 hook->name);
	log_debug(hooks->account, "%s runs, %zu new", hook->name, hook->new_messages);
	if (loop_child_start(hooks->loop, &hooks->child, argv, env, HOOKS_RUN_MAX_MS, hook_done,
			     &err) == 0)
		hooks->running = hook;
	else
		log_warn(hooks->account, "%s: %s", hook->name,
			 error_format(&err, text, sizeof(text)));
	hook_reset(hook);
	free(account);
	free(count);
}

static void hooks_free(struct hooks *hooks)
{
	loop_timer_stop(&hooks->quiet);
	loop_defer_cancel(&hooks->step);
	for (size_t i = 0; i < HOOK_COUNT; i++) {
		free(hooks->hook[i].command);
		buf_free(&hooks->hook[i].mailboxes);
	}
	free(hooks->account);
	free(hooks);
}

/* Starts the next command that is due; with none left, ends what is closing. */
static void hooks_step(struct loop_defer *defer)
{
	struct hooks *hooks = container_of(defer, struct hooks, step);

	for (size_t i = 0; i < HOOK_COUNT && hooks->running == NULL; i++) {
		struct hook *hook = &hooks->hook[(hooks->turn + i) % HOOK_COUNT];
		if (hook->is_due)
			hook_run(hooks, hook);
		if (hooks->running != NULL)
			hooks->turn = (hooks->turn + i + 1) % HOOK_COUNT;
	}
	if (hooks->running != NULL || hooks->closing == NULL)
		return;
	struct hooks_close *closing = hooks->closing;
	hooks_free(hooks);
	closing->cb(closing);
}

static void hooks_make_due(struct hooks *hooks)
{
	for (size_t i = 0; i < HOOK_COUNT; i++)
		hooks->hook[i].is_due = hooks->hook[i].is_noted;
	loop_defer(hooks->loop, &hooks->step, hooks_step);
}

static void hooks_timer_fired(struct loop_timer *timer)
{
	struct hooks *hooks = container_of(timer, struct hooks, quiet);

	if (hooks->closing != NULL)
		loop_child_cancel(&hooks->child);
	else
		hooks_make_due(hooks);
}

/* --- From outside ------------------------------------------------------------------ */

struct hooks *hooks_new(struct loop *loop, const char *account, const char *on_new,
			const char *on_change)
{
	struct hooks *hooks = xcalloc(1, sizeof(*hooks));

	hooks->loop = loop;
	hooks->account = xstrdup(account);
	hook_init(&hooks->hook[0], "on_new", on_new);
	hook_init(&hooks->hook[1], "on_change", on_change);
	loop_timer_init(loop, &hooks->quiet, hooks_timer_fired);
	return hooks;
}

/* A newline in a name would forge another name. */
static char *line_of(const char *mailbox)
{
	char *line = xstrdup(mailbox);

	for (char *c = line; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == '\x7f')
			*c = '?';
	}
	return line;
}

static void hooks_delay(struct hooks *hooks)
{
	uint64_t now = loop_now_ms(hooks->loop);

	if (!loop_timer_is_armed(&hooks->quiet))
		hooks->first_note_ms = now;
	uint64_t left = hooks->first_note_ms + HOOKS_DELAY_MAX_MS - now;
	if (now >= hooks->first_note_ms + HOOKS_DELAY_MAX_MS)
		left = 0;
	loop_timer_start(&hooks->quiet, left < HOOKS_QUIET_MS ? left : HOOKS_QUIET_MS);
}

void hooks_note(struct hooks *hooks, const char *mailbox, size_t new_messages, bool is_local_change)
{
	struct hook *on_new = &hooks->hook[0];
	struct hook *on_change = &hooks->hook[1];
	bool is_for_new = new_messages > 0 && on_new->command != NULL;
	bool is_for_change = (new_messages > 0 || is_local_change) && on_change->command != NULL;

	must(hooks->closing == NULL);
	if (!is_for_new && !is_for_change)
		return;
	char *line = line_of(mailbox);
	if (is_for_new)
		hook_note(on_new, line, new_messages);
	if (is_for_change)
		hook_note(on_change, line, new_messages);
	free(line);
	hooks_delay(hooks);
}

void hooks_flush(struct hooks *hooks)
{
	loop_timer_stop(&hooks->quiet);
	hooks->is_flushed = true;
	hooks_make_due(hooks);
}

void hooks_close(struct hooks **hooks, struct hooks_close *close, hooks_closed_cb cb)
{
	struct hooks *closing = *hooks;

	*hooks = NULL;
	close->cb = cb;
	closing->closing = close;
	loop_timer_stop(&closing->quiet);
	for (size_t i = 0; i < HOOK_COUNT && !closing->is_flushed; i++)
		closing->hook[i].is_due = false;
	if (closing->running != NULL && !closing->is_flushed)
		loop_timer_start(&closing->quiet, HOOKS_CLOSE_MS);
	loop_defer(closing->loop, &closing->step, hooks_step);
}
