/* What follows a login, all in one flight: who we are (ID, RFC 2971), where the user's mailboxes
 * are, and the extensions that want to be asked for (ENABLE, RFC 5161; COMPRESS, RFC 4978). Any
 * may be refused.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "imap_private.h"

/* * ID ("name" "Cyrus IMAPD" ...). */
static bool id_untagged(struct imap_command *command, const struct imap_response *response)
{
	if (!slice_equals_str(response->name, "ID"))
		return false;
	const struct imap_arg *arg = response->args != NULL && response->args->kind == IMAP_LIST
					     ? response->args->child
					     : NULL;
	for (; arg != NULL && arg->next != NULL; arg = arg->next->next) {
		struct slice key;
		struct slice value;
		if (imap_arg_text(arg, &key) && slice_case_equals_str(key, "name") &&
		    imap_arg_text(arg->next, &value))
			command->session->capabilities &= ~imap_quirk_lacks(value);
	}
	return true;
}

static const struct imap_command_type id_type = { .name = "ID", .untagged = id_untagged };

static void id_start(struct imap_session *session, struct imap_command *command,
		     imap_command_done done)
{
	imap_command_init(session, command, &id_type, done);
	imap_write_text(&command->write,
			"ID (\"name\" \"syncd\" \"version\" \"" SYNCD_VERSION "\")");
	imap_command_start(command);
}

/* * ENABLED QRESYNC. iCloud offers it and never says so (Foundry376/Mailspring-Sync#91): then it
 * is not used, as RFC 7162 §3.2.3 demands. */
static bool enable_untagged(struct imap_command *command, const struct imap_response *response)
{
	if (!slice_equals_str(response->name, "ENABLED"))
		return false;
	for (const struct imap_arg *arg = response->args; arg != NULL; arg = arg->next)
		command->session->has_qresync |= imap_arg_is(arg, "QRESYNC");
	return true;
}

static const struct imap_command_type enable_type = {
	.name = "ENABLE",
	.untagged = enable_untagged,
};

static void enable_start(struct imap_session *session, struct imap_command *command,
			 imap_command_done done)
{
	bool has_qresync = imap_session_can(session, IMAP_CAP_QRESYNC);

	imap_command_init(session, command, &enable_type, done);
	imap_write_text(&command->write, has_qresync ? "ENABLE QRESYNC" : "ENABLE CONDSTORE");
	imap_command_start(command);
}

static void compress_tagged(struct imap_command *command, const struct imap_response *response)
{
	if (response->condition != IMAP_OK)
		return;
	command->session->is_compress_due = true;
	imap_parser_pause(command->session->parser);
}

static const struct imap_command_type compress_type = {
	.name = "COMPRESS",
	.tagged = compress_tagged,
};

/* On loopback bytes cost nothing, and the work is wasted (CONTRACT 2.2). */
static bool wants_compression(const struct imap_session *session)
{
	return session->settings.compress && imap_session_can(session, IMAP_CAP_COMPRESS_DEFLATE) &&
	       !stream_is_loopback(session->link.stream);
}

static void compress_start(struct imap_session *session, struct imap_command *command,
			   imap_command_done done)
{
	imap_command_init(session, command, &compress_type, done);
	imap_write_text(&command->write, "COMPRESS DEFLATE");
	imap_command_start(command);
}

/* NetEase refuses SELECT to those who do not say who they are. */
void imap_introduce_start(struct imap_session *session, imap_command_done done)
{
	struct imap_command *next = session->introductions;

	if (imap_session_can(session, IMAP_CAP_ID))
		id_start(session, next++, done);
	if (imap_session_can(session, IMAP_CAP_NAMESPACE))
		imap_namespace_start(session, next++, done);
	else
		imap_separator_start(session, next++, done);
	if (imap_session_can(session, IMAP_CAP_ENABLE) &&
	    imap_session_can(session, IMAP_CAP_CONDSTORE))
		enable_start(session, next++, done);
	/* The last, as nothing may follow it until it is answered (RFC 4978 §3). */
	if (wants_compression(session))
		compress_start(session, next++, done);
	session->introductions_left = (unsigned)(next - session->introductions);
	must(session->introductions_left <= IMAP_INTRODUCTIONS);
}
