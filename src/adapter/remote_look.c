/* Telling the messages of a remote mailbox: their identities and email_ids.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "remote_private.h"

struct identify_work {
	struct remote_work work;
	struct imap_command noop;
	struct imap_identify identify;
	struct remote_identify_req *req;
	struct remote_email_ids_req *email_ids; /* or of this one */
};

static void identify_found(struct imap_identify *identify, uint32_t uid,
			   const struct digest *digest, uint64_t size_bytes, uint64_t flags)
{
	struct identify_work *work = container_of(identify, struct identify_work, identify);

	work->req->found(work->req, uid, digest, size_bytes, flags);
}

static void identify_found_email_id(struct imap_identify *identify, uint32_t uid, uint64_t email_id,
				    uint64_t size_bytes)
{
	struct identify_work *work = container_of(identify, struct identify_work, identify);

	work->email_ids->found(work->email_ids, uid, email_id, size_bytes);
}

static void identify_done(struct imap_identify *identify, int code)
{
	struct identify_work *work = container_of(identify, struct identify_work, identify);

	if (work->req != NULL)
		work->req->named_flags = remote_box_mailbox(work->work.box)->named_flags;
	remote_work_finish(&work->work, code, &identify->err);
}

static void identify_updated(struct imap_command *command, int code)
{
	struct identify_work *work = container_of(command, struct identify_work, noop);

	if (code < 0)
		remote_work_finish(&work->work, code, &command->err);
	else
		imap_identify_start(command->session, &work->identify);
}

/* What is appended may stay unseen in this session until a NOOP (RFC 3501 §6.3.11); of what was
 * refused and stored all the same Dovecot and others tell nothing before. */
static void identify_start(struct identify_work *work, const struct uidset *uids)
{
	struct imap_session *session = work->work.box->conn->session;

	work->identify.uids = uids;
	work->identify.done = identify_done;
	if (work->work.box->ledger.has_written)
		imap_noop_start(session, &work->noop, identify_updated);
	else
		imap_identify_start(session, &work->identify);
}

void remote_identify(struct remote_mailbox *mailbox, struct remote_identify_req *req)
{
	struct identify_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	work->identify.found = identify_found;
	identify_start(work, req->uids);
}

void remote_email_ids(struct remote_mailbox *mailbox, struct remote_email_ids_req *req)
{
	struct identify_work *work = remote_work_new(mailbox, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->email_ids = req;
	work->identify.found_email_id = identify_found_email_id;
	identify_start(work, req->uids);
}

bool remote_has_email_ids(const struct imap_session *session)
{
	return imap_session_can(session, IMAP_CAP_EMAILID) ||
	       imap_session_can(session, IMAP_CAP_GMAIL);
}
