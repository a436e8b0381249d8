/* A model of a POP3 server: one session at a time, whose end may go wrong in every way.
 * SPDX-License-Identifier: MIT */
#include "model_maildrop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/must.h"

static struct model_maildrop *drop_of(struct maildrop *port)
{
	return container_of(port, struct model_maildrop, port);
}

void model_maildrop_remove(struct model_maildrop *drop, size_t at)
{
	must(at < drop->count);
	drop->count--;
	memmove(&drop->messages[at], &drop->messages[at + 1],
		(drop->count - at) * sizeof(drop->messages[0]));
}

struct model_drop_message *model_maildrop_add(struct model_maildrop *drop, const char *uid,
					      uint32_t content)
{
	must(drop->count < MODEL_DROP_MAX);
	struct model_drop_message *message = &drop->messages[drop->count++];
	*message = (struct model_drop_message){ .content = content };
	(void)snprintf(message->uid, sizeof(message->uid), "%s", uid);
	return message;
}

static int check(struct task *task)
{
	const struct model_maildrop *drop = task->target;

	if (drop->is_cancelled)
		return error_set(&task->op->err, SYNCD_ECANCELLED, "cancelled");
	if (drop->is_broken || !drop->is_open)
		return error_set(&task->op->err, SYNCD_ENET, "the session is over");
	return 0;
}

static void post(struct model_maildrop *drop, struct port_op *op, int (*run)(struct task *task))
{
	world_post(drop->world, LANE_REMOTE, op, drop, run);
}

/* --- The session's beginning --------------------------------------------------------- */

static void unmark_all(struct model_maildrop *drop)
{
	for (size_t i = 0; i < drop->count; i++)
		drop->messages[i].is_marked = false;
}

static int run_open(struct task *task)
{
	struct maildrop_open_req *req = container_of(task->op, struct maildrop_open_req, op);
	struct model_maildrop *drop = task->target;

	if (drop->open_error != 0)
		return error_set(&task->op->err, drop->open_error, "login refused");
	unmark_all(drop);
	drop->is_open = true;
	drop->session_count = drop->count;
	drop->opens++;
	drop->is_piped = drop->has_pipe && !req->is_cautious;
	req->has_top = drop->has_top;
	req->has_pipe = drop->is_piped;
	req->login_delay_s = drop->login_delay_s;
	return 0;
}

static void drop_open(struct maildrop *port, struct maildrop_open_req *req)
{
	struct model_maildrop *drop = drop_of(port);

	drop->is_broken = drop->is_open = drop->is_cancelled = false;
	post(drop, &req->op, run_open);
}

static uint64_t size_of(const struct model_drop_message *message)
{
	size_t len = 0;

	free(model_body(message->content, &len));
	return message->listed_bytes != 0 ? message->listed_bytes : len;
}

static int run_list(struct task *task)
{
	struct maildrop_list_req *req = container_of(task->op, struct maildrop_list_req, op);
	struct model_maildrop *drop = task->target;
	int code = check(task);

	if (code != 0)
		return code;
	req->has_uids = drop->has_uids;
	req->is_complete = true;
	for (size_t i = 0; i < drop->session_count; i++) {
		const struct model_drop_message *message = &drop->messages[i];
		if (message->is_hidden)
			req->is_complete = false;
		else
			req->found(req, (uint32_t)i + 1, size_of(message),
				   slice_of(drop->has_uids ? message->uid : ""));
	}
	return 0;
}

static void drop_list(struct maildrop *port, struct maildrop_list_req *req)
{
	post(drop_of(port), &req->op, run_list);
}

/* --- Bodies -------------------------------------------------------------------------- */

static void ask_ahead(struct model_maildrop *drop, struct maildrop_fetch_req *req)
{
	uint32_t number = 0;

	while (drop->asked_count < MODEL_DROP_AHEAD && req->next(req, &number)) {
		must(number > 0 && number <= drop->session_count);
		must(!drop->messages[number - 1].is_marked);
		drop->asked[drop->asked_count++] = number;
	}
}

static void answered(struct model_maildrop *drop)
{
	drop->asked_count--;
	memmove(drop->asked, drop->asked + 1, drop->asked_count * sizeof(drop->asked[0]));
}

static int refuse(struct model_maildrop *drop, struct maildrop_fetch_req *req, uint32_t number)
{
	struct error err = { 0 };

	error_set(&err, drop->messages[number - 1].refusal, "cannot read message");
	answered(drop);
	return req->refused(req, number, &err);
}

static int send_half(struct model_maildrop *drop, struct maildrop_fetch_req *req, uint32_t number)
{
	size_t len = 0;
	bool is_shifted = drop->is_piped && drop->swallows != 0 && number >= drop->swallows;
	char *body = model_body(drop->messages[number - 1 + is_shifted].content, &len);
	struct slice half = { body, len / 2 };
	int code = 0;

	if (drop->is_in_body)
		half = (struct slice){ body + len / 2, len - len / 2 };
	else
		code = req->begin(req, number);
	if (req->is_header) /* the header alone, which is the first half and some more */
		half.len = half.data == body ? half.len
					     : (size_t)(strstr(body, "\r\n\r\n") + 4 - half.data);
	if (code == 0)
		code = req->data(req, half);
	free(body);
	if (code == 0 && drop->is_in_body) {
		answered(drop);
		drop->bodies += !req->is_header;
		drop->headers += req->is_header;
		code = req->end(req, number);
	}
	drop->is_in_body = !drop->is_in_body;
	return code;
}

