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

/* Messages that were refused together, each being sent by itself. */
struct append_trial {
	size_t count;
	size_t left;
	bool is_conclusive; /* one of them was refused again: it was to blame */
};

struct append_command {
	struct imap_append append;
	struct remote_box *box;
	struct append_trial *trial; /* that this is a part of, or NULL */
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
	return work->message.size_bytes == 0 || work->message.size_bytes > APPEND_ALONE_BYTES;
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
static void send_some(struct remote_box *box, struct list *waiting, size_t most,
		      struct append_trial *trial)
{
	struct append_command *command = xcalloc(1, sizeof(*command));

	command->box = box;
	command->trial = trial;
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

	while (!list_is_empty(&box->appends))
		send_some(box, &box->appends, most_together(box), NULL);
}

/* --- A command's end ------------------------------------------------------------------ */

static void finish(struct append_work *work, uint32_t uid, int code, const struct error *err)
{
	list_remove(&work->message.link);
	work->work.box->ledger.appended += code == 0;
	work->req->uid = uid;
	remote_work_finish(&work->work, code, err);
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
		if (append->unreadable == NULL || append->unreadable == &work->message)
			finish(work, has_uids ? work->message.uid : 0, code, &append->command.err);
		else
			finish(work, 0, cut.code, &cut);
	}
}

/* That all are accepted one by one means that together they were too many for this server. */
static void trial_step(struct append_trial *trial, struct remote_box *box, int code)
{
	if (trial == NULL)
		return;
	trial->is_conclusive |= code < 0;
	if (--trial->left > 0)
		return;
	if (!trial->is_conclusive)
		box->append_most = trial->count / 2;
	free(trial);
}

/* Moves those that can be read again into `readable`. Returns their number. */
static size_t rewind_all(struct list *messages, struct list *readable)
{
	struct error err;
	size_t count = 0;

	while (!list_is_empty(messages)) {
		struct append_work *work = work_of(list_first(messages));
		int code = work->req->rewind(work->req);
		if (code < 0) {
			(void)error_set(&err, code, "the message could not be read again");
			finish(work, 0, code, &err);
			continue;
		}
		list_remove(&work->message.link);
		list_append(readable, &work->message.link);
		count++;
	}
	return count;
}

/* Each by itself: that sends fewer bytes again than a search by halves would. */
static void send_each(struct append_command *command)
{
	struct list readable;

	list_init(&readable);
	size_t left = rewind_all(&command->append.messages, &readable);
	if (left == 0)
		return;
	struct append_trial *trial = xcalloc(1, sizeof(*trial));
	trial->count = command->count;
	trial->left = left;
	trial->is_conclusive = left < command->count;
	while (!list_is_empty(&readable))
		send_some(command->box, &readable, 1, trial);
}

/* The server stored none of them (RFC 3502 §6.3.11): one is to blame, or their number. */
static bool is_refused_together(const struct append_command *command, int code)
{
	return command->count > 1 && command->append.unreadable == NULL &&
	       (code == SYNCD_EMESSAGE || code == SYNCD_ENOSPC);
}

static void append_done(struct imap_command *imap_command, int code)
{
	struct append_command *command =
		container_of(imap_command, struct append_command, append.command);

	trial_step(command->trial, command->box, code);
	if (is_refused_together(command, code))
		send_each(command);
	else
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
