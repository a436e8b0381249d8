/* The simulator: `sim --seeds N` runs N histories, `sim --seed S` one of them with
 * its log. A failing seed is shrunk to the shortest history found that still fails; with
 * `--survey N` all of N histories are run, and what fails is only listed.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define WORKERS 2
#define SHRINK_RUNS_MAX 1500
#define HISTORY_S_MAX 60 /* one takes milliseconds: this one hangs */

/* What a worker tells: in memory shared with its parent, as it may die. */
struct report {
	uint64_t seed; /* under way */
	bool has_failed;
	char why[256];
};

static struct report *report_new(void)
{
	FILE *file = tmpfile();
	must(file != NULL);
	must(ftruncate(fileno(file), (off_t)sizeof(struct report)) == 0);
	struct report *report =
		mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
	must(report != MAP_FAILED);
	(void)fclose(file);
	return report;
}

/* Runs in a child, so that an invariant that aborts is a failure like any other.
 * The log is kept from the screen unless `is_shown`. */
static bool run_apart(const struct history *history, struct report *report, bool is_shown)
{
	report->has_failed = false;
	report->why[0] = '\0';
	(void)fflush(stdout);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		if (is_shown)
			log_set_level(LOG_LEVEL_TRACE);
		else
			must(freopen("/dev/null", "w", stderr) != NULL);
		struct run *run = xmalloc(sizeof(*run));
		(void)alarm(HISTORY_S_MAX);
		report->has_failed = !history_run(history, run);
		memcpy(report->why, run->why, sizeof(report->why));
		_exit(0);
	}
	int status = 0;
	must(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		report->has_failed = true;
		(void)snprintf(report->why, sizeof(report->why), "died (status %d)", status);
	}
	return !report->has_failed;
}

static bool shrink_once(struct history *history, struct report *report, unsigned *runs)
{
	size_t total = history->step_count + history->fault_count;

	for (size_t i = total; i-- > 0 && *runs < SHRINK_RUNS_MAX;) {
		struct history shorter = *history;
		if (i < history->step_count) {
			shorter.step_count--;
			memmove(&shorter.steps[i], &shorter.steps[i + 1],
				(shorter.step_count - i) * sizeof(shorter.steps[0]));
		} else {
			size_t at = i - history->step_count;
			shorter.fault_count--;
			memmove(&shorter.faults[at], &shorter.faults[at + 1],
				(shorter.fault_count - at) * sizeof(shorter.faults[0]));
		}
		(*runs)++;
		if (!run_apart(&shorter, report, false)) {
			*history = shorter;
			return true;
		}
	}
	return false;
}

static void shrink_and_print(uint64_t seed, struct report *report)
{
	struct history history;
	unsigned runs = 0;

	history_make(&history, seed);
	if (run_apart(&history, report, false)) {
		(void)printf("# seed %llu fails only after others\n", (unsigned long long)seed);
		return;
	}
	while (history.passes > 1) {
		history.passes--;
		if (run_apart(&history, report, false)) {
			history.passes++;
			break;
		}
	}
	while (shrink_once(&history, report, &runs))
		continue;
	(void)run_apart(&history, report, true);
	(void)printf("# %s; the shortest history found:\n", report->why);
	history_print(&history);
}

static _Noreturn void work(uint64_t first, uint64_t count, struct report *report)
{
	struct run *run = xmalloc(sizeof(*run));
	struct history history;

	for (uint64_t i = first; i < count; i += WORKERS) {
		report->seed = i + 1;
		(void)alarm(HISTORY_S_MAX);
		history_make(&history, report->seed);
		if (!history_run(&history, run)) {
			memcpy(report->why, run->why, sizeof(report->why));
			report->has_failed = true;
			_exit(1);
		}
	}
	free(run);
	exit(0); /* not _exit: the leak checker runs at exit */
}

/* Seeds of long runs that failed once. */
static const uint64_t once_failed[] = { 2173, 5107, 14542, 14847, 31603, 31945, 59513, 60341 };

static unsigned run_once_failed(void)
{
	struct report *report = report_new();
	struct history history;
	unsigned failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(once_failed); i++) {
		history_make(&history, once_failed[i]);
		if (run_apart(&history, report, false))
			continue;
		failed++;
		(void)printf("# seed %llu fails again: %s\n", (unsigned long long)once_failed[i],
			     report->why);
		shrink_and_print(once_failed[i], report);
	}
	return failed;
}

/* Every worker stops at its first failure. */
static unsigned run_seeds(uint64_t first, uint64_t count)
{
	struct report *reports[WORKERS];
	pid_t pids[WORKERS];
	unsigned failed = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		reports[i] = report_new();
		pids[i] = fork();
		must(pids[i] >= 0);
		if (pids[i] == 0)
			work(first + i, first + count, reports[i]);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		int status = 0;
		must(waitpid(pids[i], &status, 0) == pids[i]);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		failed++;
		(void)printf("# seed %llu fails: %s\n", (unsigned long long)reports[i]->seed,
			     reports[i]->has_failed ? reports[i]->why : "died");
		shrink_and_print(reports[i]->seed, reports[i]);
	}
	return failed;
}

static int run_one(uint64_t seed)
{
	struct run *run = xmalloc(sizeof(*run));
	struct history history;

	log_set_level(LOG_LEVEL_TRACE);
	history_make(&history, seed);
	history_print(&history);
	bool is_well = history_run(&history, run);
	(void)printf("%s - seed %llu %s\n", is_well ? "ok" : "not ok", (unsigned long long)seed,
		     run->why);
	free(run);
	return is_well ? 0 : 1;
}

/* Each in a process of its own, which is slower. */
static int survey_seeds(uint64_t first, uint64_t count)
{
	struct report *report = report_new();
	struct history history;
	uint64_t failed = 0;

	for (uint64_t seed = first + 1; seed <= first + count; seed++) {
		history_make(&history, seed);
		if (run_apart(&history, report, false))
			continue;
		(void)printf("# seed %llu fails: %s\n", (unsigned long long)seed, report->why);
		failed++;
	}
	(void)printf("# %llu of %llu fail\n", (unsigned long long)failed,
		     (unsigned long long)count);
	return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	uint64_t count = 2000;
	uint64_t first = 0;

	log_set_level(LOG_LEVEL_ERROR);
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--seed") == 0)
			return run_one(value);
		if (strcmp(argv[i], "--seeds") == 0)
			count = value;
		else if (strcmp(argv[i], "--first") == 0)
			first = value;
		else if (strcmp(argv[i], "--survey") == 0)
			return survey_seeds(first, value);
		else if (strcmp(argv[i], "--shrink") == 0) {
			shrink_and_print(value, report_new());
			return 1;
		}
	}
	(void)printf("1..1\n");
	(void)fflush(stdout);
	unsigned failed = run_once_failed() + run_seeds(first, count);
	(void)printf("%s 1 - %llu histories with crashes lose and double nothing\n",
		     failed == 0 ? "ok" : "not ok", (unsigned long long)count);
	return failed == 0 ? 0 : 1;
}
