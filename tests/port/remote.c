/* The remote port: every operation and the outcomes that ports.h promises.
 * SPDX-License-Identifier: MIT */
#include "port/remote_bench.h"

#include "syncd/alloc.h"

#define WORK (FLAGS_SYSTEM + 1) /* the first keyword's bit */
#define CONTENTS_MAX 1201
#define TOGETHER 120 /* messages appended at once */

/* Returns the UID, which follows those before it (RFC 3501 §2.3.1.1) even when not told. */
static uint32_t append(struct remote_bench *bench, uint32_t content, uint64_t flags)
{
	struct ask_append append = { .at = 0 };

	assert_int_equal(ask_append(bench, bench->open.mailbox, &append, content, flags), 0);
	bench->appended++;
	if (append.req.uid != 0 || bench->kind->has_uidplus) /* some tell unasked */
		assert_int_equal(append.req.uid, bench->appended);
	return bench->appended;
}

/* Messages with the UIDs 1..count; message n has content n. */
static void append_many(struct remote_bench *bench, uint32_t count, uint64_t flags)
{
	for (uint32_t n = 1; n <= count; n++)
		assert_int_equal(append(bench, n, flags), n);
}

/* --- Short ways
 * ----------------------------------------------------------------------------------- */

static void assert_listing(struct remote_bench *bench, const struct remote_flags *items,
			   size_t count)
{
	struct remote_observation result;
	struct remote_observe_req req = { .result = &result };

	remote_observation_init(&result);
	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->observe(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	assert_false(result.is_delta); /* none was asked for */
	assert_true(result.is_complete);
	assert_int_equal(result.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(result.items[i].uid, items[i].uid);
		assert_int_equal(result.items[i].flags, items[i].flags);
		assert_true(result.uidnext == 0 || result.uidnext > items[i].uid);
	}
	remote_observation_free(&result);
}

static int store(struct remote_bench *bench, const char *text, uint64_t add, uint64_t remove)
{
	return ask_store(bench, bench->open.mailbox, text, add, remove);
}

static int expunge(struct remote_bench *bench, const char *text)
{
	return ask_expunge(bench, bench->open.mailbox, text);
}

/* --- Fetching
 * ---------------------------------------------------------------------------------------- */

struct fetch {
	struct remote_fetch_req req;
	struct remote_bench *bench;
	struct buf bodies[REMOTE_LANES_MAX];
	bool is_begun[REMOTE_LANES_MAX]; /* between begin and end */
	size_t begun;
	size_t ended;
	bool pauses;                     /* at the end of the first message */
	int begin_code;                  /* what begin returns */
	uint32_t contents[CONTENTS_MAX]; /* by UID */
};

static int fetch_begin(struct remote_fetch_req *req, unsigned lane, uint64_t size_bytes)
{
	struct fetch *fetch = container_of(req, struct fetch, req);

	assert_true(lane < REMOTE_LANES_MAX);
	assert_false(fetch->is_begun[lane]);
	assert_true(size_bytes > 0);
	fetch->is_begun[lane] = true;
	fetch->begun++;
	buf_reset(&fetch->bodies[lane]);
	return fetch->begin_code;
}

static int fetch_data(struct remote_fetch_req *req, unsigned lane, struct slice data)
{
	struct fetch *fetch = container_of(req, struct fetch, req);

	assert_true(fetch->is_begun[lane]);
	assert_int_equal(buf_add(&fetch->bodies[lane], data.data, data.len), 0);
	return 0;
}

static int fetch_end(struct remote_fetch_req *req, unsigned lane, uint32_t uid,
		     int64_t internaldate_s)
{
	struct fetch *fetch = container_of(req, struct fetch, req);

	assert_true(fetch->is_begun[lane]);
	assert_true(uidset_contains(req->uids, uid));
	assert_int_equal(internaldate_s, ASK_DATE_S + uid);
	assert_true(uid < ARRAY_LEN(fetch->contents) && fetch->contents[uid] == 0);
	fetch->contents[uid] = model_content_of(buf_slice(&fetch->bodies[lane]));
	fetch->is_begun[lane] = false;
	fetch->ended++;
	if (fetch->pauses && fetch->ended == 1)
		fetch->bench->open.mailbox->ops->fetch_pause(fetch->bench->open.mailbox, req);
	return 0;
}

static void fetch_start(struct remote_bench *bench, struct fetch *fetch, struct uidset *uids)
{
	for (size_t i = 0; i < REMOTE_LANES_MAX; i++)
		buf_init(&fetch->bodies[i], 65536);
	fetch->bench = bench;
	fetch->req.uids = uids;
	fetch->req.begin = fetch_begin;
	fetch->req.data = fetch_data;
	fetch->req.end = fetch_end;
	op_prepare(&bench->turner, &fetch->req.op);
	bench->open.mailbox->ops->fetch(bench->open.mailbox, &fetch->req);
}

static int fetch_finish(struct remote_bench *bench, struct fetch *fetch, struct uidset *uids)
{
	int code = op_await(&bench->turner, &fetch->req.op);

	for (size_t i = 0; i < REMOTE_LANES_MAX; i++)
		buf_free(&fetch->bodies[i]);
	uidset_free(uids);
	return code;
}

static int fetch(struct remote_bench *bench, struct fetch *fetch, const char *text)
{
	struct uidset uids = ask_set(text);

	fetch_start(bench, fetch, &uids);
	return fetch_finish(bench, fetch, &uids);
}

/* --- The cases
 * -------------------------------------------------------------------------------------------- */

static void opening_tells_what_the_mailbox_holds(void **state)
{
	struct remote_bench *bench = *state;
	uint32_t uidvalidity = bench->open.uidvalidity;

	assert_int_not_equal(uidvalidity, 0);
	assert_int_equal(bench->open.exists, 0);
	assert_true(bench->open.uidnext <= 1);
	assert_false(bench->open.is_read_only);
	assert_int_equal(bench->open.flags_mask & FLAGS_SYSTEM, FLAGS_SYSTEM);
	append_many(bench, 2, 0);
	remote_bench_close(bench);
	remote_bench_open(bench);
	assert_int_equal(bench->open.uidvalidity, uidvalidity);
	assert_int_equal(bench->open.exists, 2);
	assert_true(bench->open.uidnext == 0 || bench->open.uidnext == 3);
}

static void an_empty_mailbox_lists_nothing(void **state)
{
	assert_listing(*state, NULL, 0);
}

static void an_appended_message_is_listed_with_its_flags(void **state)
{
	static const struct remote_flags expected[] = {
		{ 1, 0 },
		{ 2, FLAG_SEEN },
		{ 3, FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT | FLAG_DELETED | FLAG_FORWARDED },
	};
	struct remote_bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(append(bench, (uint32_t)i + 1, expected[i].flags),
				 expected[i].uid);
	assert_listing(bench, expected, ARRAY_LEN(expected));
}

static void a_keyword_is_kept(void **state)
{
	struct remote_bench *bench = *state;
	uint64_t work = keyword_table_intern(&bench->keywords, slice_of("work"));

	assert_int_equal(append(bench, 1, work | FLAG_SEEN), 1);
	assert_int_equal(append(bench, 2, 0), 2);
	assert_int_equal(store(bench, "2", work, 0), 0);
	assert_listing(bench, (struct remote_flags[]){ { 1, WORK | FLAG_SEEN }, { 2, WORK } }, 2);
	assert_int_equal(store(bench, "1", 0, work), 0);
	assert_listing(bench, (struct remote_flags[]){ { 1, FLAG_SEEN }, { 2, WORK } }, 2);
}

static void an_append_that_cannot_be_read_fails_and_leaves_nothing(void **state)
{
	struct remote_bench *bench = *state;
	struct ask_append broken = { .fail_at = 10 };

	assert_int_equal(ask_append(bench, bench->open.mailbox, &broken, 1, 0), SYNCD_EMESSAGE);
	remote_bench_close(bench);
	remote_bench_open(bench);
	assert_int_equal(bench->open.exists, 0);
}

/* More of them than fit one command. */
static void appends_started_together_each_get_their_own_uid(void **state)
{
	struct remote_bench *bench = *state;
	struct ask_append *appends = xcalloc(TOGETHER, sizeof(*appends));
	struct fetch *result = xcalloc(1, sizeof(*result));

	for (uint32_t i = 0; i < TOGETHER; i++)
		ask_append_start(bench, bench->open.mailbox, &appends[i], i + 1, 0);
	for (uint32_t i = 0; i < TOGETHER; i++)
		assert_int_equal(ask_append_finish(bench, &appends[i]), 0);
	assert_int_equal(fetch(bench, result, "1:120"), 0);
	for (uint32_t i = 0; i < TOGETHER; i++) {
		uint32_t uid = appends[i].req.uid;
		assert_true(uid <= TOGETHER && (uid != 0 || !bench->kind->has_uidplus));
		if (uid != 0)
			assert_int_equal(result->contents[uid], i + 1);
	}
	free(result);
	free(appends);
}

static void a_fetch_gives_each_message_in_one_piece(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch result = { .begun = 0 };

	append_many(bench, 5, 0);
	assert_int_equal(fetch(bench, &result, "1,3:5"), 0);
	assert_int_equal(result.begun, 4);
	assert_int_equal(result.ended, 4);
	for (uint32_t uid = 1; uid <= 5; uid++)
		assert_int_equal(result.contents[uid], uid == 2 ? 0 : uid);
	/* BODY.PEEK: fetching is not reading. */
	assert_listing(bench,
		       (struct remote_flags[]){ { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 } },
		       5);
}

static void a_fetch_of_unknown_uids_succeeds_without_them(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch none = { .begun = 0 };
	struct fetch some = { .begun = 0 };

	assert_int_equal(fetch(bench, &none, "5:9"), 0); /* of an empty mailbox */
	append_many(bench, 3, 0);
	assert_int_equal(expunge(bench, "2"), 0);
	assert_int_equal(fetch(bench, &none, "2,77"), 0);
	assert_int_equal(none.begun, 0);
	assert_int_equal(fetch(bench, &some, "1:9"), 0);
	assert_int_equal(some.ended, 2);
	assert_int_equal(some.contents[1], 1);
	assert_int_equal(some.contents[2], 0);
	assert_int_equal(some.contents[3], 3);
}

static void a_fetch_is_given_up_with_the_code_of_begin(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch result = { .begin_code = SYNCD_ENOSPC };

	append_many(bench, 3, 0);
	assert_int_equal(fetch(bench, &result, "1:3"), SYNCD_ENOSPC);
	assert_int_equal(result.begun, 1);
	assert_int_equal(result.ended, 0);
}

/* What an adapter has read already it may still give, 64 KB: so many that this cannot be all. The
 * model gives nothing more, and holds less. */
static void a_paused_fetch_stops_until_it_is_resumed(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch *result = xcalloc(1, sizeof(*result));
	uint32_t count = bench->adapter != NULL ? 1000 : 500;
	struct uidset uids = ask_set(bench->adapter != NULL ? "1:1000" : "1:500");

	result->pauses = true;
	append_many(bench, count, 0);
	fetch_start(bench, result, &uids);
	while (result->ended == 0)
		turner_idle(&bench->turner);
	size_t ended;
	do {
		ended = result->ended;
		for (int i = 0; i < 5; i++)
			turner_idle(&bench->turner);
	} while (result->ended != ended);
	assert_true(ended < count);
	bench->open.mailbox->ops->fetch_resume(bench->open.mailbox, &result->req);
	assert_int_equal(fetch_finish(bench, result, &uids), 0);
	assert_int_equal(result->ended, count);
	free(result);
}

/* Paused, it has the time to get a further session; tests/script and tests/real see that it does.
 */
static void a_large_mailbox_comes_whole(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch *result = xcalloc(1, sizeof(*result));
	struct uidset uids = ask_set("1:1200");

	result->pauses = true;
	append_many(bench, 1200, 0);
	fetch_start(bench, result, &uids);
	while (result->ended == 0)
		turner_idle(&bench->turner);
	for (int i = 0; i < 10; i++)
		turner_idle(&bench->turner);
	bench->open.mailbox->ops->fetch_resume(bench->open.mailbox, &result->req);
	assert_int_equal(fetch_finish(bench, result, &uids), 0);
	assert_int_equal(result->ended, 1200);
	for (uint32_t uid = 1; uid <= 1200; uid++)
		assert_int_equal(result->contents[uid], uid);
	free(result);
}

static void storing_flags_twice_is_as_storing_them_once(void **state)
{
	struct remote_bench *bench = *state;
	static const struct remote_flags expected[] = { { 1, FLAG_FLAGGED },
							{ 2, FLAG_FLAGGED },
							{ 3, FLAG_SEEN } };

	append_many(bench, 3, FLAG_SEEN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store(bench, "1:2", FLAG_FLAGGED, FLAG_SEEN), 0);
		assert_listing(bench, expected, ARRAY_LEN(expected));
	}
}

