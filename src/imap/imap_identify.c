/* Who a message is without its body: five header fields, size and flags, in
 * one FETCH (RFC 3501 §6.4.5); or what the server itself knows it by.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "syncd/header.h"
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

#define IDENTIFY_HEADER_MAX (1024 * 1024) /* bytes of the five fields of one message */
#define IDENTIFY_ITEMS " (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (" IDENTITY_FIELDS ")])"

#define OBJECTID_MAX 255 /* RFC 8474 §7 */
#define EMAILID_ITEMS " (UID RFC822.SIZE EMAILID)"
#define GMAIL_ITEMS " (UID RFC822.SIZE X-GM-MSGID)"
#define SIZE_ITEMS " (UID RFC822.SIZE)"

static struct imap_identify *identify_of(struct imap_command *command)
{
	return container_of(command, struct imap_identify, command);
}

static bool is_header_section(struct slice section)
{
	static const char start[] = "BODY[HEADER.FIELDS";

	return section.len >= sizeof(start) - 1 &&
	       slice_case_equals_str((struct slice){ section.data, sizeof(start) - 1 }, start);
}

static int identify_literal_begin(struct imap_command *command, uint32_t sequence, uint32_t uid,
				  struct slice section, uint64_t size_bytes)
{
	struct imap_identify *identify = identify_of(command);

	(void)sequence;
	(void)uid;
	(void)size_bytes;
	if (!is_header_section(section))
		return 0;
	buf_reset(&identify->header);
	identify->has_header = true;
	return 1;
}

/* What passes the limit is left out, at the end of a header that no one writes by hand. */
static void identify_literal_data(struct imap_command *command, struct slice data)
{
	(void)buf_add(&identify_of(command)->header, data.data, data.len);
}

static int take_field(void *context, const struct header_field *field)
{
	identity_add_field(context, field->name, field->body);
	return 0;
}

static void digest_of(struct slice header, struct digest *out)
{
	struct header_scanner scanner;
	struct identity identity;
	size_t used;

	identity_init(&identity);
	header_scanner_init(&scanner, take_field, &identity);
	(void)header_scanner_feed(&scanner, header, &used);
	(void)header_scanner_end(&scanner);
	identity_digest(&identity, out);
	header_scanner_free(&scanner);
	identity_free(&identity);
}

/* The section's arguments: "BODY[HEADER.FIELDS (...)]", as each server likes to write it. */
static bool find_header_text(const struct imap_response *response, struct slice *text)
{
	for (const struct imap_arg *arg = response->args->child; arg != NULL && arg->next != NULL;
	     arg = arg->next->next) {
		if (arg->kind == IMAP_ATOM && is_header_section(arg->text))
			return imap_arg_text(arg->next, text);
	}
	return false;
}

static bool identify_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_identify *identify = identify_of(command);
	uint32_t uid = imap_fetch_uid(response);
	struct digest digest;
	struct slice header;
	uint64_t size_bytes;
	uint64_t flags = 0;

	/* A header belongs to the response it came in, whatever else that one lacks. */
	bool has_header = identify->has_header;
	identify->has_header = false;
	if (!imap_arg_number(imap_fetch_item(response, "RFC822.SIZE"), &size_bytes))
		return false;
	header = buf_slice(&identify->header);
	if (!has_header && !find_header_text(response, &header))
		return false;
	if (uid == 0 || !uidset_contains(identify->uids, uid))
		return false;
	(void)imap_fetch_flags(command->session, response, &flags);
	digest_of(header, &digest);
	identify->found(identify, uid, &digest, size_bytes, flags);
	return true;
}

/* EMAILID (M6d99ac3275bb4e): case counts (RFC 8474 §7). X-GM-MSGID is a number. The item's name
 * goes in, so that a server that begins to know the other does not tell the same of two messages.
 */
static bool read_email_id(const struct imap_response *response, uint64_t *email_id)
{
	const struct imap_arg *emailid = imap_fetch_item(response, "EMAILID");
	const struct imap_arg *gmail = imap_fetch_item(response, "X-GM-MSGID");
	const struct imap_arg *arg = gmail;
	char text[OBJECTID_MAX + 16];
	struct slice id;

	if (emailid != NULL && emailid->kind == IMAP_LIST)
		arg = emailid->child;
	if (!imap_arg_text(arg, &id) || id.len == 0 || id.len > OBJECTID_MAX)
		return false;
	int len = snprintf(text, sizeof(text), "%s %.*s", arg == gmail ? "X-GM-MSGID" : "EMAILID",
			   (int)id.len, id.data);
	must(len > 0 && (size_t)len < sizeof(text));
	*email_id = digest_number((struct slice){ text, (size_t)len });
	return *email_id != 0;
}

