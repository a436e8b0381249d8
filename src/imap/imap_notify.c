/* NOTIFY (RFC 5465): the server tells of changes in all mailboxes without being asked.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

/* Nobody may ask for one of the first two without the other, or for the third without both
 * (RFC 5465 §5). */
enum {
	EVENT_NEW = 1 << 0,
	EVENT_EXPUNGE = 1 << 1,
	EVENT_FLAGS = 1 << 2,
	EVENT_NAME = 1 << 3,
};
#define EVENTS_NEEDED (EVENT_NEW | EVENT_EXPUNGE)
#define EVENTS_OF_MESSAGES (EVENTS_NEEDED | EVENT_FLAGS)

static const struct {
	const char *name;
	unsigned event;
} events[] = {
	{ "MessageNew", EVENT_NEW },
	{ "MessageExpunge", EVENT_EXPUNGE },
	{ "FlagChange", EVENT_FLAGS },
	{ "MailboxName", EVENT_NAME },
};

static void notify_tell_over(struct imap_notify *notify)
{
	notify->session->notify = NULL;
	notify->done(notify, notify->err.code);
}

/* Not before the NOOP under way, if any, is answered: it lives in the same struct. */
static void notify_finish(struct imap_notify *notify, const struct error *err)
{
	notify->state = IMAP_NOTIFY_OVER;
	loop_timer_stop(&notify->awake);
	notify->err = *err;
	if (notify->noop.state == IMAP_COMMAND_IDLE)
		notify_tell_over(notify);
}

/* --- Staying awake --------------------------------------------------------------- */

static void noop_done(struct imap_command *command, int code)
{
	struct imap_notify *notify = container_of(command, struct imap_notify, noop);

	if (notify->state == IMAP_NOTIFY_OVER)
		notify_tell_over(notify);
	else if (code == 0 && notify->state == IMAP_NOTIFY_LIVE)
		loop_timer_start(&notify->awake, IMAP_IDLE_MS);
}

static void notify_awake(struct loop_timer *timer)
{
	struct imap_notify *notify = container_of(timer, struct imap_notify, awake);

	imap_noop_start(notify->session, &notify->noop, noop_done);
}

/* --- Asking for it ----------------------------------------------------------------- */

static unsigned event_of(const struct imap_arg *arg)
{
	struct slice name;

	for (size_t i = 0; imap_arg_text(arg, &name) && i < ARRAY_LEN(events); i++) {
		if (slice_case_equals_str(name, events[i].name))
			return events[i].event;
	}
	return 0;
}

/* [BADEVENT (MessageNew MessageExpunge)]: all that the server knows (§3.1). */
static void set_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_notify *notify = container_of(command, struct imap_notify, command);
	const struct imap_arg *arg = response->code_args;

	notify->accepted = 0;
	if (!slice_equals_str(response->code, "BADEVENT") || arg == NULL)
		return;
	for (arg = arg->kind == IMAP_LIST ? arg->child : arg; arg != NULL; arg = arg->next)
		notify->accepted |= event_of(arg);
}

static const struct imap_command_type set_type = { .name = "NOTIFY", .tagged = set_tagged };
static const struct imap_command_type none_type = { .name = "NOTIFY" };

static void write_group(struct imap_write *write, const char *mailboxes, unsigned wanted)
{
	const char *between = "";

	imap_write_printf(write, " (%s (", mailboxes);
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if ((wanted & events[i].event) == 0)
			continue;
		imap_write_printf(write, "%s%s", between, events[i].name);
		between = " ";
	}
	imap_write_text(write, "))");
}

static void set_done(struct imap_command *command, int code);

static void set_send(struct imap_notify *notify)
{
	struct imap_write *write = &notify->command.write;

	imap_command_init(notify->session, &notify->command, &set_type, set_done);
	imap_write_text(write, "NOTIFY SET STATUS");
	write_group(write, "selected", notify->events & EVENTS_OF_MESSAGES);
	write_group(write, "personal", notify->events);
	imap_command_start(&notify->command);
}

static void set_done(struct imap_command *command, int code)
{
	struct imap_notify *notify = container_of(command, struct imap_notify, command);
	unsigned left = notify->events & notify->accepted;

	if (code < 0 && left != notify->events && (left & EVENTS_NEEDED) == EVENTS_NEEDED) {
		notify->events = left;
		set_send(notify);
		return;
	}
	if (code == 0 && notify->has_overflown)
		code = error_set(&command->err, SYNCD_EBUSY, "the server gave up telling changes");
	if (code < 0) {
		notify_finish(notify, &command->err);
		return;
	}
	notify->state = IMAP_NOTIFY_LIVE;
	if (notify->is_alone)
		loop_timer_start(&notify->awake, IMAP_IDLE_MS);
	notify->live(notify);
}

