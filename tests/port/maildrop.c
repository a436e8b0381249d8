/* The maildrop port: the model of the tests of pulls, and POP3 on a real server.
 * SPDX-License-Identifier: MIT */
#include "port/port.h"

#include <stdio.h>

#include "port/server.h"
#include "support/model_maildrop.h"
#include "syncd/adapter_maildrop.h"
#include "syncd/alloc.h"

#define MESSAGES SERVER_POP3_MESSAGES
#define BODY_MAX (1 << 20)

struct drop_kind;

struct drop_bench {
	const struct drop_kind *kind;
	struct turner turner;
	struct maildrop *port;
	struct model_maildrop *model;
	struct adapter_maildrop *adapter; /* of the real one */
	char user[16];

	struct maildrop_open_req open;
	struct maildrop_list_req list;
	struct maildrop_fetch_req fetch;
	struct maildrop_delete_req remove;
	struct maildrop_quit_req quit;
	struct port_op close;
	bool is_open;

	size_t listed;
	char uids[MESSAGES + 1][MODEL_DROP_UID_MAX];
	uint64_t sizes[MESSAGES + 1];

	const uint32_t *numbers; /* to be asked for; ends with 0 */
	int give_up;             /* what data() answers */
	bool pauses;             /* at the first piece of data */
	bool is_paused;
	uint32_t in_body; /* 0: between bodies */
	size_t bodies;
	size_t refused;
	size_t marked;
	struct buf body; /* the last one */
};

struct drop_kind {
	const char *name;
	void (*make)(struct drop_bench *bench);
	void (*destroy)(struct drop_bench *bench);
};

/* --- The two kinds -------------------------------------------------------------------- */

static void model_make(struct drop_bench *bench)
{
	char uid[16];

	bench->turner.world = xcalloc(1, sizeof(*bench->turner.world));
	world_init(bench->turner.world, 1);
	bench->model = xcalloc(1, sizeof(*bench->model));
	model_maildrop_init(bench->model, bench->turner.world);
	for (uint32_t n = 1; n <= MESSAGES; n++) {
		(void)snprintf(uid, sizeof(uid), "uid-%u", n);
		model_maildrop_add(bench->model, uid, n);
	}
	bench->port = &bench->model->port;
}

static void model_destroy(struct drop_bench *bench)
{
	free(bench->model);
}

static struct server server;
static unsigned users_used;

static void pop3_make(struct drop_bench *bench)
{
	struct error err;

	must(++users_used <= SERVER_POP3_USERS);
	(void)snprintf(bench->user, sizeof(bench->user), "me%u", users_used);
	const struct adapter_maildrop_settings settings = {
		.account = "port",
		.target = { .host = "localhost",
			    .port = server.tls_port,
			    .tls = NET_TLS_IMPLICIT,
			    .tls_ca_file = server.ca_file,
			    .timeout_ms = 10000 },
		.user = bench->user,
		.password = SERVER_PASSWORD,
	};
	bench->turner.loop = loop_new();
	bench->adapter = adapter_maildrop_new(bench->turner.loop, &settings, &err);
	must(bench->adapter != NULL);
	bench->port = adapter_maildrop_port(bench->adapter);
}

static void pop3_destroy(struct drop_bench *bench)
{
	adapter_maildrop_free(&bench->adapter);
}

static struct drop_kind model_kind = { "maildrop model", model_make, model_destroy };
static struct drop_kind pop3_kind = { "maildrop pop3", pop3_make, pop3_destroy };

/* --- Requests --------------------------------------------------------------------------- */

static void open_drop(struct drop_bench *bench)
{
	op_prepare(&bench->turner, &bench->open.op);
	bench->port->ops->open(bench->port, &bench->open);
	assert_int_equal(op_await(&bench->turner, &bench->open.op), 0);
	bench->is_open = true;
}

static void close_drop(struct drop_bench *bench)
{
	op_prepare(&bench->turner, &bench->close);
	bench->port->ops->close(bench->port, &bench->close);
	assert_int_equal(op_await(&bench->turner, &bench->close), 0);
	bench->is_open = false;
}

static void found(struct maildrop_list_req *req, uint32_t number, uint64_t size_bytes,
		  struct slice uid)
{
	struct drop_bench *bench = container_of(req, struct drop_bench, list);

	assert_int_equal(number, ++bench->listed); /* nothing is missing here */
	assert_in_range(number, 1, MESSAGES);
	assert_in_range(uid.len, 1, MODEL_DROP_UID_MAX - 1);
	(void)snprintf(bench->uids[number], MODEL_DROP_UID_MAX, "%.*s", (int)uid.len, uid.data);
	bench->sizes[number] = size_bytes;
}

static size_t list_drop(struct drop_bench *bench)
{
	bench->listed = 0;
	bench->list.found = found;
	op_prepare(&bench->turner, &bench->list.op);
	bench->port->ops->list(bench->port, &bench->list);
	assert_int_equal(op_await(&bench->turner, &bench->list.op), 0);
	assert_true(bench->list.has_uids);
	assert_true(bench->list.is_complete);
	return bench->listed;
}

