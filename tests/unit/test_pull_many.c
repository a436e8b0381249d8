/* A pull over 100,000 messages: ports that keep next to nothing and answer in the next turn, so
 * that what is measured is the engine.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/sync_pull.h"

#define MESSAGES 100000
#define PIECE 1000 /* messages in one turn */

struct many {
	struct maildrop maildrop;
	struct local_account local;
	struct local_mailbox mailbox;
	struct store_port store;
	struct env_port env;
	struct list turns; /* of requests that are answered next */
	struct pop3_record *records;
	uint32_t record_count;
	bool has_mailbox;
	/* The maildrop: messages first .. first + count - 1. */
	uint32_t first;
	uint32_t count;
	bool has_one_uid; /* for all of them */
	bool has_one_header;
	uint32_t bodies;
	uint32_t headers;
	uint32_t marked;
	bool is_paused;
	uint32_t delivered; /* the last message that was */
	uint32_t published;
	bool is_over;
	struct sync_pull_result result;
};

static struct many *many; /* the one there is: most ports are only its parts */

static void later(struct port_op *op)
{
	error_clear(&op->err);
	list_append(&many->turns, &op->link);
}

/* --- State --------------------------------------------------------------------------- */

static int mailbox_get(struct store_port *port, const char *name, bool *found,
		       struct mailbox_record *out, struct error *err)
{
	(void)port;
	(void)err;
	*found = many->has_mailbox;
	*out = (struct mailbox_record){ .id = 1 };
	(void)snprintf(out->name, sizeof(out->name), "%s", name);
	keyword_table_init(&out->keywords);
	return 0;
}

static uint32_t mailbox_new_id(struct store_port *port)
{
	(void)port;
	return 1;
}

static int setaside_each(struct store_port *port, uint32_t mailbox_id,
			 void (*each)(void *context, const struct setaside_record *setaside),
			 void *context, struct error *err)
{
	(void)port;
	(void)mailbox_id;
	(void)each;
	(void)context;
	(void)err;
	return 0;
}

static int pop3_each(struct store_port *port,
		     void (*each)(void *context, const struct pop3_record *pop3), void *context,
		     struct error *err)
{
	(void)port;
	(void)err;
	for (uint32_t i = 0; i < many->record_count; i++) {
		if (many->records[i].id != 0)
			each(context, &many->records[i]);
	}
	return 0;
}

static uint32_t pop3_new_id(struct store_port *port)
{
	(void)port;
	must(many->record_count < 2 * MESSAGES);
	return ++many->record_count;
}

static void commit(struct store_port *port, struct store_commit_req *req)
{
	(void)port;
	for (const struct store_change *c = req->batch.first; c != NULL; c = c->next) {
		if (c->kind == STORE_PUT_POP3)
			many->records[c->u.pop3.id - 1] = c->u.pop3;
		else if (c->kind == STORE_DELETE_POP3)
			many->records[c->u.pop3_id - 1].id = 0;
		many->has_mailbox |= c->kind == STORE_PUT_MAILBOX;
	}
	must(req->batch.count <= 2 * 500 + 1); /* so many changes are in memory */
	store_batch_free(&req->batch);
	later(&req->op);
}

/* --- Maildir ------------------------------------------------------------------------- */

static int check(struct local_account *account, bool is_first, struct error *err)
{
	(void)account;
	(void)is_first;
	(void)err;
	return 0;
}

static int open_mailbox(struct local_account *account, const char *name,
			struct keyword_table *keywords, struct local_mailbox **mailbox,
			struct error *err)
{
	(void)account;
	(void)name;
	(void)keywords;
	(void)err;
	*mailbox = &many->mailbox;
	return 0;
}

static int deliver_begin(struct local_mailbox *mailbox, struct local_delivery **delivery,
			 struct error *err)
{
	(void)mailbox;
	(void)err;
	*delivery = xmalloc(1);
	return 0;
}

static int deliver_write(struct local_delivery *delivery, struct slice data, struct error *err)
{
	(void)delivery;
	(void)data;
	(void)err;
	return 0;
}

static void make_identity(uint32_t number, struct digest *identity)
{
	struct identity fields;
	char text[32];

	identity_init(&fields);
	(void)snprintf(text, sizeof(text), "<%u@many>", many->has_one_header ? 1 : number);
	identity_add_field(&fields, SLICE_LITERAL("Message-ID"), slice_of(text));
	identity_digest(&fields, identity);
	identity_free(&fields);
}

