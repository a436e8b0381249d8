/* What is in the maildrop: STAT, LIST and UIDL (RFC 1939 §5, §7).
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "pop3_private.h"

/* --- STAT --- */

static void stat_accepted(struct pop3_command *command, const struct pop3_asked *asked,
			  const struct pop3_status *status)
{
	struct pop3_stat *stat = container_of(command, struct pop3_stat, command);

	(void)asked;
	if (!pop3_line_drop(status->text, &stat->count, &stat->size_bytes))
		(void)error_set(&command->err, SYNCD_EPROTO,
				"the server's answer to STAT is not count and size");
}

static const struct pop3_command_type stat_type = { .name = "STAT", .accepted = stat_accepted };

void pop3_stat_start(struct pop3_session *session, struct pop3_stat *stat, pop3_command_done done)
{
	stat->count = 0;
	stat->size_bytes = 0;
	pop3_command_start(session, &stat->command, &stat_type, done);
}

/* --- LIST, UIDL --- */

static struct pop3_listing *listing_of(struct pop3_command *command)
{
	return container_of(command, struct pop3_listing, command);
}

/* An answer that never ends. An empty line counts, too. */
static bool is_too_long(struct pop3_listing *listing, struct slice line)
{
	struct error err;

	listing->bytes += line.len + 32;
	if (listing->bytes <= POP3_LISTING_MAX)
		return false;
	(void)error_set(&err, SYNCD_ELIMIT, "the server's answer to %s does not come to an end",
			listing->command.type->name);
	pop3_session_fail(listing->command.session, &err);
	return true;
}

static void list_line(struct pop3_command *command, struct slice line)
{
	struct pop3_listing *listing = listing_of(command);
	uint64_t size_bytes;
	uint32_t number;

	if (is_too_long(listing, line))
		return;
	if (pop3_line_scan(line, &number, &size_bytes))
		listing->sized(listing, number, size_bytes);
	else
		listing->is_damaged = true;
}

static void uidl_line(struct pop3_command *command, struct slice line)
{
	struct pop3_listing *listing = listing_of(command);
	struct slice uid;
	uint32_t number;

	if (is_too_long(listing, line))
		return;
	if (pop3_line_unique_id(line, &number, &uid))
		listing->named(listing, number, uid);
	else
		listing->is_damaged = true;
}

static const struct pop3_command_type list_type = {
	.name = "LIST",
	.follows = POP3_FOLLOWS_LINES,
	.line = list_line,
};

static const struct pop3_command_type uidl_type = {
	.name = "UIDL",
	.follows = POP3_FOLLOWS_LINES,
	.line = uidl_line,
};

static void listing_start(struct pop3_session *session, struct pop3_listing *listing,
			  const struct pop3_command_type *type, pop3_command_done done)
{
	listing->is_damaged = false;
	listing->bytes = 0;
	pop3_command_start(session, &listing->command, type, done);
}

void pop3_list_start(struct pop3_session *session, struct pop3_listing *listing,
		     pop3_command_done done)
{
	listing_start(session, listing, &list_type, done);
}

void pop3_uidl_start(struct pop3_session *session, struct pop3_listing *listing,
		     pop3_command_done done)
{
	listing_start(session, listing, &uidl_type, done);
}