static bool next_number(struct drop_bench *bench, uint32_t *number)
{
	*number = *bench->numbers;
	bench->numbers += *number != 0;
	return *number != 0;
}

static bool fetch_next(struct maildrop_fetch_req *req, uint32_t *number)
{
	return next_number(container_of(req, struct drop_bench, fetch), number);
}

static int fetch_begin(struct maildrop_fetch_req *req, uint32_t number)
{
	struct drop_bench *bench = container_of(req, struct drop_bench, fetch);

	assert_int_equal(bench->in_body, 0);
	bench->in_body = number;
	buf_reset(&bench->body);
	return 0;
}

static int fetch_data(struct maildrop_fetch_req *req, struct slice data)
{
	struct drop_bench *bench = container_of(req, struct drop_bench, fetch);

	assert_int_not_equal(bench->in_body, 0);
	if (bench->pauses && !bench->is_paused) {
		bench->is_paused = true;
		bench->port->ops->fetch_pause(bench->port, req);
	}
	if (bench->give_up != 0)
		return bench->give_up;
	return buf_add(&bench->body, data.data, data.len);
}

static int fetch_end(struct maildrop_fetch_req *req, uint32_t number)
{
	struct drop_bench *bench = container_of(req, struct drop_bench, fetch);

	assert_int_equal(bench->in_body, number);
	if (!req->is_header && number < MESSAGES) /* the last one has no line's end there */
		assert_int_equal(bench->body.len, bench->sizes[number]);
	bench->in_body = 0;
	bench->bodies++;
	return 0;
}

static int fetch_refused(struct maildrop_fetch_req *req, uint32_t number, const struct error *err)
{
	(void)number;
	assert_int_equal(err->code, SYNCD_EMESSAGE);
	container_of(req, struct drop_bench, fetch)->refused++;
	return 0;
}

static void fetch_start(struct drop_bench *bench, const uint32_t *numbers, bool is_header)
{
	bench->numbers = numbers;
	bench->in_body = 0;
	bench->bodies = 0;
	bench->refused = 0;
	bench->is_paused = false;
	bench->fetch.is_header = is_header;
	bench->fetch.next = fetch_next;
	bench->fetch.begin = fetch_begin;
	bench->fetch.data = fetch_data;
	bench->fetch.end = fetch_end;
	bench->fetch.refused = fetch_refused;
	op_prepare(&bench->turner, &bench->fetch.op);
	bench->port->ops->fetch(bench->port, &bench->fetch);
}

static int fetch(struct drop_bench *bench, const uint32_t *numbers, bool is_header)
{
	fetch_start(bench, numbers, is_header);
	return op_await(&bench->turner, &bench->fetch.op);
}

static bool remove_next(struct maildrop_delete_req *req, uint32_t *number)
{
	return next_number(container_of(req, struct drop_bench, remove), number);
}

static void removed(struct maildrop_delete_req *req, uint32_t number, const struct error *refusal)
{
	(void)number;
	container_of(req, struct drop_bench, remove)->marked += refusal == NULL;
}

static size_t mark(struct drop_bench *bench, const uint32_t *numbers)
{
	bench->numbers = numbers;
	bench->marked = 0;
	bench->remove.next = remove_next;
	bench->remove.answered = removed;
	op_prepare(&bench->turner, &bench->remove.op);
	bench->port->ops->remove(bench->port, &bench->remove);
	assert_int_equal(op_await(&bench->turner, &bench->remove.op), 0);
	return bench->marked;
}

static int quit(struct drop_bench *bench)
{
	op_prepare(&bench->turner, &bench->quit.op);
	bench->port->ops->quit(bench->port, &bench->quit);
	return op_await(&bench->turner, &bench->quit.op);
}

