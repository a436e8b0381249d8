/* The pool of sessions: who waits for one, who has one, how many the server
 * bears.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#include "remote_private.h"

static struct remote_conn *conn_of_link(struct list *link)
{
	return container_of(link, struct remote_conn, link);
}

static struct remote_lease *lease_of_link(struct list *link)
{
	return container_of(link, struct remote_lease, link);
}

static struct remote_conn *conn_of_user(struct imap_user *user)
{
	return container_of(user, struct remote_conn, user);
}

static unsigned count_state(const struct adapter_remote *adapter, enum remote_conn_state state)
{
	unsigned count = 0;

	list_for_each(link, &adapter->conns)
	{
		count += conn_of_link(link)->state == state;
	}
	return count;
}

static unsigned count_list(const struct list *head)
{
	unsigned count = 0;

	list_for_each(link, head)
	{
		count++;
	}
	return count;
}

/* --- Leases ----------------------------------------------------------------- */

static void lease_grant(struct remote_lease *lease, struct remote_conn *conn)
{
	list_remove(&lease->link);
	conn->state = REMOTE_CONN_LEASED;
	loop_timer_stop(&conn->unused);
	lease->conn = conn;
	lease->granted(lease, 0);
}

void remote_pool_fail(struct adapter_remote *adapter, const struct error *err)
{
	struct list failed;

	/* Those who wait again from inside their callback are not of these. */
	list_init(&failed);
	while (!list_is_empty(&adapter->waiting)) {
		struct list *link = list_first(&adapter->waiting);
		list_remove(link);
		list_append(&failed, link);
	}
	while (!list_is_empty(&failed)) {
		struct remote_lease *lease = lease_of_link(list_first(&failed));
		list_remove(&lease->link);
		lease->err = *err;
		lease->granted(lease, err->code);
	}
}

/* --- Sessions ------------------------------------------------------------------ */

static void conn_close(struct remote_conn *conn)
{
	conn->state = REMOTE_CONN_CLOSING;
	loop_timer_stop(&conn->unused);
	imap_session_close(conn->session);
}

static void conn_logout(struct remote_conn *conn)
{
	conn->state = REMOTE_CONN_CLOSING;
	loop_timer_stop(&conn->unused);
	imap_session_logout(conn->session);
}

static void conn_unused(struct loop_timer *timer)
{
	conn_logout(container_of(timer, struct remote_conn, unused));
}

static void conn_ready(struct imap_user *user)
{
	struct remote_conn *conn = conn_of_user(user);
	struct adapter_remote *adapter = conn->adapter;

	login_password_worked(&adapter->password, conn->generation);
	secret_free(&conn->password);
	conn->state = REMOTE_CONN_FREE;
	loop_timer_start(&conn->unused, REMOTE_IDLE_CLOSE_MS);
	remote_pool_turn(adapter);
}

static void conn_news(struct imap_user *user)
{
	(void)user;
}

/* A login failed. When others live, the server (or what lies between) bears no
 * more of us; those who wait get the next one that is free. */
static void login_failed(struct adapter_remote *adapter, unsigned generation,
			 const struct error *err)
{
	unsigned alive =
		count_state(adapter, REMOTE_CONN_FREE) + count_state(adapter, REMOTE_CONN_LEASED);
	bool is_crowded =
		err->code == SYNCD_EBUSY || err->code == SYNCD_ENET || err->code == SYNCD_ETIMEOUT;

	if (err->code == SYNCD_EAUTH && login_password_refused(&adapter->password, generation)) {
		remote_pool_turn(adapter);
	} else if (is_crowded && alive > 0) {
		log_info(adapter->settings.account, "the server refuses connection %u: %s",
			 alive + 1, err->text);
		adapter->connections = alive;
		adapter->limited_ms = loop_now_ms(adapter->loop);
		remote_pool_turn(adapter);
	} else {
		remote_pool_fail(adapter, err);
	}
}

static void conn_broken(struct imap_user *user, const struct error *err)
{
	struct remote_conn *conn = conn_of_user(user);
	struct adapter_remote *adapter = conn->adapter;
	bool was_login = conn->state == REMOTE_CONN_LOGIN;
	unsigned generation = conn->generation;
	struct error why = *err;

	conn->is_broken = true;
	if (conn->state == REMOTE_CONN_LEASED)
		return; /* its holder learns it from its commands and gives it back */
	conn_close(conn);
	if (was_login)
		login_failed(adapter, generation, &why);
}

static void conn_closed(struct imap_user *user)
{
	struct remote_conn *conn = conn_of_user(user);
	struct adapter_remote *adapter = conn->adapter;

	must(conn->state == REMOTE_CONN_CLOSING);
	list_remove(&conn->link);
	secret_free(&conn->password);
	free(conn);
	/* How many the server bears is a finding of that hour, not for ever. */
	if (list_is_empty(&adapter->conns))
		adapter->connections = adapter->settings.connections;
	remote_pool_turn(adapter);
}

static const struct imap_user_ops conn_ops = {
	.ready = conn_ready,
	.news = conn_news,
	.broken = conn_broken,
	.closed = conn_closed,
};

