/* The kinds of remote port that the suite is run on.
 * SPDX-License-Identifier: MIT */
#include "port/remote_bench.h"

#include <stdio.h>

#include "syncd/alloc.h"

/* --- The kinds -------------------------------------------------------------------------- */

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

struct remote_kind remote_model_kinds[REMOTE_MODEL_KINDS] = {
	{ .name = "remote model",
	  .make = model_make,
	  .destroy = model_destroy,
	  .has_uidplus = true },
	{ .name = "remote model without UIDPLUS", .make = model_make, .destroy = model_destroy },
};
struct remote_kind remote_imap_kinds[REMOTE_IMAP_KINDS] = {
	{ .name = "remote imap",
	  .make = imap_make,
	  .destroy = imap_destroy,
	  .has_uidplus = true,
	  .has_modseq = true,
	  .tells_gone = true },
	{ .name = "remote imap without QRESYNC, LIST-STATUS",
	  .make = imap_make,
	  .destroy = imap_destroy,
	  .has_uidplus = true,
	  .has_modseq = true,
	  .without = { "QRESYNC", "LIST-STATUS" } },
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
	if (bench->other.is_there)
		bench->other.open.mailbox->ops->close(bench->other.open.mailbox);
	bench->kind->destroy(bench);
	turner_free(&bench->turner);
	keyword_table_free(&bench->keywords);
	keyword_table_free(&bench->other.keywords);
	free(bench);
	return 0;
}

struct remote_mailbox *remote_bench_other(struct remote_bench *bench)
{
	struct remote_other *other = &bench->other;

	other->open = (struct remote_open_req){ .name = bench->name, .keywords = &other->keywords };
	op_prepare(&bench->turner, &other->open.op);
	bench->account->ops->open(bench->account, &other->open);
	assert_int_equal(op_await(&bench->turner, &other->open.op), 0);
	other->is_there = true;
	return other->open.mailbox;
}

/* --- Requests -------------------------------------------------------------------------------- */

static int append_read(struct remote_append_req *req, char *out, size_t size, size_t *len)
{
	struct ask_append *append = container_of(req, struct ask_append, req);
	size_t left = req->size_bytes - append->at;

	if (append->fail_at > 0 && append->at >= append->fail_at)
		return SYNCD_EMESSAGE;
	if (append->fail_at > 0 && size > append->fail_at)
		size = append->fail_at;
	*len = left < size ? left : size;
	memcpy(out, append->body + append->at, *len);
	append->at += *len;
	return 0;
}

void ask_append_start(struct remote_bench *bench, struct remote_mailbox *mailbox,
		      struct ask_append *append, uint32_t content, uint64_t flags)
{
	size_t len = 0;

	append->body = model_body(content, &len);
	append->req.size_bytes = len;
	append->req.flags = flags;
	append->req.internaldate_s = ASK_DATE_S + content;
	append->req.read = append_read;
	op_prepare(&bench->turner, &append->req.op);
	mailbox->ops->append(mailbox, &append->req);
}

int ask_append_finish(struct remote_bench *bench, struct ask_append *append)
{
	int code = op_await(&bench->turner, &append->req.op);

	free(append->body);
	return code;
}

int ask_append(struct remote_bench *bench, struct remote_mailbox *mailbox,
	       struct ask_append *append, uint32_t content, uint64_t flags)
{
	ask_append_start(bench, mailbox, append, content, flags);
	return ask_append_finish(bench, append);
}

struct uidset ask_set(const char *text)
{
	struct uidset set;

	uidset_init(&set);
	assert_int_equal(uidset_parse(&set, slice_of(text), UINT32_MAX), 0);
	return set;
}

int ask_store(struct remote_bench *bench, struct remote_mailbox *mailbox, const char *text,
	      uint64_t add, uint64_t remove)
{
	struct uidset uids = ask_set(text);
	struct remote_store_req req = { .uids = &uids, .add = add, .remove = remove };

	op_prepare(&bench->turner, &req.op);
	mailbox->ops->store(mailbox, &req);
	int code = op_await(&bench->turner, &req.op);
	uidset_free(&uids);
	return code;
}

int ask_expunge(struct remote_bench *bench, struct remote_mailbox *mailbox, const char *text)
{
	struct uidset uids = ask_set(text);
	struct remote_expunge_req req = { .uids = &uids };

	op_prepare(&bench->turner, &req.op);
	mailbox->ops->expunge(mailbox, &req);
	int code = op_await(&bench->turner, &req.op);
	uidset_free(&uids);
	return code;
}