static void storing_only_adds_or_only_removes(void **state)
{
	struct remote_bench *bench = *state;

	append_many(bench, 2, FLAG_SEEN);
	assert_int_equal(store(bench, "1", FLAG_DRAFT, 0), 0);
	assert_int_equal(store(bench, "2", 0, FLAG_SEEN | FLAG_DRAFT), 0);
	assert_listing(bench, (struct remote_flags[]){ { 1, FLAG_SEEN | FLAG_DRAFT }, { 2, 0 } },
		       2);
}

static void storing_to_unknown_uids_is_no_error(void **state)
{
	struct remote_bench *bench = *state;

	append_many(bench, 1, 0);
	assert_int_equal(store(bench, "50:60,4294967295", FLAG_SEEN, 0), 0);
	assert_int_equal(store(bench, "1,50:60", FLAG_SEEN, 0), 0);
	assert_listing(bench, (struct remote_flags[]){ { 1, FLAG_SEEN } }, 1);
}

static void an_expunge_takes_only_the_uids_it_names(void **state)
{
	struct remote_bench *bench = *state;

	append_many(bench, 5, 0);
	assert_int_equal(store(bench, "2,4", FLAG_DELETED, 0), 0); /* someone else's */
	assert_int_equal(expunge(bench, "1,4"), 0);
	assert_listing(bench, (struct remote_flags[]){ { 2, FLAG_DELETED }, { 3, 0 }, { 5, 0 } },
		       3);
	assert_int_equal(expunge(bench, "1,4"), 0); /* gone already */
	assert_int_equal(expunge(bench, "70:80"), 0);
	assert_listing(bench, (struct remote_flags[]){ { 2, FLAG_DELETED }, { 3, 0 }, { 5, 0 } },
		       3);
	assert_int_equal(append(bench, 6, 0), 6); /* UIDs are not used again */
}

