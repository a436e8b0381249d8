/* The maildrop over POP3: logging in, and the session's end whatever happens.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "maildrop_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

static struct adapter_maildrop *adapter_of(struct maildrop *maildrop)
{
	return container_of(maildrop, struct adapter_maildrop, base);
}

static struct adapter_maildrop *adapter_of_user(struct pop3_user *user)
{
	return container_of(user, struct adapter_maildrop, user);
}

/* --- Requests --------------------------------------------------------------------- */

static void work_refused(struct loop_defer *defer)
{
	struct maildrop_work *work = container_of(defer, struct maildrop_work, defer);

	maildrop_work_finish(work, &work->adapter->err);
}

void *maildrop_work_new(struct maildrop *maildrop, struct port_op *op, size_t size)
{
	struct adapter_maildrop *adapter = adapter_of(maildrop);
	struct maildrop_work *work = xcalloc(1, size);

	must(adapter->opening == NULL && adapter->closing == NULL);
	work->adapter = adapter;
	work->op = op;
	op->impl = work;
	error_clear(&op->err);
	adapter->works++;
	if (adapter->session != NULL && !adapter->is_over)
		return work;
	if (adapter->err.code == 0)
		(void)error_set(&adapter->err, SYNCD_ENET, "there is no session");
	loop_defer(adapter->loop, &work->defer, work_refused);
	return NULL;
}

void maildrop_work_finish(struct maildrop_work *work, const struct error *err)
{
	struct port_op *op = work->op;

	op->err = *err;
	work->adapter->works--;
	free(work);
	op->done(op, op->err.code);
}

/* --- The session's own events ------------------------------------------------------ */

static void open_done(struct adapter_maildrop *adapter, const struct error *err)
{
	struct maildrop_open_req *req = adapter->opening;

	adapter->opening = NULL;
	req->op.err = *err;
	req->op.done(&req->op, err->code);
}

static void on_ready(struct pop3_user *user)
{
	struct adapter_maildrop *adapter = adapter_of_user(user);
	struct maildrop_open_req *req = adapter->opening;

	login_password_worked(&adapter->password, adapter->generation);
	secret_free(&adapter->sent);
	req->login_delay_s = pop3_session_policy(adapter->session)->login_delay_s;
	req->has_top = pop3_session_can(adapter->session, POP3_CAP_TOP);
	req->has_pipe =
		pop3_session_can(adapter->session, POP3_CAP_PIPELINING) && !req->is_cautious;
	open_done(adapter, &adapter->err);
}

static void session_close(struct adapter_maildrop *adapter)
{
	adapter->is_closing = true;
	pop3_session_close(adapter->session);
}

static void on_broken(struct pop3_user *user, const struct error *err)
{
	struct adapter_maildrop *adapter = adapter_of_user(user);

	adapter->err = *err;
	adapter->is_over = true;
	session_close(adapter);
}

static bool is_worth_another_login(struct adapter_maildrop *adapter)
{
	return adapter->err.code == SYNCD_EAUTH && !adapter->is_cancelled &&
	       login_password_refused(&adapter->password, adapter->generation);
}

static void maildrop_turn(struct loop_defer *defer);

static void on_closed(struct pop3_user *user)
{
	struct adapter_maildrop *adapter = adapter_of_user(user);
	struct port_op *closing = adapter->closing;

	adapter->session = NULL;
	adapter->is_closing = false;
	adapter->closing = NULL;
	secret_free(&adapter->sent);
	if (adapter->opening != NULL && is_worth_another_login(adapter))
		maildrop_turn(&adapter->turn);
	else if (adapter->opening != NULL)
		open_done(adapter, &adapter->err);
	else if (closing != NULL)
		closing->done(closing, 0);
}

static const struct pop3_user_ops user_ops = {
	.ready = on_ready,
	.broken = on_broken,
	.closed = on_closed,
};

/* --- Opening ------------------------------------------------------------------------- */

static void session_start(struct adapter_maildrop *adapter)
{
	adapter->generation = adapter->password.generation;
	if (adapter->password.secret != NULL)
		adapter->sent = secret_copy(adapter->password.secret);
	adapter->is_over = false;
	error_clear(&adapter->err);
	const struct pop3_settings settings = {
		.loop = adapter->loop,
		.net = adapter->net,
		.target = &adapter->settings.target,
		.account = adapter->settings.account,
		.user = adapter->settings.user,
		.password = adapter->sent,
		.auth = adapter->settings.auth,
		.allow_plaintext = adapter->settings.allow_plaintext,
		.is_cautious = adapter->opening->is_cautious,
	};
	adapter->session = pop3_session_new(&settings, &adapter->user);
	pop3_session_start(adapter->session);
}

