/* Mailboxes that come, go and are renamed, and how one of them stands: each request borrows a
 * session for a few commands, one after another (RFC 3501 §6.3.3 to §6.3.10).
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

#include "remote_private.h"

#define TREE_NAMES 2

struct tree_work;

/* What one kind of request asks for, and of whom the subscriptions are to follow. */
struct tree_kind {
	void (*start)(struct tree_work *work, struct imap_session *session, imap_command_done done);
	bool (*is_success)(const struct error *err); /* a refusal that says it is so already */
	bool is_of_existing; /* of a mailbox that is there, and may be selected */
	int subscribes;      /* index of a name, or NO_NAME */
	int unsubscribes;    /* the same: of the mailbox that goes */
};
#define NO_NAME (-1)

struct tree_work {
	struct remote_lease lease;
	const struct tree_kind *kind;
	struct port_op *op;
	const char *names[TREE_NAMES]; /* canonical; the second one of a rename only */
	struct buf wires[TREE_NAMES];
	struct imap_unselect unselect;
	struct imap_status status;     /* its command serves the others too */
	struct mailbox_status *result; /* or NULL */
	size_t step;                   /* the next */
};

static struct imap_session *session_of(const struct tree_work *work)
{
	return work->lease.conn->session;
}

static struct slice wire_of(const struct tree_work *work, int name)
{
	return buf_slice(&work->wires[name]);
}

static void tree_finish(struct tree_work *work, int code, const struct error *err)
{
	struct port_op *op = work->op;

	if (code < 0)
		op->err = *err;
	else if (work->result != NULL)
		*work->result = remote_status_of(&work->status.told);
	if (work->lease.conn != NULL)
		remote_pool_release(work->lease.conn);
	for (size_t i = 0; i < TREE_NAMES; i++)
		buf_free(&work->wires[i]);
	free(work);
	op->done(op, code);
}

static void tree_next(struct tree_work *work);

/* --- What the server refuses ----------------------------------------------------- */

/* Servers without RFC 5530 only say it in words. */
static bool says_exists(const struct error *err)
{
	return strcmp(err->server_code, "ALREADYEXISTS") == 0 ||
	       strstr(err->text, "exists") != NULL;
}

bool remote_says_missing(const struct error *err)
{
	static const char *const words[] = { "not exist", "n't exist", "No such", "no such",
					     "not found", "Unknown",   "unknown" };
	bool is_said = err->code == SYNCD_ENOTFOUND;

	for (size_t i = 0; err->code == SYNCD_ESERVER && i < ARRAY_LEN(words); i++)
		is_said |= strstr(err->text, words[i]) != NULL;
	return is_said;
}

/* --- The steps -------------------------------------------------------------------- */

/* Refused, the request is tried all the same. */
static void unselect_done(struct imap_unselect *unselect, int code)
{
	(void)code;
	tree_next(container_of(unselect, struct tree_work, unselect));
}

/* Dovecot tells of the selected mailbox what was so when it was selected (warmbly/warmbly#180), and
 * ends a session whose mailbox is gone. Unless UNSELECT makes it easy, only what is concerned is
 * worth leaving. */
static bool start_unselect(struct tree_work *work)
{
	struct imap_session *session = session_of(work);
	bool is_easy = imap_session_can(session, IMAP_CAP_UNSELECT) &&
		       imap_session_selected(session).len > 0;

	if (!work->kind->is_of_existing ||
	    (!is_easy && !remote_pool_has_selected(work->lease.conn, wire_of(work, 0))))
		return false;
	work->unselect.done = unselect_done;
	imap_unselect_start(session_of(work), &work->unselect);
	return true;
}

/* A server may refuse to remove or rename what any session has selected, or end that session (RFC
 * 2180 §3; Dovecot: "IMAP session state is inconsistent, please relogin"). */
static bool start_drop_others(struct tree_work *work)
{
	bool goes = work->kind->unsubscribes != NO_NAME;

	if (goes)
		remote_pool_drop_selected(work->lease.conn->adapter, wire_of(work, 0));
	return false;
}

static struct tree_work *work_of(struct imap_command *command)
{
	return container_of(command, struct tree_work, status.command);
}

static void asked_done(struct imap_command *command, int code)
{
	struct tree_work *work = work_of(command);
	struct error *err = &command->err;

	if (code < 0 && work->kind->is_of_existing && remote_says_missing(err))
		code = err->code = SYNCD_ENOTFOUND;
	if (code < 0 && (work->kind->is_success == NULL || !work->kind->is_success(err)))
		tree_finish(work, code, err);
	else
		tree_next(work);
}

static bool start_asked(struct tree_work *work)
{
	work->kind->start(work, session_of(work), asked_done);
	return true;
}

/* A subscription is a courtesy to other clients; without it all is well too. */
static void courtesy_done(struct imap_command *command, int code)
{
	(void)code;
	tree_next(work_of(command));
}

