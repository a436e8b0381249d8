/* Uploads to a remote mailbox. Those started in one turn of the loop go out together: many in one
 * APPEND where the server can (MULTIAPPEND, RFC 3502), else as APPENDs one behind another.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "remote_private.h"

/* Of one command: what the server may have to hold until its end, and what a cut leaves open. */
#define APPEND_TOGETHER_BYTES (8u * 1024 * 1024)
/* From this size on a message gains nothing from company, and is likelier to be refused. */
#define APPEND_ALONE_BYTES (1024u * 1024)

/* One request. */
struct append_work {
	struct remote_work work;
	struct remote_append_req *req;
	struct imap_append_message message; /* in box->appends, then in a command */
};

struct append_command {
	struct imap_append append;
	struct remote_box *box;
	size_t count;
	uint64_t bytes;
	bool is_full;
};

static struct append_work *work_of(struct list *link)
{
	return container_of(link, struct append_work, message.link);
}

/* --- Sending ------------------------------------------------------------------------- */

static void append_done(struct imap_command *command, int code);

/* An empty message would cancel the whole command (RFC 3502 §6.3.11). */
static bool goes_alone(const struct append_work *work)
{
	return work->req->is_alone || work->message.size_bytes == 0 ||
	       work->message.size_bytes > APPEND_ALONE_BYTES;
}

static bool may_join(const struct append_command *command, const struct append_work *work,
		     size_t most)
{
	if (command->count == 0)
		return true;
	return command->count < most && !command->is_full && !goes_alone(work) &&
	       command->bytes + work->message.size_bytes <= APPEND_TOGETHER_BYTES;
}

/* Sends the first of those waiting in one command, up to `most` of them. */
static void send_some(struct remote_box *box, size_t most)
{
	struct append_command *command = xcalloc(1, sizeof(*command));
	struct list *waiting = &box->appends;

	command->box = box;
	list_init(&command->append.messages);
	while (!list_is_empty(waiting)) {
		struct append_work *work = work_of(list_first(waiting));
		if (!may_join(command, work, most))
			break;
		list_remove(&work->message.link);
		list_append(&command->append.messages, &work->message.link);
		command->count++;
		command->bytes += work->message.size_bytes;
		command->is_full = goes_alone(work);
	}
	command->append.mailbox = buf_slice(&box->wire);
	command->append.keywords = box->keywords;
	box->ledger.has_written = true;
	imap_append_start(box->conn->session, &command->append, append_done);
}

/* When all that was refused together was accepted alone, it was too much for this server. */
static void learn(struct remote_box *box)
{
	if (box->appends_doubted != 0)
		box->append_most = box->appends_doubted / 2;
	box->appends_doubted = 0;
}

static size_t most_together(const struct remote_box *box)
{
	const struct imap_session *session = box->conn->session;
	uint64_t limit = imap_session_limits(session)->saved_messages;

	if (!imap_session_can(session, IMAP_CAP_MULTIAPPEND))
		return 1;
	return limit < box->append_most ? (size_t)limit : box->append_most;
}

static void append_turn(struct loop_defer *defer)
{
	struct remote_box *box = container_of(defer, struct remote_box, append_turn);

	if (!goes_alone(work_of(list_first(&box->appends))))
		learn(box);
	while (!list_is_empty(&box->appends))
		send_some(box, most_together(box));
}

/* --- A command's end ------------------------------------------------------------------ */

static void finish(struct append_work *work, uint32_t uid, int code, const struct error *err)
{
	list_remove(&work->message.link);
	work->work.box->ledger.appended += code == 0;
	work->req->uid = uid;
	remote_work_finish(&work->work, code, err);
}

/* RFC 3502 §6.3.11: none was stored. But Stalwart (stalwartlabs/stalwart, append.rs) stores them up
 * to the one that it refuses. */
static bool is_unclear(const struct append_command *command, int code)
{
	return command->count > 1 && command->append.unreadable == NULL &&
	       (code == SYNCD_EMESSAGE || code == SYNCD_ENOSPC);
}

/* An APPENDUID of another UIDVALIDITY tells nothing about this mailbox. A body that could not be
 * read broke the session; the others in the command are not to blame. */
static void finish_all(struct append_command *command, int code)
{
	const struct imap_append *append = &command->append;
	uint32_t uidvalidity = remote_box_mailbox(command->box)->uidvalidity;
	bool has_uids = append->uidvalidity == uidvalidity;
	struct error cut;

	(void)error_set(&cut, SYNCD_ENET, "given up in the middle of another message");
	while (!list_is_empty(&append->messages)) {
		struct append_work *work = work_of(list_first(&append->messages));
		work->req->is_unclear = is_unclear(command, code);
		if (append->unreadable == NULL || append->unreadable == &work->message)
			finish(work, has_uids ? work->message.uid : 0, code, &append->command.err);
		else
			finish(work, 0, cut.code, &cut);
	}
}

static void append_done(struct imap_command *imap_command, int code)
{
	struct append_command *command =
		container_of(imap_command, struct append_command, append.command);

	if (is_unclear(command, code))
		command->box->appends_doubted = command->count;
	else if (code < 0)
		command->box->appends_doubted = 0;
	finish_all(command, code);
	free(command);
}

/* --- The request ------------------------------------------------------------------------ */

static int append_read(struct imap_append_message *message, char *out, size_t size, size_t *len)
{
	struct remote_append_req *req = container_of(message, struct append_work, message)->req;

	return req->read(req, out, size, len);
}

/* What the server cannot take is not sent in vain. */
static int check(const struct imap_session *session, const struct remote_append_req *req,
		 struct error *err)
{
	uint64_t limit = imap_session_limits(session)->append_bytes;

	if (req->has_nul && !imap_session_can(session, IMAP_CAP_BINARY))
		return error_set(err, SYNCD_EMESSAGE,
				 "the message holds NULs, which this server cannot take (no "
				 "BINARY)");
	if (req->size_bytes > limit)
		return error_set(err, SYNCD_EMESSAGE,
				 "the message has %" PRIu64 " bytes, this server takes %" PRIu64
				 " at most",
				 req->size_bytes, limit);
	return 0;
}

void remote_append(struct remote_mailbox *mailbox, struct remote_append_req *req)
{
	struct append_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	req->uid = 0;
	req->is_unclear = false;
	if (work == NULL)
		return;
	struct remote_box *box = work->work.box;
	if (check(box->conn->session, req, &work->work.err) < 0) {
		remote_work_finish_later(&work->work);
		return;
	}
	work->req = req;
	work->message.flags = req->flags;
	work->message.internaldate_s = req->internaldate_s;
	work->message.size_bytes = req->size_bytes;
	work->message.has_nul = req->has_nul;
	work->message.read = append_read;
	list_append(&box->appends, &work->message.link);
	loop_defer(box->adapter->loop, &box->append_turn, append_turn);
}

void remote_append_init(struct remote_box *box)
{
	list_init(&box->appends);
	box->append_most = IMAP_APPEND_MESSAGES_MAX;
}