/* Goes on with opening, or completes a closing that had nothing to close. */
static void maildrop_turn(struct loop_defer *defer)
{
	struct adapter_maildrop *adapter = container_of(defer, struct adapter_maildrop, turn);
	struct port_op *closing = adapter->closing;
	struct error err;

	if (closing != NULL) {
		adapter->closing = NULL;
		closing->done(closing, 0);
	} else if (adapter->is_cancelled) {
		(void)error_set(&err, SYNCD_ECANCELLED, "cancelled");
		open_done(adapter, &err);
	} else if (login_password_get(&adapter->password)) {
		session_start(adapter);
	}
}

static void password_came(struct login_password *password)
{
	maildrop_turn(&container_of(password, struct adapter_maildrop, password)->turn);
}

static void password_failed(struct login_password *password, const struct error *err)
{
	open_done(container_of(password, struct adapter_maildrop, password), err);
}

static void maildrop_open(struct maildrop *maildrop, struct maildrop_open_req *req)
{
	struct adapter_maildrop *adapter = adapter_of(maildrop);

	must(adapter->session == NULL && adapter->opening == NULL && adapter->works == 0);
	error_clear(&req->op.err);
	adapter->opening = req;
	adapter->is_cancelled = false;
	loop_defer(adapter->loop, &adapter->turn, maildrop_turn);
}

/* --- The end --------------------------------------------------------------------------- */

static void maildrop_cancel(struct maildrop *maildrop)
{
	struct adapter_maildrop *adapter = adapter_of(maildrop);

	adapter->is_cancelled = true;
	login_password_cancel(&adapter->password);
	if (adapter->session != NULL && !adapter->is_over)
		pop3_session_cancel(adapter->session);
}

static void maildrop_close(struct maildrop *maildrop, struct port_op *op)
{
	struct adapter_maildrop *adapter = adapter_of(maildrop);

	must(adapter->opening == NULL && adapter->closing == NULL && adapter->works == 0);
	error_clear(&op->err);
	adapter->closing = op;
	free(adapter->sizes);
	adapter->sizes = NULL;
	adapter->size_count = 0;
	if (adapter->session == NULL)
		loop_defer(adapter->loop, &adapter->turn, maildrop_turn);
	else if (!adapter->is_closing)
		session_close(adapter);
}

static const struct maildrop_ops maildrop_ops = {
	.open = maildrop_open,
	.list = maildrop_list,
	.fetch = maildrop_fetch,
	.fetch_pause = maildrop_fetch_pause,
	.fetch_resume = maildrop_fetch_resume,
	.remove = maildrop_remove,
	.quit = maildrop_quit,
	.cancel = maildrop_cancel,
	.close = maildrop_close,
};

struct adapter_maildrop *adapter_maildrop_new(struct loop *loop,
					      const struct adapter_maildrop_settings *settings,
					      struct error *err)
{
	struct adapter_maildrop *adapter = xcalloc(1, sizeof(*adapter));

	adapter->base.ops = &maildrop_ops;
	adapter->user.ops = &user_ops;
	adapter->loop = loop;
	adapter->settings = *settings;
	adapter->password = (struct login_password){
		.loop = loop,
		.given = settings->password,
		.argv = settings->password_argv,
		.came = password_came,
		.failed = password_failed,
	};
	adapter->net = net_context_new(loop, &adapter->settings.target, err);
	if (adapter->net == NULL) {
		free(adapter);
		return NULL;
	}
	return adapter;
}

struct maildrop *adapter_maildrop_port(struct adapter_maildrop *adapter)
{
	return &adapter->base;
}

void adapter_maildrop_free(struct adapter_maildrop **adapter)
{
	struct adapter_maildrop *freed = *adapter;

	*adapter = NULL;
	must(freed->session == NULL && freed->opening == NULL && freed->works == 0);
	secret_free(&freed->password.secret);
	net_context_free(&freed->net);
	free(freed->sizes);
	free(freed);
}
