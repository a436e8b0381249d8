/* Where the user's own mailboxes are: NAMESPACE (RFC 2342), or the separator
 * that LIST tells (RFC 3501 §6.3.8) on servers without it.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "imap_private.h"

static void take_separator(struct imap_session *session, const struct imap_arg *arg)
{
	struct slice text;

	session->separator = imap_arg_text(arg, &text) && text.len == 1 ? text.data[0] : '\0';
}

/* The first of the personal namespaces; the others are rare and mean nothing to us. */
static bool namespace_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_session *session = command->session;
	struct slice prefix;

	if (!slice_equals_str(response->name, "NAMESPACE"))
		return false;
	if (response->args == NULL || response->args->kind != IMAP_LIST ||
	    response->args->child == NULL || response->args->child->kind != IMAP_LIST)
		return true;
	const struct imap_arg *arg = response->args->child->child;
	if (!imap_arg_text(arg, &prefix) || prefix.len >= IMAP_PREFIX_MAX)
		return true;
	memcpy(session->prefix, prefix.data, prefix.len);
	session->prefix[prefix.len] = '\0';
	take_separator(session, arg->next);
	return true;
}

/* * LIST (\Noselect) "/" "" */
static bool separator_untagged(struct imap_command *command, const struct imap_response *response)
{
	if (!slice_equals_str(response->name, "LIST") || response->args == NULL)
		return false;
	take_separator(command->session, response->args->next);
	return true;
}

static const struct imap_command_type namespace_type = {
	.name = "NAMESPACE",
	.untagged = namespace_untagged,
};

static const struct imap_command_type separator_type = {
	.name = "LIST",
	.untagged = separator_untagged,
};

void imap_namespace_start(struct imap_session *session, struct imap_command *command,
			  imap_command_done done)
{
	imap_command_init(session, command, &namespace_type, done);
	imap_write_text(&command->write, "NAMESPACE");
	imap_command_start(command);
}

void imap_separator_start(struct imap_session *session, struct imap_command *command,
			  imap_command_done done)
{
	imap_command_init(session, command, &separator_type, done);
	imap_write_text(&command->write, "LIST \"\" \"\"");
	imap_command_start(command);
}