static int setup(void **state)
{
	struct drop_bench *bench = xcalloc(1, sizeof(*bench));

	bench->kind = *state;
	buf_init(&bench->body, BODY_MAX);
	bench->kind->make(bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct drop_bench *bench = *state;

	if (bench->is_open)
		close_drop(bench);
	bench->kind->destroy(bench);
	turner_free(&bench->turner);
	buf_free(&bench->body);
	free(bench);
	return 0;
}

/* --- Cases --------------------------------------------------------------------------------- */

static void each_message_is_listed_with_a_name_of_its_own(void **state)
{
	struct drop_bench *bench = *state;

	open_drop(bench);
	assert_int_equal(bench->open.login_delay_s, 0);
	assert_true(bench->open.has_top);
	assert_int_equal(list_drop(bench), MESSAGES);
	for (size_t i = 1; i <= MESSAGES; i++) {
		assert_int_not_equal(bench->sizes[i], 0);
		for (size_t other = 1; other < i; other++)
			assert_string_not_equal(bench->uids[i], bench->uids[other]);
	}
}

static void messages_come_in_the_order_they_are_asked_for(void **state)
{
	static const uint32_t numbers[] = { 7, 1, 20, 3, 4, 5, 6, 0 };
	struct drop_bench *bench = *state;
	struct buf header;

	open_drop(bench);
	(void)list_drop(bench);
	assert_int_equal(fetch(bench, numbers, false), 0);
	assert_int_equal(bench->bodies, 7);
	buf_init(&header, BODY_MAX);
	must(buf_add(&header, bench->body.data, bench->body.len) == 0);
	assert_int_equal(fetch(bench, numbers, true), 0); /* the last header begins the last body */
	assert_int_equal(bench->bodies, 7);
	assert_in_range(bench->body.len, 1, header.len - 1);
	assert_memory_equal(bench->body.data, header.data, bench->body.len);
	assert_string_equal(buf_str(&bench->body) + bench->body.len - 4, "\r\n\r\n");
	buf_free(&header);
	assert_int_equal(fetch(bench, numbers + 7, false), 0); /* none */
	assert_int_equal(bench->bodies, 0);
}

static void a_fetch_is_given_up_with_the_callbacks_code(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3, 0 };
	struct drop_bench *bench = *state;

	open_drop(bench);
	(void)list_drop(bench);
	bench->give_up = SYNCD_ENOSPC;
	assert_int_equal(fetch(bench, numbers, false), SYNCD_ENOSPC);
	assert_int_equal(bench->bodies, 0);
	assert_int_equal(bench->in_body, 1);
	bench->give_up = 0;
	assert_int_equal(fetch(bench, numbers, false), 0); /* the session goes on */
	assert_int_equal(bench->bodies, 3);
}

static void a_paused_fetch_goes_on_when_it_is_resumed(void **state)
{
	static const uint32_t numbers[] = { 18, 19, 20, 0 };
	struct drop_bench *bench = *state;

	open_drop(bench);
	(void)list_drop(bench);
	bench->pauses = true;
	fetch_start(bench, numbers, false);
	turner_idle(&bench->turner);
	assert_true(bench->is_paused);
	bench->port->ops->fetch_resume(bench->port, &bench->fetch);
	assert_int_equal(op_await(&bench->turner, &bench->fetch.op), 0);
	assert_int_equal(bench->bodies, 3);
}

static void what_is_marked_is_gone_behind_quit(void **state)
{
	static const uint32_t numbers[] = { 2, 3, 20, 0 };
	struct drop_bench *bench = *state;
	char fourth[MODEL_DROP_UID_MAX];

	open_drop(bench);
	(void)list_drop(bench);
	memcpy(fourth, bench->uids[4], sizeof(fourth));
	assert_int_equal(mark(bench, numbers), 3);
	assert_int_equal(quit(bench), 0);
	assert_int_equal(bench->quit.outcome, MAILDROP_GONE);
	close_drop(bench);
	open_drop(bench);
	assert_int_equal(list_drop(bench), MESSAGES - 3);
	assert_string_equal(bench->uids[2], fourth);
}

static void nothing_is_gone_without_quit(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 0 };
	struct drop_bench *bench = *state;

	open_drop(bench);
	assert_int_equal(mark(bench, numbers), 2);
	close_drop(bench);
	open_drop(bench);
	assert_int_equal(list_drop(bench), MESSAGES);
}

static void a_cancelled_fetch_ends_though_it_is_paused_and_all_is_there(void **state)
{
	static const uint32_t marks[] = { 1, 2, 0 };
	static const uint32_t numbers[] = { 18, 19, 20, 0 };
	struct drop_bench *bench = *state;

	open_drop(bench);
	(void)list_drop(bench);
	assert_int_equal(mark(bench, marks), 2);
	bench->pauses = true;
	fetch_start(bench, numbers, false);
	turner_idle(&bench->turner);
	bench->port->ops->cancel(bench->port);
	assert_int_equal(op_await(&bench->turner, &bench->fetch.op), SYNCD_ECANCELLED);
	assert_int_not_equal(quit(bench), 0);
	assert_int_not_equal(bench->quit.outcome, MAILDROP_GONE);
	close_drop(bench);
	open_drop(bench);
	assert_int_equal(list_drop(bench), MESSAGES);
}

void maildrop_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(each_message_is_listed_with_a_name_of_its_own),
		PORT_CASE(messages_come_in_the_order_they_are_asked_for),
		PORT_CASE(a_fetch_is_given_up_with_the_callbacks_code),
		PORT_CASE(a_paused_fetch_goes_on_when_it_is_resumed),
		PORT_CASE(what_is_marked_is_gone_behind_quit),
		PORT_CASE(nothing_is_gone_without_quit),
		PORT_CASE(a_cancelled_fetch_ends_though_it_is_paused_and_all_is_there),
	};

	port_tests_add(tests, model_kind.name, &model_kind, cases, ARRAY_LEN(cases), setup,
		       teardown);
	server_start_pop3(&server);
	if (server.port != 0)
		port_tests_add(tests, pop3_kind.name, &pop3_kind, cases, ARRAY_LEN(cases), setup,
			       teardown);
}

void maildrop_tests_end(void)
{
	server_stop(&server);
}