static void conn_start(struct adapter_remote *adapter)
{
	struct remote_conn *conn = xcalloc(1, sizeof(*conn));

	conn->user.ops = &conn_ops;
	conn->adapter = adapter;
	conn->generation = adapter->password.generation;
	if (adapter->password.secret != NULL)
		conn->password = secret_copy(adapter->password.secret);
	loop_timer_init(adapter->loop, &conn->unused, conn_unused);
	list_append(&adapter->conns, &conn->link);
	const struct imap_settings settings = {
		.loop = adapter->loop,
		.net = adapter->net,
		.target = &adapter->settings.target,
		.account = adapter->settings.account,
		.user = adapter->settings.user,
		.password = conn->password,
		.auth = adapter->settings.auth,
		.allow_plaintext = adapter->settings.allow_plaintext,
		.compress = adapter->settings.compress,
	};
	conn->session = imap_session_new(&settings, &conn->user);
	imap_session_start(conn->session);
}

/* --- What is to be done ----------------------------------------------------------- */

static struct remote_conn *find_free(const struct adapter_remote *adapter)
{
	list_for_each(link, &adapter->conns)
	{
		struct remote_conn *conn = conn_of_link(link);
		if (conn->state == REMOTE_CONN_FREE && imap_session_is_live(conn->session))
			return conn;
	}
	return NULL;
}

/* One session is left to those who work, where the server bears more than one; */
static unsigned push_limit(const struct adapter_remote *adapter)
{
	return adapter->connections > 1 ? adapter->connections - 1 : 1;
}

/* and one to the push that matters most. */
static unsigned extra_limit(const struct adapter_remote *adapter)
{
	return adapter->connections > 2 ? adapter->connections - 2 : 0;
}

/* Who waits with the greatest need, and among these the longest; or NULL. */
static struct remote_lease *first_waiting(const struct adapter_remote *adapter)
{
	struct remote_lease *first = NULL;

	list_for_each(link, &adapter->waiting)
	{
		if (first == NULL || lease_of_link(link)->need < first->need)
			first = lease_of_link(link);
	}
	return first;
}

static bool may_have_session(const struct adapter_remote *adapter, const struct remote_lease *lease)
{
	switch (lease->need) {
	case REMOTE_NEED_WORK:
	case REMOTE_NEED_LANE:
		return true;
	case REMOTE_NEED_PUSH:
		return remote_push_count(adapter, REMOTE_NEED_PUSH) < push_limit(adapter);
	case REMOTE_NEED_EXTRA:
		return remote_push_count(adapter, REMOTE_NEED_EXTRA) < extra_limit(adapter);
	}
	return false;
}

/* How many of those who wait may have a session. */
static unsigned count_entitled(const struct adapter_remote *adapter)
{
	unsigned extras = remote_push_count(adapter, REMOTE_NEED_EXTRA);
	unsigned entitled = 0;

	list_for_each(link, &adapter->waiting)
	{
		const struct remote_lease *lease = lease_of_link(link);
		if (lease->need != REMOTE_NEED_EXTRA)
			entitled += may_have_session(adapter, lease);
		else if (extras < extra_limit(adapter)) {
			extras++;
			entitled++;
		}
	}
	return entitled;
}

/* Until a login has worked there is one at a time: a wrong password is not
 * tried on several connections at once. */
static bool wants_another(const struct adapter_remote *adapter)
{
	unsigned logins = count_state(adapter, REMOTE_CONN_LOGIN);

	if (!adapter->password.is_proven && logins > 0)
		return false;
	return count_list(&adapter->conns) < adapter->connections &&
	       logins < count_entitled(adapter);
}

/* Someone waits and there may be no more sessions: one that only waits for news is needed more
 * elsewhere. Of the first of these that is so when there is no other session left. */
static void make_room(struct adapter_remote *adapter)
{
	const struct remote_lease *lease = first_waiting(adapter);
	unsigned held = count_state(adapter, REMOTE_CONN_LEASED);
	unsigned pushes = remote_push_count(adapter, REMOTE_NEED_PUSH);

	if (lease == NULL)
		return;
	if (lease->need == REMOTE_NEED_WORK && held == count_list(&adapter->conns) &&
	    held >= adapter->connections)
		remote_push_yield(adapter, held == pushes);
	else if (lease->need == REMOTE_NEED_PUSH && pushes >= push_limit(adapter))
		remote_push_yield(adapter, false);
}

/* A login that failed beside others that live was taken for the server's limit. */
static void forget_limit(struct adapter_remote *adapter)
{
	if (loop_now_ms(adapter->loop) - adapter->limited_ms >= REMOTE_LIMIT_MS)
		adapter->connections = adapter->settings.connections;
}