void imap_notify_start(struct imap_session *session, struct imap_notify *notify)
{
	must(session->notify == NULL);
	session->notify = notify;
	notify->session = session;
	notify->state = IMAP_NOTIFY_SETTING;
	notify->has_overflown = false;
	notify->events = EVENTS_OF_MESSAGES | EVENT_NAME;
	error_clear(&notify->err);
	loop_timer_init(session->settings.loop, &notify->awake, notify_awake);
	set_send(notify);
}

static void none_done(struct imap_command *command, int code)
{
	(void)code;
	notify_finish(container_of(command, struct imap_notify, command), &command->err);
}

void imap_notify_stop(struct imap_notify *notify)
{
	must(notify->state == IMAP_NOTIFY_LIVE);
	notify->state = IMAP_NOTIFY_ENDING;
	loop_timer_stop(&notify->awake);
	imap_command_init(notify->session, &notify->command, &none_type, none_done);
	imap_write_text(&notify->command.write, "NOTIFY NONE");
	imap_command_start(&notify->command);
}

void imap_notify_over(struct imap_session *session)
{
	struct imap_notify *notify = session->notify;

	if (notify != NULL && notify->state == IMAP_NOTIFY_LIVE)
		notify_finish(notify, &session->err);
}

/* --- What is told -------------------------------------------------------------------- */

/* * STATUS Lists/a (MESSAGES 1 UIDNEXT 2 UNSEEN 1 HIGHESTMODSEQ 2) */
static bool take_status(struct imap_notify *notify, const struct imap_response *response)
{
	struct imap_news news = { .uidvalidity = 0 };

	if (!imap_status_read_news(response, &news))
		return false;
	/* As in SELECT: Yahoo tells one without having CONDSTORE. */
	if (!imap_session_can(notify->session, IMAP_CAP_CONDSTORE))
		news.highestmodseq = 0;
	notify->status(notify, &news);
	return true;
}

static bool name_of(const struct imap_arg *arg, struct slice *name)
{
	return imap_list_name(arg, name) && name->len <= IMAP_NAME_MAX;
}

/* ("OLDNAME" (Old)), behind the name. */
static bool old_name_of(const struct imap_arg *extended, struct slice *name)
{
	struct slice tag;

	if (extended == NULL || extended->kind != IMAP_LIST)
		return false;
	for (const struct imap_arg *item = extended->child; item != NULL && item->next != NULL;
	     item = item->next->next) {
		if (imap_arg_text(item, &tag) && slice_case_equals_str(tag, "OLDNAME") &&
		    item->next->kind == IMAP_LIST)
			return name_of(item->next->child, name);
	}
	return false;
}

/* * LIST () "/" New ("OLDNAME" (Old)) */
static bool take_list(struct imap_notify *notify, const struct imap_response *response)
{
	const struct imap_arg *attributes = response->args;
	struct slice name;
	struct slice old;

	if (attributes == NULL || attributes->kind != IMAP_LIST || attributes->next == NULL ||
	    !name_of(attributes->next->next, &name))
		return false;
	notify->listed(notify, name,
		       !imap_list_has(attributes, "\\NonExistent") &&
			       !imap_list_has(attributes, "\\Noselect") &&
			       !imap_list_has(attributes, "\\NoAccess"));
	if (old_name_of(attributes->next->next->next, &old))
		notify->listed(notify, old, false);
	return true;
}

void imap_notify_take(struct imap_session *session, const struct imap_response *response)
{
	struct imap_notify *notify = session->notify;
	bool is_status = slice_equals_str(response->name, "STATUS");

	if (!is_status && !slice_equals_str(response->name, "LIST"))
		return;
	bool is_read = is_status ? take_status(notify, response) : take_list(notify, response);
	if (!is_read || response->is_damaged)
		notify->lost(notify);
}

/* As if NOTIFY NONE had been received (§5.8). */
static void notify_overflow(struct imap_notify *notify)
{
	struct error err;

	notify->has_overflown = true;
	if (notify->state != IMAP_NOTIFY_LIVE)
		return;
	(void)error_set(&err, SYNCD_EBUSY, "the server gave up telling changes");
	notify_finish(notify, &err);
}

void imap_notify_take_code(struct imap_session *session, const struct imap_response *response)
{
	if (slice_equals_str(response->code, "NOTIFICATIONOVERFLOW"))
		notify_overflow(session->notify);
	else if (response->condition == IMAP_NO)
		/* Dovecot: "* NO NOTIFY error, some events may have got lost" */
		session->notify->lost(session->notify);
}
