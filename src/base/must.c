/* The end of the process when an invariant does not hold.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *condition, const char *file, int line)
{
	(void)fprintf(stderr, "syncd: invariant violated at %s:%d: %s\n", file, line, condition);
	abort();
}
