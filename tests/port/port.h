/* Port conformance (DESIGN 8): one suite of tests for each port, run against the
 * simulator's model and the real adapter alike. Otherwise the simulator proves only itself.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PORT_H
#define TESTS_PORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/model.h"
#include "syncd/loop.h"
#include "syncd/must.h"
#include "syncd/ports.h"

/* --- Waiting for requests --------------------------------------------------------------- */

/* What makes requests complete: a model's world or a real loop, whichever is not NULL. */
struct turner {
	struct world *world;
	struct loop *loop;
};

/* Makes `op` one that op_await waits for; before the call that starts it. */
void op_prepare(struct turner *turner, struct port_op *op);

/* Runs until it has completed and returns its code. Fails the test when it completed inside
 * the call that started it, twice, or with a code that op->err does not tell. */
int op_await(struct turner *turner, struct port_op *op);

/* Runs the loop until it is so; fails the test when that takes too long. */
void run_loop_until(struct loop *loop, const bool *is_done);

/* Runs what can run without waiting for anything that is held back. */
void turner_idle(struct turner *turner);

/* Ends a loop or world that has nothing under way. */
void turner_free(struct turner *turner);

/* --- The suites ---------------------------------------------------------------------------- */

#define PORT_TESTS_MAX 512

struct port_tests {
	struct CMUnitTest tests[PORT_TESTS_MAX]; /* zeroed behind `count` */
	size_t count;
};

struct port_case {
	const char *name;
	CMUnitTestFunction test;
};

#define PORT_CASE(function)                                                                        \
	{                                                                                          \
#function, function                                                                \
	}

/* Adds every case for one implementation. `setup` finds `kind` in *state and puts a bench in
 * its place. */
void port_tests_add(struct port_tests *tests, const char *kind_name, void *kind,
		    const struct port_case *cases, size_t case_count, CMFixtureFunction setup,
		    CMFixtureFunction teardown);

void local_tests_add(struct port_tests *tests);
void local_look_tests_add(struct port_tests *tests);
void local_link_tests_add(struct port_tests *tests);
void local_tree_tests_add(struct port_tests *tests);
void store_tests_add(struct port_tests *tests);
void remote_tests_add(struct port_tests *tests);

void pop3_tests_add(struct port_tests *tests);
void maildrop_tests_add(struct port_tests *tests);

/* End what these started. */
void remote_tests_end(void);
void pop3_tests_end(void);
void maildrop_tests_end(void);

#endif
