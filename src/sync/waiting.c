/* What a lost connection left open.
 * SPDX-License-Identifier: MIT */
#include "syncd/sync_waiting.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/alloc.h"
#include "syncd/must.h"

void sync_waiting_free(struct sync_waiting *waiting)
{
	for (size_t i = 0; i < waiting->count; i++)
		free(waiting->names[i]);
	free(waiting->names);
	uidset_free(&waiting->uids);
	*waiting = (struct sync_waiting){ .names = NULL };
}

void sync_waiting_add(struct sync_waiting *waiting, const struct journal_record *journal)
{
	if (journal->kind == JOURNAL_EXPUNGE) {
		must(uidset_add(&waiting->uids, journal->uid) == 0);
		return;
	}
	must(journal->kind == JOURNAL_APPEND);
	waiting->names =
		xgrow(waiting->names, waiting->count, &waiting->cap, sizeof(*waiting->names));
	waiting->names[waiting->count++] = xstrdup(journal->name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void sync_waiting_sort(struct sync_waiting *waiting)
{
	if (waiting->count > 1)
		qsort(waiting->names, waiting->count, sizeof(*waiting->names), compare_names);
}

bool sync_waiting_has_name(const struct sync_waiting *waiting, const char *name)
{
	return waiting != NULL && waiting->count > 0 && name != NULL &&
	       bsearch(&name, waiting->names, waiting->count, sizeof(*waiting->names),
		       compare_names) != NULL;
}

bool sync_waiting_has_come(const struct sync_waiting *waiting, uint32_t uid)
{
	return waiting != NULL && waiting->count > 0 && uid > waiting->looked_uid;
}

/* A look in the future is one before the clock was set back. */
int64_t sync_waiting_left_s(const struct journal_record *journal, int64_t now_s, int64_t wait_s,
			    int64_t *looked_s)
{
	bool is_first = journal->looked_s == 0 || journal->looked_s > now_s;

	*looked_s = is_first ? now_s : journal->looked_s;
	int64_t passed_s = now_s - *looked_s;
	return passed_s < wait_s ? wait_s - passed_s : 0;
}