static bool start_subscribe(struct tree_work *work)
{
	if (work->kind->subscribes == NO_NAME)
		return false;
	imap_subscribe_start(session_of(work), &work->status.command,
			     wire_of(work, work->kind->subscribes), courtesy_done);
	return true;
}

static bool start_unsubscribe(struct tree_work *work)
{
	if (work->kind->unsubscribes == NO_NAME)
		return false;
	imap_unsubscribe_start(session_of(work), &work->status.command,
			       wire_of(work, work->kind->unsubscribes), courtesy_done);
	return true;
}

/* The story of every request; what returns false is passed over. */
static const struct {
	const char *name;
	bool (*start)(struct tree_work *work);
} steps[] = {
	{ "unselect", start_unselect },
	{ "drop others", start_drop_others },
	{ "ask", start_asked },
	{ "subscribe", start_subscribe },
	{ "unsubscribe", start_unsubscribe },
};

static void tree_next(struct tree_work *work)
{
	while (work->step < ARRAY_LEN(steps)) {
		if (steps[work->step++].start(work))
			return;
	}
	tree_finish(work, 0, NULL);
}

/* --- The beginning ----------------------------------------------------------------- */

static int name_to_wire(struct tree_work *work, size_t i, struct error *err)
{
	const struct remote_names names = remote_names_of(work->lease.conn);

	if (work->names[i] == NULL)
		return 0;
	return remote_names_to_wire(&names, work->names[i], &work->wires[i], err);
}

static void tree_granted(struct remote_lease *lease, int code)
{
	struct tree_work *work = container_of(lease, struct tree_work, lease);

	for (size_t i = 0; i < TREE_NAMES && code == 0; i++)
		code = name_to_wire(work, i, &lease->err);
	if (code < 0)
		tree_finish(work, code, &lease->err);
	else
		tree_next(work);
}

static struct tree_work *tree_work_new(const struct tree_kind *kind, struct port_op *op,
				       const char *name)
{
	struct tree_work *work = xcalloc(1, sizeof(*work));

	error_clear(&op->err);
	work->kind = kind;
	work->op = op;
	work->names[0] = name;
	for (size_t i = 0; i < TREE_NAMES; i++)
		buf_init(&work->wires[i], IMAP_NAME_MAX);
	work->lease.granted = tree_granted;
	return work;
}

static void tree_begin(struct remote_account *account, struct tree_work *work)
{
	remote_pool_lease(container_of(account, struct adapter_remote, account), &work->lease);
}

/* --- The requests ------------------------------------------------------------------- */

static void start_create(struct tree_work *work, struct imap_session *session,
			 imap_command_done done)
{
	imap_create_start(session, &work->status.command, wire_of(work, 0), done);
}

void remote_create(struct remote_account *account, struct remote_create_req *req)
{
	static const struct tree_kind kind = {
		.start = start_create,
		.is_success = says_exists,
		.subscribes = 0,
		.unsubscribes = NO_NAME,
	};

	tree_begin(account, tree_work_new(&kind, &req->op, req->name));
}

static void start_rename(struct tree_work *work, struct imap_session *session,
			 imap_command_done done)
{
	imap_rename_start(session, &work->status.command, wire_of(work, 0), wire_of(work, 1), done);
}

void remote_rename(struct remote_account *account, struct remote_rename_req *req)
{
	static const struct tree_kind kind = {
		.start = start_rename,
		.is_of_existing = true,
		.subscribes = 1,
		.unsubscribes = 0,
	};
	struct tree_work *work = tree_work_new(&kind, &req->op, req->from);

	work->names[1] = req->to;
	tree_begin(account, work);
}

static void start_remove(struct tree_work *work, struct imap_session *session,
			 imap_command_done done)
{
	imap_delete_start(session, &work->status.command, wire_of(work, 0), done);
}

void remote_remove(struct remote_account *account, struct remote_delete_req *req)
{
	static const struct tree_kind kind = {
		.start = start_remove,
		.is_success = remote_says_missing,
		.is_of_existing = true,
		.subscribes = NO_NAME,
		.unsubscribes = 0,
	};

	tree_begin(account, tree_work_new(&kind, &req->op, req->name));
}

static void start_status(struct tree_work *work, struct imap_session *session,
			 imap_command_done done)
{
	work->status.name = wire_of(work, 0);
	work->status.wishes = IMAP_WANTS_STATUS;
	imap_status_start(session, &work->status, done);
}

void remote_status(struct remote_account *account, struct remote_status_req *req)
{
	static const struct tree_kind kind = {
		.start = start_status,
		.is_of_existing = true,
		.subscribes = NO_NAME,
		.unsubscribes = NO_NAME,
	};
	struct tree_work *work = tree_work_new(&kind, &req->op, req->name);

	req->status = (struct mailbox_status){ 0 };
	work->result = &req->status;
	tree_begin(account, work);
}