/* --- Identifying
 * ------------------------------------------------------------------------------------------- */

struct identify {
	struct remote_identify_req req;
	size_t found;
	uint64_t flags[16]; /* by UID */
	bool is_found[16];
};

/* Message n has the UID and content n. */
static void identify_found(struct remote_identify_req *req, uint32_t uid,
			   const struct digest *identity, uint64_t size_bytes, uint64_t flags)
{
	struct identify *identify = container_of(req, struct identify, req);
	struct digest expected;
	uint64_t expected_size = 0;

	assert_true(uid < ARRAY_LEN(identify->flags) && !identify->is_found[uid]);
	assert_true(uidset_contains(req->uids, uid));
	model_identity(uid, &expected, &expected_size);
	assert_true(digest_equals(identity, &expected));
	assert_int_equal(size_bytes, expected_size);
	identify->is_found[uid] = true;
	identify->flags[uid] = flags;
	identify->found++;
}

static void identify(struct remote_bench *bench, struct identify *identify, const char *text)
{
	struct uidset uids = ask_set(text);

	*identify = (struct identify){ .req = { .uids = &uids, .found = identify_found } };
	op_prepare(&bench->turner, &identify->req.op);
	bench->open.mailbox->ops->identify(bench->open.mailbox, &identify->req);
	assert_int_equal(op_await(&bench->turner, &identify->req.op), 0);
	uidset_free(&uids);
}