static int run_fetch(struct task *task)
{
	struct maildrop_fetch_req *req = container_of(task->op, struct maildrop_fetch_req, op);
	struct model_maildrop *drop = task->target;
	int code = check(task);

	if (code != 0)
		return code;
	ask_ahead(drop, req);
	if (drop->asked_count == 0)
		return 0;
	uint32_t number = drop->asked[0];
	if (drop->is_piped && drop->swallows != 0 && number == drop->session_count)
		return error_set(&task->op->err, SYNCD_ETIMEOUT, "the last answer never comes");
	if (!req->is_header && drop->messages[number - 1].refusal != 0)
		code = refuse(drop, req, number);
	else
		code = send_half(drop, req, number);
	return code != 0 ? error_set(&task->op->err, code, "given up") : TASK_AGAIN;
}

static void drop_fetch(struct maildrop *port, struct maildrop_fetch_req *req)
{
	struct model_maildrop *drop = drop_of(port);

	must(!req->is_header || drop->has_top);
	drop->asked_count = 0;
	drop->is_in_body = false;
	post(drop, &req->op, run_fetch);
}

static void drop_fetch_pause(struct maildrop *port, struct maildrop_fetch_req *req)
{
	world_find_task(drop_of(port)->world, &req->op)->is_held = true;
}

static void drop_fetch_resume(struct maildrop *port, struct maildrop_fetch_req *req)
{
	world_find_task(drop_of(port)->world, &req->op)->is_held = false;
}

/* --- DELE and QUIT ------------------------------------------------------------------- */

static int run_remove(struct task *task)
{
	struct maildrop_delete_req *req = container_of(task->op, struct maildrop_delete_req, op);
	struct model_maildrop *drop = task->target;
	struct error err = { 0 };
	uint32_t number = 0;
	int code = check(task);

	if (code != 0 || !req->next(req, &number))
		return code;
	must(number > 0 && number <= drop->session_count);
	must(!drop->messages[number - 1].is_marked);
	if (drop->refuses_deletion)
		error_set(&err, SYNCD_EMESSAGE, "you may not");
	else
		drop->messages[number - 1].is_marked = true;
	req->answered(req, number, err.code != 0 ? &err : NULL);
	return TASK_AGAIN;
}

static void drop_remove(struct maildrop *port, struct maildrop_delete_req *req)
{
	post(drop_of(port), &req->op, run_remove);
}

static int run_quit(struct task *task)
{
	struct model_maildrop *drop = task->target;
	int code = check(task);

	if (code != 0)
		return code;
	for (size_t i = drop->count; i-- > 0;) {
		if (drop->messages[i].is_marked && !drop->forgets_marks)
			model_maildrop_remove(drop, i);
	}
	unmark_all(drop);
	drop->is_open = false;
	drop->quits++;
	return 0;
}

/* Whether the server heard of it when the link was cut nobody knows. */
static void quitted(struct port_op *op, int code)
{
	struct model_maildrop *drop = container_of(op, struct model_maildrop, quit);
	struct maildrop_quit_req *req = drop->quitting;

	req->op.err = op->err;
	req->outcome = code == 0 ? MAILDROP_GONE : MAILDROP_UNKNOWN;
	req->op.done(&req->op, code);
}

static void drop_quit(struct maildrop *port, struct maildrop_quit_req *req)
{
	struct model_maildrop *drop = drop_of(port);

	drop->quitting = req;
	drop->quit.done = quitted;
	post(drop, &drop->quit, run_quit);
}

/* --- The session's end --------------------------------------------------------------- */

static void drop_cancel(struct maildrop *port)
{
	struct model_maildrop *drop = drop_of(port);

	drop->is_cancelled = true;
	list_for_each(node, &drop->world->tasks)
	{
		struct task *task = container_of(node, struct task, link);
		if (task->target == drop)
			task->is_held = false;
	}
}

static int run_close(struct task *task)
{
	(void)task;
	return 0;
}

static void drop_close(struct maildrop *port, struct port_op *op)
{
	struct model_maildrop *drop = drop_of(port);

	list_for_each(node, &drop->world->tasks)
		must(container_of(node, struct task, link)->target != drop);
	unmark_all(drop);
	drop->is_open = false;
	world_post(drop->world, LANE_ENV, op, NULL, run_close);
}

static const struct maildrop_ops model_maildrop_ops = {
	.open = drop_open,
	.list = drop_list,
	.fetch = drop_fetch,
	.fetch_pause = drop_fetch_pause,
	.fetch_resume = drop_fetch_resume,
	.remove = drop_remove,
	.quit = drop_quit,
	.cancel = drop_cancel,
	.close = drop_close,
};

void model_maildrop_init(struct model_maildrop *drop, struct world *world)
{
	*drop = (struct model_maildrop){
		.port = { .ops = &model_maildrop_ops },
		.world = world,
		.has_uids = true,
		.has_top = true,
	};
}
