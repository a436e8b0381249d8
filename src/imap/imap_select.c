/* SELECT (RFC 3501 §6.3.1), with what the state knows where the server can tell what
 * changed since (RFC 7162 §3.1.8, §3.2.5).
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

static bool select_untagged(struct imap_command *command, const struct imap_response *response)
{
	(void)command;
	return slice_equals_str(response->name, "EXISTS") ||
	       slice_equals_str(response->name, "RECENT") ||
	       slice_equals_str(response->name, "FLAGS");
}

static void select_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_mailbox *mailbox = &command->session->mailbox;

	if (response->condition != IMAP_OK) {
		*mailbox = (struct imap_mailbox){ 0 };
		buf_reset(&command->session->selected);
		return;
	}
	imap_mailbox_take_code(command->session, response);
	/* Without PERMANENTFLAGS all flags can be stored (RFC 3501 §6.3.1). */
	if (!mailbox->has_permanent_flags)
		mailbox->flags_mask = UINT64_MAX;
	mailbox->is_selected = true;
}

static const struct imap_command_type select_type = {
	.name = "SELECT",
	.is_exclusive = true,
	.untagged = select_untagged,
	.tagged = select_tagged,
};

static void write_parameter(struct imap_session *session, const struct imap_select *select,
			    struct imap_write *write)
{
	if (imap_session_has_qresync(session)) {
		if (select->known_uidvalidity != 0 && select->known_modseq != 0)
			imap_write_printf(write, " (QRESYNC (%" PRIu32 " %" PRIu64 "))",
					  select->known_uidvalidity, select->known_modseq);
	} else if (imap_session_can(session, IMAP_CAP_CONDSTORE)) {
		imap_write_text(write, " (CONDSTORE)");
	}
}

void imap_select_start(struct imap_session *session, struct imap_select *select,
		       imap_command_done done)
{
	struct imap_write *write = &select->command.write;

	session->mailbox =
		(struct imap_mailbox){ .keywords = select->keywords, .user = select->user };
	buf_reset(&session->selected);
	int rc = buf_add(&session->selected, select->name.data, select->name.len);
	must(rc == 0);
	imap_command_init(session, &select->command, &select_type, done);
	imap_write_text(write, "SELECT ");
	imap_write_string(write, select->name);
	write_parameter(session, select, write);
	imap_command_start(&select->command);
}

/* --- UNSELECT --------------------------------------------------------------------- */

static void unselect_done(struct imap_command *command, int code)
{
	struct imap_unselect *unselect = container_of(command, struct imap_unselect, command);

	unselect->done(unselect, code);
}

static void unselect_tagged(struct imap_command *command, const struct imap_response *response)
{
	if (response->condition == IMAP_OK)
		buf_reset(&command->session->selected);
}

static const struct imap_command_type unselect_type = {
	.name = "UNSELECT",
	.tagged = unselect_tagged,
};
static const struct imap_command_type close_type = { .name = "CLOSE", .tagged = unselect_tagged };

/* Only what was opened by EXAMINE is closed without removing what is marked; a mailbox that could
 * not be is not selected any more (RFC 3501 §6.3.1). */
static void examine_done(struct imap_command *command, int code)
{
	struct imap_unselect *unselect = container_of(command, struct imap_unselect, command);

	if (code < 0) {
		unselect->done(unselect, imap_session_is_over(command->session) ? code : 0);
		return;
	}
	imap_command_init(command->session, command, &close_type, unselect_done);
	imap_write_text(&command->write, "CLOSE");
	imap_command_start(command);
}

static void examine_tagged(struct imap_command *command, const struct imap_response *response)
{
	if (response->condition != IMAP_OK)
		buf_reset(&command->session->selected);
}

static const struct imap_command_type examine_type = {
	.name = "EXAMINE",
	.is_exclusive = true,
	.untagged = select_untagged,
	.tagged = examine_tagged,
};

void imap_unselect_start(struct imap_session *session, struct imap_unselect *unselect)
{
	struct imap_command *command = &unselect->command;

	must(session->mailbox.keywords == NULL);
	if (imap_session_can(session, IMAP_CAP_UNSELECT)) {
		imap_command_init(session, command, &unselect_type, unselect_done);
		imap_write_text(&command->write, "UNSELECT");
	} else {
		imap_command_init(session, command, &examine_type, examine_done);
		imap_write_text(&command->write, "EXAMINE ");
		imap_write_string(&command->write, buf_slice(&session->selected));
	}
	imap_command_start(command);
}
