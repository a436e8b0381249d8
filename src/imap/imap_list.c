/* The server's mailboxes: LIST, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 §6.3), and
 * NOOP.
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

bool imap_list_has(const struct imap_arg *attributes, const char *name)
{
	for (const struct imap_arg *arg = attributes->child; arg != NULL; arg = arg->next) {
		if (imap_arg_is(arg, name))
			return true;
	}
	return false;
}

static enum special_use use_of(const struct imap_arg *attributes)
{
	enum special_use use = SPECIAL_USE_NONE;
	struct slice text;

	for (const struct imap_arg *arg = attributes->child; arg != NULL; arg = arg->next) {
		if (imap_arg_text(arg, &text))
			use = special_use_join(use, special_use_of_attribute(text));
	}
	return use;
}

bool imap_list_name(const struct imap_arg *arg, struct slice *name)
{
	if (arg != NULL && arg->kind == IMAP_NIL) {
		*name = arg->text;
		return true;
	}
	return imap_arg_text(arg, name);
}

static struct imap_listed damaged(struct slice name)
{
	if (name.len > IMAP_NAME_MAX)
		name.len = IMAP_NAME_MAX;
	return (struct imap_listed){ .name = name, .is_damaged = true };
}

/* * LIST (\HasNoChildren) "/" INBOX */
static bool list_read(const struct imap_response *response, struct imap_listed *listed)
{
	const struct imap_arg *attributes = response->args;

	listed->is_damaged = false;
	if (attributes == NULL || attributes->kind != IMAP_LIST || attributes->next == NULL ||
	    !imap_list_name(attributes->next->next, &listed->name)) {
		*listed = damaged(SLICE_LITERAL("?"));
		return false;
	}
	if (response->is_damaged || listed->name.len > IMAP_NAME_MAX) {
		*listed = damaged(listed->name);
		return false;
	}
	listed->is_selectable = !imap_list_has(attributes, "\\Noselect") &&
				!imap_list_has(attributes, "\\NonExistent");
	listed->is_subscribed = imap_list_has(attributes, "\\Subscribed");
	listed->use = use_of(attributes);
	return true;
}

static bool list_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_list *list = container_of(command, struct imap_list, command);
	struct imap_listed listed;
	struct imap_told told;
	struct slice name;

	if (slice_equals_str(response->name, "LIST")) {
		(void)list_read(response, &listed);
		list->found(list, &listed);
		return true;
	}
	if (list->wishes == 0 || !slice_equals_str(response->name, "STATUS"))
		return false;
	if (imap_status_read(response, &name, &told))
		list->told(list, name, &told);
	return true;
}

/* * LSUB () "/" Sent: with \Noselect only something below it is (RFC 3501 §6.3.9). */
static bool lsub_untagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_list *list = container_of(command, struct imap_list, command);
	struct imap_listed listed;

	if (!slice_equals_str(response->name, "LSUB"))
		return false;
	if (list_read(response, &listed) && listed.is_selectable) {
		listed.is_subscribed = true;
		list->found(list, &listed);
	}
	return true;
}

static const struct imap_command_type lsub_type = { .name = "LSUB", .untagged = lsub_untagged };
static const struct imap_command_type list_type = { .name = "LIST", .untagged = list_untagged };
static const struct imap_command_type create_type = { .name = "CREATE" };
static const struct imap_command_type delete_type = { .name = "DELETE" };
static const struct imap_command_type rename_type = { .name = "RENAME" };
static const struct imap_command_type subscribe_type = { .name = "SUBSCRIBE" };
static const struct imap_command_type unsubscribe_type = { .name = "UNSUBSCRIBE" };
static const struct imap_command_type noop_type = { .name = "NOOP" };

/* Asked for anything, a server tells what it was asked for and need not tell more (RFC 5258 §3). */
static void list_write_return(struct imap_session *session, const struct imap_list *list,
			      struct imap_write *write)
{
	const char *before = " RETURN (";

	if (list->wants_subscribed) {
		imap_write_printf(write, "%sSUBSCRIBED", before);
		before = " ";
	}
	if (list->wants_use) {
		imap_write_printf(write, "%sSPECIAL-USE", before);
		before = " ";
	}
	if (list->wishes != 0) {
		imap_write_printf(write, "%sSTATUS ", before);
		imap_status_write(session, list->wishes, write);
	}
	if (list->wants_subscribed || list->wants_use || list->wishes != 0)
		imap_write_text(write, ")");
}

void imap_list_start(struct imap_session *session, struct imap_list *list, imap_command_done done)
{
	imap_command_init(session, &list->command, &list_type, done);
	imap_write_text(&list->command.write, "LIST \"\" ");
	imap_write_string(&list->command.write, list->pattern);
	list_write_return(session, list, &list->command.write);
	imap_command_start(&list->command);
}

void imap_lsub_start(struct imap_session *session, struct imap_list *list, imap_command_done done)
{
	imap_command_init(session, &list->command, &lsub_type, done);
	imap_write_text(&list->command.write, "LSUB \"\" \"*\"");
	imap_command_start(&list->command);
}

static void named_start(struct imap_session *session, struct imap_command *command,
			const struct imap_command_type *type, struct slice name,
			imap_command_done done)
{
	imap_command_init(session, command, type, done);
	imap_write_printf(&command->write, "%s ", type->name);
	imap_write_string(&command->write, name);
	imap_command_start(command);
}

void imap_create_start(struct imap_session *session, struct imap_command *command,
		       struct slice name, imap_command_done done)
{
	named_start(session, command, &create_type, name, done);
}

void imap_delete_start(struct imap_session *session, struct imap_command *command,
		       struct slice name, imap_command_done done)
{
	named_start(session, command, &delete_type, name, done);
}

void imap_subscribe_start(struct imap_session *session, struct imap_command *command,
			  struct slice name, imap_command_done done)
{
	named_start(session, command, &subscribe_type, name, done);
}

void imap_unsubscribe_start(struct imap_session *session, struct imap_command *command,
			    struct slice name, imap_command_done done)
{
	named_start(session, command, &unsubscribe_type, name, done);
}

void imap_rename_start(struct imap_session *session, struct imap_command *command,
		       struct slice from, struct slice to, imap_command_done done)
{
	imap_command_init(session, command, &rename_type, done);
	imap_write_text(&command->write, "RENAME ");
	imap_write_string(&command->write, from);
	imap_write_text(&command->write, " ");
	imap_write_string(&command->write, to);
	imap_command_start(command);
}

void imap_noop_start(struct imap_session *session, struct imap_command *command,
		     imap_command_done done)
{
	imap_command_init(session, command, &noop_type, done);
	imap_write_text(&command->write, "NOOP");
	imap_command_start(command);
}
