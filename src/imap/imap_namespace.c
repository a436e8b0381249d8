/* Whose mailboxes are where: NAMESPACE (RFC 2342), or the separator that LIST tells (RFC 3501
 * §6.3.8) on servers without it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"

#include "imap_private.h"

static char separator_of(const struct imap_arg *arg)
{
	struct slice text;

	return imap_arg_text(arg, &text) && text.len == 1 ? text.data[0] : '\0';
}

void imap_namespace_forget(struct imap_session *session)
{
	for (size_t i = 0; i < session->namespace_count; i++)
		free(session->namespaces[i].prefix);
	free(session->namespaces);
	session->namespaces = NULL;
	session->namespace_count = session->namespace_cap = 0;
}

static void take_first(struct imap_session *session, struct slice prefix, char separator)
{
	memcpy(session->prefix, prefix.data, prefix.len);
	session->prefix[prefix.len] = '\0';
	session->separator = separator;
}

static void take_further(struct imap_session *session, struct slice prefix, char separator,
			 bool is_personal)
{
	if (session->namespace_count == IMAP_NAMESPACES_MAX)
		return;
	session->namespaces = xgrow(session->namespaces, session->namespace_count,
				    &session->namespace_cap, sizeof(*session->namespaces));
	session->namespaces[session->namespace_count++] = (struct imap_namespace){
		.prefix = xstrndup(prefix.data, prefix.len),
		.separator = separator,
		.is_personal = is_personal,
	};
}

/* (("INBOX." ".")("#mh/" "/")), or NIL */
static void take_list(struct imap_session *session, const struct imap_arg *list, bool is_personal)
{
	bool is_first = is_personal;
	struct slice prefix;

	if (list == NULL || list->kind != IMAP_LIST)
		return;
	for (const struct imap_arg *one = list->child; one != NULL; one = one->next) {
		if (one->kind != IMAP_LIST || !imap_arg_text(one->child, &prefix) ||
		    prefix.len >= IMAP_PREFIX_MAX ||
		    (prefix.len > 0 && memchr(prefix.data, '\0', prefix.len) != NULL))
			continue;
		if (is_first)
			take_first(session, prefix, separator_of(one->child->next));
		else
			take_further(session, prefix, separator_of(one->child->next), is_personal);
		is_first = false;
	}
}

/* * NAMESPACE (("" "/")) (("user/" "/")) (("shared/" "/")): ours, other users', shared ones. */
static bool namespace_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_session *session = command->session;
	const struct imap_arg *list = response->args;

	if (!slice_equals_str(response->name, "NAMESPACE"))
		return false;
	imap_namespace_forget(session);
	take_list(session, list, true);
	for (int i = 0; i < 2 && list != NULL; i++) {
		list = list->next;
		take_list(session, list, false);
	}
	return true;
}

/* * LIST (\Noselect) "/" "" */
static bool separator_untagged(struct imap_command *command, const struct imap_response *response)
{
	if (!slice_equals_str(response->name, "LIST") || response->args == NULL)
		return false;
	command->session->separator = separator_of(response->args->next);
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