static void messages_are_identified_by_what_their_files_would_be(void **state)
{
	struct remote_bench *bench = *state;
	struct identify result;

	append_many(bench, 4, 0);
	assert_int_equal(store(bench, "3", FLAG_SEEN, 0), 0);
	identify(bench, &result, "1,3");
	assert_int_equal(result.found, 2);
	assert_true(result.is_found[1] && result.is_found[3]);
	assert_int_equal(result.flags[1], 0);
	assert_int_equal(result.flags[3], FLAG_SEEN);
}

static void identifying_up_to_the_highest_uid_gives_all_from_there(void **state)
{
	struct remote_bench *bench = *state;
	struct identify result;

	identify(bench, &result, "1:4294967295"); /* of an empty mailbox */
	assert_int_equal(result.found, 0);
	append_many(bench, 4, 0);
	identify(bench, &result, "3:4294967295");
	assert_int_equal(result.found, 2);
	assert_true(result.is_found[3] && result.is_found[4]);
	/* RFC 3501 §6.4.8: "5:*" would always give the last message. */
	identify(bench, &result, "5:4294967295");
	assert_int_equal(result.found, 0);
}

static void email_id_found(struct remote_email_ids_req *req, uint32_t uid, uint64_t email_id,
			   uint64_t size_bytes)
{
	uint64_t expected_size = 0;
	struct digest unused;

	assert_true(uidset_contains(req->uids, uid));
	assert_true(email_id == 0 || email_id == model_email_id(uid));
	model_identity(uid, &unused, &expected_size);
	assert_int_equal(size_bytes, expected_size);
}