static int deliver_end(struct local_delivery *delivery, int64_t mtime_s, char *name,
		       uint64_t *size_bytes, struct digest *identity, struct error *err)
{
	(void)mtime_s;
	(void)err;
	free(delivery);
	make_identity(many->delivered, identity);
	*size_bytes = 1000;
	(void)snprintf(name, MAIL_NAME_MAX + 1, "1700000000.M%uP4711Q1.host.example.org,S=990",
		       many->delivered);
	return 0;
}

static void deliver_abort(struct local_delivery *delivery)
{
	free(delivery);
}

static void flush(struct local_mailbox *mailbox, struct local_flush_req *req)
{
	(void)mailbox;
	later(&req->op);
}

/* Before the first pull it is empty, and later nobody asks. */
static void scan(struct local_mailbox *mailbox, struct local_scan_req *req)
{
	(void)mailbox;
	req->result->is_stable = true;
	later(&req->op);
}

static int publish(struct local_mailbox *mailbox, const char *name, uint64_t flags,
		   struct error *err)
{
	(void)mailbox;
	(void)name;
	(void)flags;
	(void)err;
	many->published++;
	return 0;
}

static int clean_tmp(struct local_mailbox *mailbox,
		     bool (*is_staged)(void *context, const char *name), void *context,
		     struct error *err)
{
	(void)mailbox;
	(void)is_staged;
	(void)context;
	(void)err;
	return 0;
}

static void close_mailbox(struct local_mailbox *mailbox)
{
	(void)mailbox;
}

/* --- Maildrop ------------------------------------------------------------------------ */

static void drop_open(struct maildrop *maildrop, struct maildrop_open_req *req)
{
	(void)maildrop;
	req->has_top = true;
	many->marked = 0;
	later(&req->op);
}

static void drop_list(struct maildrop *maildrop, struct maildrop_list_req *req)
{
	char uid[32];

	(void)maildrop;
	for (uint32_t i = 0; i < many->count; i++) {
		(void)snprintf(uid, sizeof(uid), "%08x%08x",
			       many->has_one_uid ? 1 : many->first + i, 4711);
		req->found(req, i + 1, 1000, slice_of(uid));
	}
	req->has_uids = req->is_complete = true;
	later(&req->op);
}

static void send_one(struct maildrop_fetch_req *req, uint32_t number)
{
	char header[128];
	static const char rest[1000];
	uint32_t message = many->first % MESSAGES + number;

	(void)snprintf(header, sizeof(header), "Message-ID: <%u@many>\r\n\r\n",
		       many->has_one_header ? 1 : message);
	must(req->begin(req, number) == 0);
	must(req->data(req, slice_of(header)) == 0);
	if (!req->is_header)
		must(req->data(req, (struct slice){ rest, 1000 - strlen(header) }) == 0);
	many->delivered = message;
	many->bodies += !req->is_header;
	many->headers += req->is_header;
	must(req->end(req, number) == 0);
}

static void fetch_turn(struct port_op *op, int code);

static struct fetching {
	struct port_op turn;
	struct maildrop_fetch_req *req;
} fetching;

static void fetch_turn(struct port_op *op, int code)
{
	uint32_t number = 0;

	(void)code;
	for (size_t i = 0; i < PIECE && !many->is_paused; i++) {
		if (!fetching.req->next(fetching.req, &number)) {
			fetching.req->op.done(&fetching.req->op, 0);
			return;
		}
		send_one(fetching.req, number);
	}
	if (!many->is_paused)
		later(op);
}

static void drop_fetch(struct maildrop *maildrop, struct maildrop_fetch_req *req)
{
	(void)maildrop;
	many->is_paused = false;
	fetching = (struct fetching){ .turn.done = fetch_turn, .req = req };
	later(&fetching.turn);
}

static void drop_pause(struct maildrop *maildrop, struct maildrop_fetch_req *req)
{
	(void)maildrop;
	(void)req;
	many->is_paused = true;
}

static void drop_resume(struct maildrop *maildrop, struct maildrop_fetch_req *req)
{
	(void)maildrop;
	(void)req;
	many->is_paused = false;
	later(&fetching.turn);
}

static void drop_remove(struct maildrop *maildrop, struct maildrop_delete_req *req)
{
	uint32_t number = 0;

	(void)maildrop;
	while (req->next(req, &number)) {
		many->marked++;
		req->answered(req, number, NULL);
	}
	later(&req->op);
}

static void drop_quit(struct maildrop *maildrop, struct maildrop_quit_req *req)
{
	(void)maildrop;
	must(many->marked == 0 || many->marked == many->count);
	if (many->marked > 0)
		many->count = 0;
	req->outcome = MAILDROP_GONE;
	later(&req->op);
}

static void drop_close(struct maildrop *maildrop, struct port_op *op)
{
	(void)maildrop;
	later(op);
}

