/* Commits: one transaction at a time in the pool, requests that wait share the next.
 * SPDX-License-Identifier: MIT */
#include "schema.h"
#include "store_private.h"
#include "syncd/must.h"

/* From here on a waiting batch is left for the transaction after the next, so that
 * one does not grow without limit. */
#define COMMIT_CHANGES_MAX 20000
#define COMMIT_TRIM_CHANGES 12 /* applied before the map is trimmed */

static void writer_start(struct store *store);

static struct store_commit_req *req_of(struct list *link)
{
	return container_of(link, struct store_commit_req, op.link);
}

static struct store *store_of_job(struct loop_job *job)
{
	return container_of(job, struct store, writer.job);
}

/* Identities are scattered over their table: each change touches pages that the kernel maps with
 * their neighbours, so that a large batch would have all of the state resident. */
static int apply_batch(struct store *store, struct env_txn *txn, const struct store_batch *batch,
		       struct error *err)
{
	size_t applied = 0;
	int code = 0;

	for (const struct store_change *c = batch->first; code == 0 && c != NULL; c = c->next) {
		code = schema_apply(txn, c, err);
		if (++applied % COMMIT_TRIM_CHANGES == 0)
			env_trim(store->env);
	}
	return code;
}

/* In the pool. The batches stay as they are, for another try in a larger map. */
static void commit_work(struct loop_job *job)
{
	struct store *store = store_of_job(job);
	struct store_writer *writer = &store->writer;
	struct env_txn *txn;
	int code = env_begin(store->env, true, &txn, &writer->err);

	if (code == 0) {
		list_for_each(link, &writer->running)
		{
			if (code == 0)
				code = apply_batch(store, txn, &req_of(link)->batch, &writer->err);
		}
		if (code == 0)
			code = env_commit(&txn, &writer->err);
		env_abort(&txn);
		env_trim(store->env);
	}
	writer->outcome = code;
}

/* Completes what the transaction held, once the next one is under way: the callbacks are the last
 * that is done, and may commit more. */
static void writer_finish(struct store *store)
{
	struct store_writer *writer = &store->writer;
	int outcome = writer->outcome;
	struct error err = writer->err;
	struct list finished;
	struct list *link;

	list_init(&finished);
	while ((link = list_first(&writer->running)) != NULL) {
		list_remove(link);
		list_append(&finished, link);
	}
	writer->is_busy = false;
	writer_start(store);
	while ((link = list_first(&finished)) != NULL) {
		struct store_commit_req *req = req_of(link);
		list_remove(link);
		store_batch_free(&req->batch);
		if (outcome != 0)
			req->op.err = err;
		req->op.done(&req->op, outcome);
	}
}

static void commit_done(struct loop_job *job, int code)
{
	struct store *store = store_of_job(job);
	struct store_writer *writer = &store->writer;

	must(code == 0); /* nobody cancels it */
	if (writer->outcome == ENV_MAP_FULL) {
		writer->outcome = env_grow(store->env, &writer->err);
		if (writer->outcome == 0) {
			loop_job_start(store->loop, job, commit_work, commit_done);
			return;
		}
	}
	writer_finish(store);
}

static void commit_nothing(struct loop_defer *defer)
{
	struct store *store = container_of(defer, struct store, writer.nothing);

	store->writer.outcome = 0;
	writer_finish(store);
}

/* Moves waiting requests into the next transaction and starts it. */
static void writer_start(struct store *store)
{
	struct store_writer *writer = &store->writer;
	struct list *link;
	size_t changes = 0;

	if (writer->is_busy || list_is_empty(&writer->queue))
		return;
	while ((link = list_first(&writer->queue)) != NULL && changes < COMMIT_CHANGES_MAX) {
		changes += req_of(link)->batch.count;
		list_remove(link);
		list_append(&writer->running, link);
	}
	store_mend(store);
	writer->is_busy = true;
	if (changes == 0)
		loop_defer(store->loop, &writer->nothing, commit_nothing);
	else
		loop_job_start(store->loop, &writer->job, commit_work, commit_done);
}

void store_writer_init(struct store *store)
{
	list_init(&store->writer.queue);
	list_init(&store->writer.running);
}

void store_mend(struct store *store)
{
	struct error ignored;

	if (!store->writer.is_busy && env_is_broken(store->env))
		(void)env_mend(store->env, &ignored);
}

void store_commit(struct store *store, struct store_commit_req *req)
{
	must(!store->is_read_only || req->batch.count == 0);
	error_clear(&req->op.err);
	list_append(&store->writer.queue, &req->op.link);
	writer_start(store);
}
