/* What is asked of single messages of a maildrop, and QUIT: the port's requests over the session's
 * commands.
 * SPDX-License-Identifier: MIT */
#include "maildrop_private.h"
#include "syncd/must.h"

/* --- RETR and TOP --- */

struct fetch_work {
	struct maildrop_work work;
	struct maildrop_fetch_req *req;
	struct pop3_fetch fetch;
};

static struct fetch_work *work_of(struct pop3_fetch *fetch)
{
	return container_of(fetch, struct fetch_work, fetch);
}

static bool fetch_next(struct pop3_fetch *fetch, uint32_t *number, uint64_t *size_bytes)
{
	struct fetch_work *work = work_of(fetch);

	if (!work->req->next(work->req, number))
		return false;
	*size_bytes = fetch->is_top ? 0 : maildrop_size_of(work->work.adapter, *number);
	return true;
}

static int fetch_begin(struct pop3_fetch *fetch, uint32_t number, uint64_t size_bytes)
{
	(void)size_bytes;
	return work_of(fetch)->req->begin(work_of(fetch)->req, number);
}

static int fetch_data(struct pop3_fetch *fetch, struct slice data)
{
	return work_of(fetch)->req->data(work_of(fetch)->req, data);
}

static int fetch_end(struct pop3_fetch *fetch, uint32_t number)
{
	return work_of(fetch)->req->end(work_of(fetch)->req, number);
}

static int fetch_refused(struct pop3_fetch *fetch, uint32_t number, const struct error *err)
{
	return work_of(fetch)->req->refused(work_of(fetch)->req, number, err);
}

static void fetch_done(struct pop3_fetch *fetch, int code)
{
	struct error err = fetch->command.err;

	err.code = code;
	maildrop_work_finish(&work_of(fetch)->work, &err);
}

void maildrop_fetch(struct maildrop *maildrop, struct maildrop_fetch_req *req)
{
	struct fetch_work *work = maildrop_work_new(maildrop, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	work->fetch = (struct pop3_fetch){
		.is_top = req->is_header,
		.next = fetch_next,
		.begin = fetch_begin,
		.data = fetch_data,
		.end = fetch_end,
		.refused = fetch_refused,
		.done = fetch_done,
	};
	pop3_fetch_start(work->work.adapter->session, &work->fetch);
}

void maildrop_fetch_pause(struct maildrop *maildrop, struct maildrop_fetch_req *req)
{
	struct fetch_work *work = req->op.impl;

	(void)maildrop;
	if (work->fetch.next != NULL)
		pop3_fetch_pause(&work->fetch);
}

void maildrop_fetch_resume(struct maildrop *maildrop, struct maildrop_fetch_req *req)
{
	struct fetch_work *work = req->op.impl;

	(void)maildrop;
	if (work->fetch.is_paused)
		pop3_fetch_resume(&work->fetch);
}

/* --- DELE --- */

struct delete_work {
	struct maildrop_work work;
	struct maildrop_delete_req *req;
	struct pop3_dele dele;
};

static bool delete_next(struct pop3_dele *dele, uint32_t *number)
{
	struct maildrop_delete_req *req = container_of(dele, struct delete_work, dele)->req;

	return req->next(req, number);
}

static void delete_answered(struct pop3_dele *dele, uint32_t number, const struct error *refusal)
{
	struct maildrop_delete_req *req = container_of(dele, struct delete_work, dele)->req;

	req->answered(req, number, refusal);
}

static void delete_done(struct pop3_command *command, int code)
{
	(void)code;
	maildrop_work_finish(&container_of(command, struct delete_work, dele.command)->work,
			     &command->err);
}

void maildrop_remove(struct maildrop *maildrop, struct maildrop_delete_req *req)
{
	struct delete_work *work = maildrop_work_new(maildrop, &req->op, sizeof(*work));

	if (work == NULL)
		return;
	work->req = req;
	work->dele.next = delete_next;
	work->dele.answered = delete_answered;
	pop3_dele_start(work->work.adapter->session, &work->dele, delete_done);
}

/* --- QUIT --- */

struct quit_work {
	struct maildrop_work work;
	struct maildrop_quit_req *req;
	struct pop3_quit quit;
};

/* Behind an answer the session takes no commands, and does not break. */
static void quit_done(struct pop3_command *command, int code)
{
	static const enum maildrop_outcome outcomes[] = {
		[POP3_QUIT_UNSENT] = MAILDROP_KEPT,
		[POP3_QUIT_UNKNOWN] = MAILDROP_UNKNOWN,
		[POP3_QUIT_REFUSED] = MAILDROP_UNKNOWN,
		[POP3_QUIT_DONE] = MAILDROP_GONE,
	};
	struct quit_work *work = container_of(command, struct quit_work, quit.command);
	struct adapter_maildrop *adapter = work->work.adapter;

	(void)code;
	work->req->outcome = outcomes[work->quit.outcome];
	adapter->is_over = true;
	maildrop_work_finish(&work->work, &command->err);
}

void maildrop_quit(struct maildrop *maildrop, struct maildrop_quit_req *req)
{
	struct quit_work *work;

	req->outcome = MAILDROP_KEPT;
	work = maildrop_work_new(maildrop, &req->op, sizeof(*work));
	if (work == NULL)
		return;
	work->req = req;
	pop3_quit_start(work->work.adapter->session, &work->quit, quit_done);
}
