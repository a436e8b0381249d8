/* Collects the suites of all ports and runs them; and waits for requests.
 * SPDX-License-Identifier: MIT */
#include "port/port.h"

#include "syncd/alloc.h"

#define WAITING_MAX 128
#define IDLE_MS 30 /* in which a server on loopback would have sent what it may */
#define HANG_MS 30000

/* A completion tells only its request, so those that are waited for are kept here. */
static struct waiting {
	struct port_op *op;
	struct turner *turner;
	bool is_done;
	int code;
} waiting[WAITING_MAX];

static struct waiting *waiting_of(const struct port_op *op)
{
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (waiting[i].op == op)
			return &waiting[i];
	}
	return NULL;
}

static void op_done(struct port_op *op, int code)
{
	struct waiting *done = waiting_of(op);

	must(done != NULL && !done->is_done); /* not ours, or completed twice */
	done->is_done = true;
	done->code = code;
	if (done->turner->loop != NULL)
		loop_stop(done->turner->loop);
}

void op_prepare(struct turner *turner, struct port_op *op)
{
	struct waiting *place = waiting_of(NULL);

	must(place != NULL && waiting_of(op) == NULL);
	*place = (struct waiting){ .op = op, .turner = turner };
	op->done = op_done;
}

static void timed_out(struct loop_timer *timer)
{
	(void)timer;
	must_fail("a request that completes", __FILE__, __LINE__);
}

void run_loop_until(struct loop *loop, const bool *is_done)
{
	struct loop_timer timer;

	loop_timer_init(loop, &timer, timed_out);
	loop_timer_start(&timer, HANG_MS);
	while (!*is_done)
		loop_run(loop);
	loop_timer_stop(&timer);
}

int op_await(struct turner *turner, struct port_op *op)
{
	struct waiting *place = waiting_of(op);

	must(place != NULL);
	if (turner->loop != NULL)
		run_loop_until(turner->loop, &place->is_done);
	while (!place->is_done)
		must(world_step(turner->world));
	int code = place->code;
	*place = (struct waiting){ .op = NULL };
	assert_int_equal(op->err.code, code);
	return code;
}

static void idle_over(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

void turner_idle(struct turner *turner)
{
	struct loop_timer timer;

	if (turner->loop == NULL) {
		while (world_step(turner->world))
			;
		return;
	}
	loop_timer_init(turner->loop, &timer, idle_over);
	loop_timer_start(&timer, IDLE_MS);
	while (loop_timer_is_armed(&timer))
		loop_run(turner->loop);
}

void turner_free(struct turner *turner)
{
	for (size_t i = 0; i < WAITING_MAX; i++) { /* a test that failed was still waiting */
		if (waiting[i].turner == turner)
			waiting[i] = (struct waiting){ .op = NULL };
	}
	if (turner->loop != NULL)
		loop_free(&turner->loop);
	if (turner->world != NULL) {
		world_free(turner->world);
		free(turner->world);
		turner->world = NULL;
	}
}

void port_tests_add(struct port_tests *tests, const char *kind_name, void *kind,
		    const struct port_case *cases, size_t case_count, CMFixtureFunction setup,
		    CMFixtureFunction teardown)
{
	must(tests->count + case_count <= PORT_TESTS_MAX);
	for (size_t i = 0; i < case_count; i++) {
		tests->tests[tests->count++] = (struct CMUnitTest){
			.name = xasprintf("%s: %s", kind_name, cases[i].name),
			.test_func = cases[i].test,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = kind,
		};
	}
}

int main(void)
{
	static struct port_tests all;

	local_tests_add(&all);
	local_look_tests_add(&all);
	local_link_tests_add(&all);
	local_tree_tests_add(&all);
	store_tests_add(&all);
	remote_tests_add(&all);
	pop3_tests_add(&all);
	maildrop_tests_add(&all);
	int failed = cmocka_run_group_tests(all.tests, NULL, NULL);
	remote_tests_end();
	pop3_tests_end();
	maildrop_tests_end();
	for (size_t i = 0; i < all.count; i++)
		free((char *)(uintptr_t)all.tests[i].name);
	return failed;
}