static bool has_email_ids(const struct imap_session *session)
{
	return (session->capabilities & (IMAP_CAP_EMAILID | IMAP_CAP_GMAIL)) != 0;
}

static bool email_id_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_identify *identify = identify_of(command);
	uint32_t uid = imap_fetch_uid(response);
	uint64_t size_bytes;
	uint64_t email_id = 0;

	if (!imap_arg_number(imap_fetch_item(response, "RFC822.SIZE"), &size_bytes) ||
	    (!read_email_id(response, &email_id) && has_email_ids(command->session)) ||
	    !uidset_contains(identify->uids, uid))
		return false;
	identify->found_email_id(identify, uid, email_id, size_bytes);
	return true;
}

/* A server may answer for the highest UIDs only (MESSAGELIMIT, RFC 9738). */
static void identify_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_identify *identify = identify_of(command);

	if (!imap_reply_goes_on(response, &identify->unanswered))
		identify->is_torn = true;
}

static const struct imap_command_type identify_type = {
	.name = "FETCH",
	.refused = SYNCD_EMESSAGE,
	.untagged = identify_untagged,
	.tagged = identify_tagged,
	.literal_begin = identify_literal_begin,
	.literal_data = identify_literal_data,
};

static const struct imap_command_type email_id_type = {
	.name = "FETCH",
	.refused = SYNCD_EMESSAGE,
	.untagged = email_id_untagged,
	.tagged = identify_tagged,
};

static void identify_next(struct imap_identify *identify);

static void identify_finish(struct imap_identify *identify, int code)
{
	buf_free(&identify->header);
	uidset_free(&identify->left);
	identify->done(identify, code);
}

static void identify_done(struct imap_command *command, int code)
{
	struct imap_identify *identify = identify_of(command);

	if (code == 0 && identify->is_torn)
		code = error_set(&command->err, SYNCD_ESERVER,
				 "the server answers for some of the messages only");
	if (code < 0) {
		identify->err = command->err;
		identify_finish(identify, code);
		return;
	}
	int rc = uidset_remove_range(&identify->left, identify->unanswered + 1, identify->asked);
	must(rc == 0); /* no range is cut in two: `asked` ends one */
	identify_next(identify);
}

static const char *email_id_items(const struct imap_session *session)
{
	if ((session->capabilities & IMAP_CAP_EMAILID) != 0)
		return EMAILID_ITEMS;
	return (session->capabilities & IMAP_CAP_GMAIL) != 0 ? GMAIL_ITEMS : SIZE_ITEMS;
}

static void identify_next(struct imap_identify *identify)
{
	struct imap_command *command = &identify->command;
	const struct imap_command_type *type = &email_id_type;
	const char *items = email_id_items(command->session);
	struct uidset_place place = { 0 };

	if (uidset_is_empty(&identify->left)) {
		identify_finish(identify, 0);
		return;
	}
	if (identify->found != NULL) {
		items = IDENTIFY_ITEMS;
		type = &identify_type;
	}
	imap_command_init(command->session, command, type, identify_done);
	imap_write_text(&command->write, "UID FETCH ");
	/* Not by number: the set may be "all from here on", of which few are there. */
	(void)imap_write_uids(&command->write, &identify->left, &place, strlen(items) + 1,
			      UINT64_MAX);
	imap_write_text(&command->write, items);
	identify->asked = identify->left.ranges[place.range - 1].high;
	identify->unanswered = identify->asked;
	imap_command_start(command);
}

static void identify_turn(struct loop_defer *defer)
{
	identify_next(container_of(defer, struct imap_identify, defer));
}

void imap_identify_start(struct imap_session *session, struct imap_identify *identify)
{
	error_clear(&identify->err);
	identify->command.session = session;
	identify->has_header = false;
	identify->is_torn = false;
	uidset_init(&identify->left);
	int rc = uidset_merge(&identify->left, identify->uids);
	must(rc == 0); /* a copy is no longer */
	identify->defer = (struct loop_defer){ 0 };
	buf_init(&identify->header, IDENTIFY_HEADER_MAX);
	loop_defer(session->settings.loop, &identify->defer, identify_turn);
}