/* How many who wait cannot be helped by a session that is free, begun or going. */
static unsigned count_needed(const struct adapter_remote *adapter)
{
	unsigned open = count_list(&adapter->conns);
	unsigned held = count_state(adapter, REMOTE_CONN_LEASED);
	unsigned spare = open - held;
	unsigned needed = 0;

	if (open < adapter->connections)
		spare += adapter->connections - open;
	list_for_each(link, &adapter->waiting)
	{
		const struct remote_lease *lease = lease_of_link(link);
		needed += lease->need != REMOTE_NEED_LANE && may_have_session(adapter, lease);
	}
	return needed > spare ? needed - spare : 0;
}

static bool can_spare(const struct adapter_remote *adapter)
{
	return list_is_empty(&adapter->waiting) &&
	       (find_free(adapter) != NULL || count_list(&adapter->conns) < adapter->connections);
}

static void free_if_over(struct adapter_remote *adapter)
{
	struct port_op *op = adapter->closing;

	if (!list_is_empty(&adapter->conns) || !list_is_empty(&adapter->pushes) ||
	    !list_is_empty(&adapter->waiting) || adapter->password.is_asking)
		return;
	secret_free(&adapter->password.secret);
	for (size_t i = 0; i < adapter->disbelieved_count; i++)
		free(adapter->disbelieved[i]);
	free(adapter->disbelieved);
	net_context_free(&adapter->net);
	free(adapter);
	op->done(op, 0);
}

static void pool_turn(struct loop_defer *defer)
{
	struct adapter_remote *adapter = container_of(defer, struct adapter_remote, turn);
	struct remote_lease *lease;
	struct remote_conn *conn;

	if (adapter->closing != NULL) {
		struct error err;
		(void)error_set(&err, SYNCD_ECANCELLED, "the account is being closed");
		remote_pool_fail(adapter, &err);
		free_if_over(adapter);
		return;
	}
	forget_limit(adapter);
	while ((lease = first_waiting(adapter)) != NULL && may_have_session(adapter, lease) &&
	       (conn = find_free(adapter)) != NULL)
		lease_grant(lease, conn);
	/* A fetch that only goes faster with it gives a session up before one that waits for news.
	 */
	if (list_is_empty(&adapter->lanes))
		make_room(adapter);
	else
		remote_fetch_yield(adapter, count_needed(adapter));
	if (can_spare(adapter))
		remote_fetch_spread(adapter);
	if (list_is_empty(&adapter->waiting) || !wants_another(adapter) ||
	    !login_password_get(&adapter->password))
		return;
	while (wants_another(adapter))
		conn_start(adapter);
}

void remote_pool_turn(struct adapter_remote *adapter)
{
	loop_defer(adapter->loop, &adapter->turn, pool_turn);
}

void remote_pool_lease(struct adapter_remote *adapter, struct remote_lease *lease)
{
	lease->conn = NULL;
	error_clear(&lease->err);
	list_append(&adapter->waiting, &lease->link);
	remote_pool_turn(adapter);
}

void remote_pool_release(struct remote_conn *conn)
{
	must(conn->state == REMOTE_CONN_LEASED);
	if (conn->is_broken || !imap_session_is_live(conn->session)) {
		conn_close(conn);
		return;
	}
	imap_session_forget_mailbox(conn->session);
	if (conn->adapter->closing != NULL) {
		conn_logout(conn);
		return;
	}
	conn->state = REMOTE_CONN_FREE;
	loop_timer_start(&conn->unused, REMOTE_IDLE_CLOSE_MS);
	remote_pool_turn(conn->adapter);
}

void remote_pool_drop_idle(struct adapter_remote *adapter)
{
	list_for_each(link, &adapter->conns)
	{
		if (conn_of_link(link)->state == REMOTE_CONN_FREE)
			conn_close(conn_of_link(link));
	}
}

bool remote_pool_has_selected(const struct remote_conn *conn, struct slice wire)
{
	struct slice selected = imap_session_selected(conn->session);

	if (selected.len < wire.len || memcmp(selected.data, wire.data, wire.len) != 0)
		return false;
	return selected.len == wire.len ||
	       selected.data[wire.len] == imap_session_separator(conn->session);
}

void remote_pool_drop_selected(struct adapter_remote *adapter, struct slice wire)
{
	list_for_each(link, &adapter->conns)
	{
		struct remote_conn *conn = conn_of_link(link);
		if (conn->state == REMOTE_CONN_FREE && remote_pool_has_selected(conn, wire))
			conn_logout(conn);
	}
}

/* A fetch that is paused may have no command to fail. */
static void conn_cancel(struct remote_conn *conn)
{
	if (conn->box != NULL)
		remote_fetch_cancel_all(conn->box);
	imap_session_cancel(conn->session);
}

void remote_pool_close(struct adapter_remote *adapter)
{
	list_for_each(link, &adapter->conns)
	{
		struct remote_conn *conn = conn_of_link(link);
		if (conn->state == REMOTE_CONN_FREE)
			conn_logout(conn);
		else if (conn->state == REMOTE_CONN_LOGIN)
			conn_close(conn);
		else if (conn->state == REMOTE_CONN_LEASED)
			conn_cancel(conn);
	}
	login_password_cancel(&adapter->password);
	remote_pool_turn(adapter);
}
