/* UID and flags of every message, or of those that changed since a modseq: UID FETCH 1:* (RFC 3501
 * §6.4.8, RFC 7162 §3.1.4.1).
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static bool listing_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_listing *listing = container_of(command, struct imap_listing, command);
	uint32_t uid = imap_fetch_uid(response);
	uint64_t flags;

	if (!slice_equals_str(response->name, "FETCH"))
		return false;
	if (response->is_damaged)
		listing->is_damaged = true;
	if (response->is_damaged || uid == 0 ||
	    !imap_fetch_flags(command->session, response, &flags))
		return false;
	listing->found(listing, uid, flags);
	return true;
}

/* A server may list the highest UIDs only (MESSAGELIMIT, RFC 9738). */
static void listing_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_listing *listing = container_of(command, struct imap_listing, command);

	if (!imap_reply_goes_on(response, &listing->highest))
		listing->is_damaged = true;
}

static const struct imap_command_type listing_type = {
	.name = "FETCH",
	.untagged = listing_untagged,
	.tagged = listing_tagged,
};

static void listing_next(struct imap_session *session, struct imap_listing *listing);

static void listing_done(struct imap_command *command, int code)
{
	struct imap_listing *listing = container_of(command, struct imap_listing, command);

	if (code == 0 && listing->highest > 0)
		listing_next(command->session, listing);
	else
		listing->done(command, code);
}

static void listing_next(struct imap_session *session, struct imap_listing *listing)
{
	struct imap_write *write = &listing->command.write;

	imap_command_init(session, &listing->command, &listing_type, listing_done);
	imap_write_text(write, "UID FETCH ");
	imap_write_uids_up_to(write, listing->highest);
	imap_write_text(write, " (UID FLAGS)");
	if (listing->changed_since != 0)
		imap_write_printf(write, " (CHANGEDSINCE %" PRIu64 ")", listing->changed_since);
	imap_command_start(&listing->command);
}

void imap_listing_start(struct imap_session *session, struct imap_listing *listing,
			imap_command_done done)
{
	listing->is_damaged = false;
	listing->done = done;
	listing->highest = UINT32_MAX;
	listing_next(session, listing);
}
