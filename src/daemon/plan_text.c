/* A plan for people: one line an action (--dry-run, syncctl plan).
 * SPDX-License-Identifier: MIT */
#include "syncd/account.h"

#include "syncd/buf.h"

#define PLAN_LINE_MAX 16384

static void add_flags(struct buf *line, const char *sign, const struct keyword_table *keywords,
		      uint64_t flags)
{
	if (flags == 0)
		return;
	(void)buf_printf(line, " %s(", sign);
	(void)flags_format_imap(keywords, flags, line);
	(void)buf_add_char(line, ')');
}

static void format_action(struct buf *line, const char *mailbox, const struct sync_action *action,
			  const struct keyword_table *keywords)
{
	switch (action->kind) {
	case SYNC_FETCH:
		(void)buf_printf(line, "fetch %s uid %u", mailbox, action->uid);
		add_flags(line, "", keywords, action->flags);
		break;
	case SYNC_APPEND:
		(void)buf_printf(line, "send %s %s", mailbox, action->name);
		add_flags(line, "", keywords, action->flags);
		break;
	case SYNC_STORE:
	case SYNC_SET_FLAGS:
		(void)buf_printf(line, "flags %s uid %u %s", mailbox, action->uid,
				 action->kind == SYNC_STORE ? "on the server" : "in the maildir");
		add_flags(line, "+", keywords, action->add);
		add_flags(line, "-", keywords, action->remove);
		break;
	case SYNC_EXPUNGE:
		(void)buf_printf(line, "delete %s uid %u on the server", mailbox, action->uid);
		break;
	case SYNC_REMOVE:
		(void)buf_printf(line, "delete %s uid %u in the maildir", mailbox, action->uid);
		break;
	case SYNC_AGREE:
	case SYNC_FORGET:
		break; /* the state's own business */
	}
}

void plan_text(const char *mailbox, const struct sync_plan *plan,
	       const struct keyword_table *keywords, void (*add)(void *context, const char *line),
	       void *context)
{
	struct buf line;

	buf_init(&line, PLAN_LINE_MAX);
	for (size_t i = 0; i < plan->count; i++) {
		buf_reset(&line);
		format_action(&line, mailbox, &plan->actions[i], keywords);
		if (line.len > 0)
			add(context, buf_str(&line));
	}
	buf_free(&line);
}
