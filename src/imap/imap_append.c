/* APPEND: messages to the server as literals, streamed with back-pressure (RFC 3501 §6.3.11, many
 * in one command RFC 3502, literal8 RFC 3516 §4.4, APPENDUID RFC 4315 §3). SPDX-License-Identifier:
 * MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

#define APPEND_CHUNK (32 * 1024)
#define APPEND_UNASKED_MAX (1024 * 1024) /* bytes sent to a server that may refuse them unread */

static struct imap_append *append_of(struct imap_command *command)
{
	return container_of(command, struct imap_append, command);
}

static struct imap_append_message *message_of(struct list *link)
{
	return container_of(link, struct imap_append_message, link);
}

/* --- Sending ---------------------------------------------------------------------- */

/* Reads and sends one chunk. Returns the write's result, or negative. */
static int append_chunk(struct imap_append *append, struct imap_append_message *message)
{
	struct imap_command *command = &append->command;
	uint64_t left = message->size_bytes - append->sent;
	char chunk[APPEND_CHUNK];
	size_t len = 0;

	int rc = message->read(message, chunk, left < sizeof(chunk) ? (size_t)left : sizeof(chunk),
			       &len);
	if (rc < 0)
		return error_set(&command->err, rc, "the message could not be read");
	if (len == 0)
		return error_set(&command->err, SYNCD_EMESSAGE,
				 "the message is shorter than it was");
	append->sent += len;
	return (int)stream_write(command->session->link.stream, (struct slice){ chunk, len });
}

static int append_body(struct imap_command *command)
{
	struct imap_append *append = append_of(command);
	struct imap_append_message *message = message_of(append->sending);

	while (append->sent < message->size_bytes) {
		int rc = append_chunk(append, message);
		if (rc < 0)
			append->unreadable = message;
		if (rc < 0)
			return rc;
		if (rc == STREAM_FULL)
			return 0;
	}
	append->sending = append->sending->next;
	append->sent = 0;
	return 1;
}

/* --- [APPENDUID 38505 3955], [APPENDUID 38505 3955:3957,3960] ------------------------- */

static void hand_out(struct imap_append *append, struct imap_uid_list *uids)
{
	list_for_each(link, &append->messages)
	{
		bool has_more = imap_uid_list_next(uids, &message_of(link)->uid);
		must(has_more);
	}
}

static uint64_t message_count(const struct imap_append *append)
{
	uint64_t count = 0;

	list_for_each(link, &append->messages)
	{
		count++;
	}
	return count;
}

/* UIDs are given in ascending order, to messages in the order they were sent (RFC 4315 §3). In
 * another order they tell nothing that could be relied on; with more or fewer than messages nobody
 * knows which is whose. */
static void append_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_append *append = append_of(command);
	const struct imap_arg *args = response->code_args;
	struct imap_uid_list uids;
	uint64_t uidvalidity;
	struct slice text;

	if (response->condition != IMAP_OK || !slice_equals_str(response->code, "APPENDUID") ||
	    !imap_arg_number(args, &uidvalidity) || uidvalidity > UINT32_MAX ||
	    !imap_arg_text(args->next, &text) || !imap_uid_list_parse(&uids, text))
		return;
	if (uids.is_ascending && uids.uids == message_count(append)) {
		append->uidvalidity = imap_quirk_uidvalidity((uint32_t)uidvalidity);
		hand_out(append, &uids);
	}
	imap_uid_list_free(&uids);
}

/* --- The command ------------------------------------------------------------------- */

static const struct imap_command_type append_type = {
	.name = "APPEND",
	.refused = SYNCD_EMESSAGE,
	.is_upload = true,
	.body = append_body,
	.tagged = append_tagged,
};

/* "A client SHOULD avoid use of non-synchronizing literals when the maximum upload size is unknown"
 * (RFC 7889 §4). For all but large messages a round trip costs more than what may be sent in vain.
 */
static unsigned form_of(const struct imap_append *append, const struct imap_append_message *message)
{
	bool is_limit_known =
		imap_session_limits(append->command.session)->append_bytes != UINT64_MAX;
	unsigned form = message->has_nul ? IMAP_BODY_BINARY : IMAP_BODY_PLAIN;

	if (message->size_bytes > APPEND_UNASKED_MAX && !is_limit_known)
		form |= IMAP_BODY_ASKED;
	return form;
}

static void write_message(struct imap_append *append, struct imap_append_message *message)
{
	struct imap_write *write = &append->command.write;

	message->uid = 0;
	imap_write_text(write, " ");
	imap_write_flags(write, append->keywords, message->flags);
	imap_write_text(write, " ");
	imap_write_date(write, message->internaldate_s);
	imap_write_text(write, " ");
	imap_write_body(write, message->size_bytes, form_of(append, message));
}

void imap_append_start(struct imap_session *session, struct imap_append *append,
		       imap_command_done done)
{
	uint64_t count = message_count(append);

	must(count > 0 && count <= IMAP_APPEND_MESSAGES_MAX);
	append->uidvalidity = 0;
	append->unreadable = NULL;
	append->sending = list_first(&append->messages);
	append->sent = 0;
	imap_command_init(session, &append->command, &append_type, done);
	imap_write_text(&append->command.write, "APPEND ");
	imap_write_string(&append->command.write, append->mailbox);
	list_for_each(link, &append->messages)
	{
		write_message(append, message_of(link));
	}
	imap_command_start(&append->command);
}