/* Dovecot 2.3 has none. */
static void email_ids_are_told_where_open_says_so(void **state)
{
	struct remote_bench *bench = *state;
	struct uidset uids = ask_set("1,3:9");
	struct remote_email_ids_req req = { .uids = &uids, .found = email_id_found };

	append_many(bench, 4, 0);
	assert_int_equal(bench->open.has_email_ids, bench->turner.world != NULL);
	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->email_ids(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	uidset_free(&uids);
}

/* --- The rest
 * --------------------------------------------------------------------------------------------------
 */

static void requests_are_answered_while_others_are_under_way(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch result = { .begun = 0 };
	struct uidset uids = ask_set("1:5");
	struct uidset seen = ask_set("1:2");
	struct remote_store_req req = { .uids = &seen, .add = FLAG_SEEN };

	append_many(bench, 5, 0);
	fetch_start(bench, &result, &uids);
	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->store(bench->open.mailbox, &req);
	assert_int_equal(op_await(&bench->turner, &req.op), 0);
	assert_int_equal(fetch_finish(bench, &result, &uids), 0);
	assert_int_equal(result.ended, 5);
	uidset_free(&seen);
	assert_listing(bench,
		       (struct remote_flags[]){
			       { 1, FLAG_SEEN }, { 2, FLAG_SEEN }, { 3, 0 }, { 4, 0 }, { 5, 0 } },
		       5);
}

static void cancelling_completes_what_is_under_way_as_cancelled(void **state)
{
	struct remote_bench *bench = *state;
	struct fetch result = { .begun = 0 };
	struct uidset uids = ask_set("1:4");
	struct uidset seen = ask_set("1");
	struct remote_store_req req = { .uids = &seen, .add = FLAG_SEEN };

	append_many(bench, 4, 0);
	fetch_start(bench, &result, &uids);
	op_prepare(&bench->turner, &req.op);
	bench->open.mailbox->ops->store(bench->open.mailbox, &req);
	bench->open.mailbox->ops->cancel(bench->open.mailbox);
	assert_int_equal(fetch_finish(bench, &result, &uids), SYNCD_ECANCELLED);
	assert_int_equal(op_await(&bench->turner, &req.op), SYNCD_ECANCELLED);
	uidset_free(&seen);
	remote_bench_close(bench);
	remote_bench_open(bench); /* the account goes on */
	assert_int_equal(bench->open.exists, 4);
}

struct listing_of_mailboxes {
	struct remote_list_req req;
	const char *name;
	size_t found;
};

static void list_found(struct remote_list_req *req, const struct mailbox_info *info)
{
	struct listing_of_mailboxes *list = container_of(req, struct listing_of_mailboxes, req);

	if (strcmp(info->name, list->name) != 0)
		return;
	assert_true(info->is_selectable);
	assert_false(info->is_marked_unusable);
	list->found++;
}

static void the_mailbox_is_listed_and_making_it_again_is_success(void **state)
{
	struct remote_bench *bench = *state;
	struct listing_of_mailboxes list = { .req.found = list_found, .name = bench->name };

	assert_int_equal(remote_bench_create(bench), 0);
	op_prepare(&bench->turner, &list.req.op);
	bench->account->ops->list(bench->account, &list.req);
	assert_int_equal(op_await(&bench->turner, &list.req.op), 0);
	assert_int_equal(list.found, 1);
}

static void there_is_no_dovecot_here(void **state)
{
	(void)state;
	skip();
}

void remote_tests_add(struct port_tests *tests)
{
	static const struct port_case cases[] = {
		PORT_CASE(opening_tells_what_the_mailbox_holds),
		PORT_CASE(an_empty_mailbox_lists_nothing),
		PORT_CASE(an_appended_message_is_listed_with_its_flags),
		PORT_CASE(a_keyword_is_kept),
		PORT_CASE(an_append_that_cannot_be_read_fails_and_leaves_nothing),
		PORT_CASE(appends_started_together_each_get_their_own_uid),
		PORT_CASE(a_fetch_gives_each_message_in_one_piece),
		PORT_CASE(a_fetch_of_unknown_uids_succeeds_without_them),
		PORT_CASE(a_fetch_is_given_up_with_the_code_of_begin),
		PORT_CASE(a_paused_fetch_stops_until_it_is_resumed),
		PORT_CASE(storing_flags_twice_is_as_storing_them_once),
		PORT_CASE(storing_only_adds_or_only_removes),
		PORT_CASE(storing_to_unknown_uids_is_no_error),
		PORT_CASE(an_expunge_takes_only_the_uids_it_names),
		PORT_CASE(messages_are_identified_by_what_their_files_would_be),
		PORT_CASE(identifying_up_to_the_highest_uid_gives_all_from_there),
		PORT_CASE(email_ids_are_told_where_open_says_so),
		PORT_CASE(requests_are_answered_while_others_are_under_way),
		PORT_CASE(cancelling_completes_what_is_under_way_as_cancelled),
		PORT_CASE(the_mailbox_is_listed_and_making_it_again_is_success),
	};
	static const struct port_case imap_cases[] = { PORT_CASE(a_large_mailbox_comes_whole) };
	static const struct port_case missing[] = { PORT_CASE(there_is_no_dovecot_here) };

	for (size_t i = 0; i < REMOTE_MODEL_KINDS; i++) {
		struct remote_kind *kind = &remote_model_kinds[i];
		port_tests_add(tests, kind->name, kind, cases, ARRAY_LEN(cases), remote_bench_setup,
			       remote_bench_teardown);
		remote_tree_tests_add(tests, kind);
	}
	for (size_t i = 0; i < REMOTE_IMAP_KINDS; i++) {
		struct remote_kind *kind = &remote_imap_kinds[i];
		server_start(&kind->server, kind->without);
		if (kind->server.port == 0) {
			port_tests_add(tests, kind->name, NULL, missing, 1, NULL, NULL);
			continue;
		}
		port_tests_add(tests, kind->name, kind, cases, ARRAY_LEN(cases), remote_bench_setup,
			       remote_bench_teardown);
		port_tests_add(tests, kind->name, kind, imap_cases, ARRAY_LEN(imap_cases),
			       remote_bench_setup, remote_bench_teardown);
		remote_delta_tests_add(tests, kind);
		remote_tree_tests_add(tests, kind);
	}
}

void remote_tests_end(void)
{
	for (size_t i = 0; i < REMOTE_IMAP_KINDS; i++)
		server_stop(&remote_imap_kinds[i].server);
}
