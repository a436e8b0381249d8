/* Requests of the local port that run in the pool.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "local_private.h"
#include "syncd/must.h"

static void local_work_run(struct loop_job *job)
{
	struct local_work *work = container_of(job, struct local_work, job);

	if (work->code == 0 && !atomic_load(&work->is_cancelled))
		work->code = work->run(work, &work->err);
}

static void local_work_done(struct loop_job *job, int code)
{
	struct local_work *work = container_of(job, struct local_work, job);
	struct port_op *op = work->op;

	if (work->code == 0 && (code != 0 || atomic_load(&work->is_cancelled)))
		work->code = error_set(&work->err, SYNCD_ECANCELLED, "cancelled");
	list_remove(&work->link);
	code = work->finish(work, work->code, &work->err);
	op->err = work->err;
	if (code == 0)
		error_clear(&op->err);
	free(work);
	op->done(op, code);
}

void local_work_start(struct loop *loop, struct list *works, struct local_work *work,
		      struct port_op *op, int code)
{
	work->op = op;
	work->code = code;
	list_append(works, &work->link);
	loop_job_start(loop, &work->job, local_work_run, local_work_done);
}
