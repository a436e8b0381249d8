/* The kinds of remote port that the suite is run on.
 * SPDX-License-Identifier: MIT */
#include "port/remote_bench.h"

#include <stdio.h>

#include "syncd/alloc.h"

/* --- The two kinds -------------------------------------------------------------------------- */

static void model_make(struct remote_bench *bench)
{
	bench->turner.world = xcalloc(1, sizeof(*bench->turner.world));
	world_init(bench->turner.world, 1);
	bench->turner.world->server.has_uidplus = bench->kind->has_uidplus;
	bench->account = &bench->turner.world->remote;
	(void)snprintf(bench->name, sizeof(bench->name), "INBOX");
}

static void model_destroy(struct remote_bench *bench)
{
	(void)bench;
}

/* One server for all tests, a new mailbox for each. */
static void imap_make(struct remote_bench *bench)
{
	const struct adapter_remote_settings settings = {
		.account = "port",
		.target = { .host = "127.0.0.1",
			    .port = bench->kind->server.port,
			    .tls = NET_TLS_NONE,
			    .timeout_ms = 10000 },
		.user = SERVER_USER,
		.password = SERVER_PASSWORD,
		.allow_plaintext = true,
		.connections = 2,
	};
	struct error err;

	bench->turner.loop = loop_new();
	bench->adapter = adapter_remote_new(bench->turner.loop, &settings, &err);
	must(bench->adapter != NULL);
	bench->account = adapter_remote_port(bench->adapter);
	(void)snprintf(bench->name, sizeof(bench->name), "port/T%u", ++bench->kind->mailboxes_made);
}

static void imap_destroy(struct remote_bench *bench)
{
	struct port_op op = { .err.code = 0 };

	op_prepare(&bench->turner, &op);
	adapter_remote_close(bench->adapter, &op);
	(void)op_await(&bench->turner, &op);
}

struct remote_kind remote_model_kinds[REMOTE_KIND_COUNT] = {
	{ .name = "remote model",
	  .make = model_make,
	  .destroy = model_destroy,
	  .has_uidplus = true },
	{ .name = "remote model without UIDPLUS", .make = model_make, .destroy = model_destroy },
};
struct remote_kind remote_imap_kinds[REMOTE_KIND_COUNT] = {
	{ .name = "remote imap", .make = imap_make, .destroy = imap_destroy, .has_uidplus = true },
	{ .name = "remote imap without extensions",
	  .make = imap_make,
	  .destroy = imap_destroy,
	  .without = { "UIDPLUS", "LITERAL+", "ESEARCH", "CONDSTORE", "QRESYNC", "ENABLE", "BINARY",
		       "SASL-IR", "ID", "IDLE", "NAMESPACE", "UNSELECT", "MOVE", "LIST-EXTENDED",
		       "LIST-STATUS" } },
};

int remote_bench_create(struct remote_bench *bench)
{
	struct remote_create_req req = { .name = bench->name };

	op_prepare(&bench->turner, &req.op);
	bench->account->ops->create(bench->account, &req);
	return op_await(&bench->turner, &req.op);
}

void remote_bench_open(struct remote_bench *bench)
{
	bench->open = (struct remote_open_req){ .name = bench->name, .keywords = &bench->keywords };
	op_prepare(&bench->turner, &bench->open.op);
	bench->account->ops->open(bench->account, &bench->open);
	assert_int_equal(op_await(&bench->turner, &bench->open.op), 0);
}

void remote_bench_close(struct remote_bench *bench)
{
	bench->open.mailbox->ops->close(bench->open.mailbox);
}

int remote_bench_setup(void **state)
{
	struct remote_bench *bench = xcalloc(1, sizeof(*bench));

	bench->kind = *state;
	bench->kind->make(bench);
	*state = bench;
	assert_int_equal(remote_bench_create(bench), 0);
	remote_bench_open(bench);
	return 0;
}

int remote_bench_teardown(void **state)
{
	struct remote_bench *bench = *state;

	remote_bench_close(bench);
	bench->kind->destroy(bench);
	turner_free(&bench->turner);
	keyword_table_free(&bench->keywords);
	free(bench);
	return 0;
}
