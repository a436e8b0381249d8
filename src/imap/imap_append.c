/* APPEND: a message to the server as a literal, streamed with back-pressure
 * (RFC 3501 §6.3.11, literal8 RFC 3516 §4.4, APPENDUID RFC 4315 §3).
 * SPDX-License-Identifier: MIT */
#include "syncd/imap.h"
#include "syncd/must.h"

#include "imap_private.h"

#define APPEND_CHUNK (32 * 1024)

static struct imap_append *append_of(struct imap_command *command)
{
	return container_of(command, struct imap_append, command);
}

/* Reads and sends one chunk. Returns the write's result, or negative. */
static int append_chunk(struct imap_append *append)
{
	struct imap_command *command = &append->command;
	uint64_t left = append->size_bytes - append->sent;
	char chunk[APPEND_CHUNK];
	size_t len = 0;

	int rc = append->read(append, chunk, left < sizeof(chunk) ? (size_t)left : sizeof(chunk),
			      &len);
	if (rc < 0)
		return error_set(&command->err, rc, "the message could not be read");
	if (len == 0)
		return error_set(&command->err, SYNCD_EMESSAGE,
				 "the message is shorter than it was");
	append->sent += len;
	return (int)stream_write(command->session->stream, (struct slice){ chunk, len });
}

static int append_body(struct imap_command *command)
{
	struct imap_append *append = append_of(command);

	while (append->sent < append->size_bytes) {
		int rc = append_chunk(append);
		if (rc < 0)
			return rc;
		if (rc == STREAM_FULL)
			return 0;
	}
	return 1;
}

/* [APPENDUID 38505 3955] */
static void append_tagged(struct imap_command *command, const struct imap_response *response)
{
	struct imap_append *append = append_of(command);
	const struct imap_arg *args = response->code_args;
	uint64_t uidvalidity;
	uint64_t uid;

	if (response->condition != IMAP_OK || !slice_equals_str(response->code, "APPENDUID") ||
	    !imap_arg_number(args, &uidvalidity) || uidvalidity > UINT32_MAX ||
	    !imap_arg_number(args->next, &uid) || uid > UINT32_MAX)
		return;
	append->uidvalidity = imap_quirk_uidvalidity((uint32_t)uidvalidity);
	append->uid = (uint32_t)uid;
}

static const struct imap_command_type append_type = {
	.name = "APPEND",
	.refused = SYNCD_EMESSAGE,
	.body = append_body,
	.tagged = append_tagged,
};

void imap_append_start(struct imap_session *session, struct imap_append *append,
		       imap_command_done done)
{
	struct imap_write *write = &append->command.write;

	append->uid = 0;
	append->uidvalidity = 0;
	append->sent = 0;
	imap_command_init(session, &append->command, &append_type, done);
	imap_write_text(write, "APPEND ");
	imap_write_string(write, append->mailbox);
	imap_write_text(write, " ");
	imap_write_flags(write, append->keywords, append->flags);
	imap_write_text(write, " ");
	imap_write_date(write, append->internaldate_s);
	imap_write_text(write, " ");
	imap_write_body(write, append->size_bytes, append->has_nul);
	imap_command_start(&append->command);
}