/* --- The run ------------------------------------------------------------------------- */

static int64_t wall_s(struct env_port *env)
{
	(void)env;
	return 1700000000;
}

static void defer(struct env_port *env, struct port_op *op)
{
	(void)env;
	later(op);
}

static const struct store_ops store_ops = {
	.mailbox_get = mailbox_get,
	.mailbox_new_id = mailbox_new_id,
	.setaside_each = setaside_each,
	.pop3_each = pop3_each,
	.pop3_new_id = pop3_new_id,
	.commit = commit,
};
static const struct local_account_ops account_ops = { .check = check, .open = open_mailbox };
static const struct local_mailbox_ops mailbox_ops = {
	.scan = scan,
	.deliver_begin = deliver_begin,
	.deliver_write = deliver_write,
	.deliver_end = deliver_end,
	.deliver_abort = deliver_abort,
	.flush = flush,
	.publish = publish,
	.clean_tmp = clean_tmp,
	.close = close_mailbox,
};
static const struct maildrop_ops drop_ops = {
	.open = drop_open,
	.list = drop_list,
	.fetch = drop_fetch,
	.fetch_pause = drop_pause,
	.fetch_resume = drop_resume,
	.remove = drop_remove,
	.quit = drop_quit,
	.close = drop_close,
};
static const struct env_ops env_ops = { .wall_s = wall_s, .defer = defer };

static void over(struct sync_pull *pull, const struct sync_pull_result *result)
{
	(void)pull;
	many->result = *result;
	many->is_over = true;
}

static void run(enum pull_keep keep)
{
	const struct sync_pull_ports ports = { &many->maildrop, &many->local, &many->store,
					       &many->env };
	const struct sync_pull_options options = { .keep = keep };

	many->is_over = false;
	many->bodies = many->headers = many->published = 0;
	(void)sync_pull_start(&ports, &options, over);
	while (!many->is_over) {
		struct list *link = list_first(&many->turns);
		must(link != NULL);
		list_remove(link);
		struct port_op *op = container_of(link, struct port_op, link);
		op->done(op, 0);
	}
	assert_int_equal(many->result.err.code, 0);
}

static int setup(void **state)
{
	(void)state;
	many = xcalloc(1, sizeof(*many));
	many->records = xcalloc((size_t)2 * MESSAGES, sizeof(*many->records));
	many->maildrop.ops = &drop_ops;
	many->local.ops = &account_ops;
	many->mailbox.ops = &mailbox_ops;
	many->store.ops = &store_ops;
	many->env.ops = &env_ops;
	many->count = MESSAGES;
	list_init(&many->turns);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(many->records);
	free(many);
	return 0;
}

static void a_hundred_thousand_messages_are_fetched_known_and_deleted(void **state)
{
	(void)state;
	run(PULL_KEEP_ALL);
	assert_int_equal(many->result.counts.fetched, MESSAGES);
	assert_int_equal(many->published, MESSAGES);
	run(PULL_KEEP_ALL);
	assert_int_equal(many->bodies, 0);
	many->first = MESSAGES; /* all have another unique-id */
	run(PULL_KEEP_ALL);
	assert_int_equal(many->headers, MESSAGES);
	assert_int_equal(many->bodies, 0);
	run(PULL_KEEP_NONE);
	assert_int_equal(many->bodies + many->headers, 0);
	assert_int_equal(many->result.counts.expunged, MESSAGES);
	run(PULL_KEEP_NONE);
	assert_int_equal(many->result.messages, 0);
}

/* Nothing that a server says may take the square of their number. */
static void a_hundred_thousand_of_one_unique_id_end_in_time(void **state)
{
	(void)state;
	many->has_one_uid = true;
	run(PULL_KEEP_ALL);
	assert_int_equal(many->published, MESSAGES);
	many->count--; /* now all of them are suspects */
	run(PULL_KEEP_ALL);
	assert_int_equal(many->bodies, MESSAGES - 1);
	assert_int_equal(many->result.counts.fetched, 0);
}

static void a_hundred_thousand_equal_ones_end_in_time(void **state)
{
	(void)state;
	many->has_one_header = true;
	run(PULL_KEEP_ALL);
	assert_int_equal(many->result.counts.fetched, MESSAGES);
	many->has_one_uid = true;
	run(PULL_KEEP_ALL);
	assert_int_equal(many->result.counts.fetched, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hundred_thousand_messages_are_fetched_known_and_deleted),
		TEST(a_hundred_thousand_of_one_unique_id_end_in_time),
		TEST(a_hundred_thousand_equal_ones_end_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
