/* Pulls that are cut, killed and run out of disk at any call, by seed: nothing is lost and nothing
 * doubled. PULL_SEEDS=FIRST-LAST runs others than those of every day.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/pull_fixture.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define SEEDS 1500
#define FAULTS_MAX 4
#define CONTENTS_MAX 128
#define PULLS_MAX 40 /* until nothing changes any more */

/* What there was of each content. */
struct ledger {
	unsigned arrived[CONTENTS_MAX]; /* messages; copies under one unique-id are one */
	unsigned deleted[CONTENTS_MAX]; /* files, by their user */
	bool is_taken[CONTENTS_MAX];    /* from the server, by somebody else */
};

struct life {
	uint64_t seed;
	struct rng rng;
	struct pull_fixture *f;
	struct ledger ledger;
	struct fault faults[FAULTS_MAX];
	unsigned uids_made;
	bool is_deleting; /* the server's messages go when the pull says so */
};

static bool happens(struct life *life, uint64_t one_in)
{
	return rng_below(&life->rng, one_in) == 0;
}

/* --- What happens beside the pulls --------------------------------------------------- */

static void make_uid(struct life *life, char *uid, size_t size)
{
	(void)snprintf(uid, size, "uid-%u", ++life->uids_made);
}

static void arrive(struct life *life)
{
	uint32_t content = ++life->f->made;
	char uid[MODEL_DROP_UID_MAX];

	must(content < CONTENTS_MAX);
	make_uid(life, uid, sizeof(uid));
	(void)model_maildrop_add(&life->f->drop, uid, content);
	life->ledger.arrived[content] = 1;
	if (happens(life, 8)) { /* a server that cannot tell copies apart */
		(void)model_maildrop_add(&life->f->drop, uid, content);
		life->ledger.arrived[content] += life->f->drop.has_uids ? 0 : 1;
	} else if (happens(life, 8)) { /* the same message, several times */
		make_uid(life, uid, sizeof(uid));
		(void)model_maildrop_add(&life->f->drop, uid, content);
		life->ledger.arrived[content]++;
	}
}

static void someone_takes_one(struct life *life)
{
	struct model_maildrop *drop = &life->f->drop;

	if (drop->count == 0)
		return;
	size_t at = rng_below(&life->rng, drop->count);
	life->ledger.is_taken[drop->messages[at].content] = true;
	model_maildrop_remove(drop, at);
}

/* The copies of one message keep having one unique-id. */
static void renumber(struct life *life)
{
	struct model_maildrop *drop = &life->f->drop;
	char uid[MODEL_DROP_UID_MAX];
	char old[MODEL_DROP_UID_MAX];

	for (size_t i = 0; i < drop->count; i++) {
		memcpy(old, drop->messages[i].uid, sizeof(old));
		if (strncmp(old, "new-", 4) == 0)
			continue;
		(void)snprintf(uid, sizeof(uid), "new-%u", ++life->uids_made);
		for (size_t k = i; k < drop->count; k++) {
			if (strcmp(drop->messages[k].uid, old) == 0)
				memcpy(drop->messages[k].uid, uid, sizeof(uid));
		}
	}
	for (size_t i = 0; i < drop->count; i++)
		memmove(drop->messages[i].uid, drop->messages[i].uid + 4,
			strlen(drop->messages[i].uid + 4) + 1);
}

static void user_acts(struct life *life)
{
	struct world *world = &life->f->world;
	struct model_file *file = NULL;
	size_t count = pull_fixture_visible(life->f);

	if (count == 0)
		return;
	file = model_file_visible(world, rng_below(&life->rng, count));
	if (happens(life, 2)) {
		life->ledger.deleted[file->content]++;
		model_file_delete(file);
	} else if (strcmp(file->maildir->name, PULL_MAILBOX) == 0) {
		model_file_move_to(file, model_maildir_create(world, "Archive"), NULL, FLAG_SEEN,
				   1);
	}
	for (size_t i = 0; model_maildir_nth(world, i) != NULL; i++)
		model_disk_flush(world, model_maildir_nth(world, i));
}

static void between_pulls(struct life *life)
{
	if (happens(life, 2) && life->f->made < CONTENTS_MAX - 2)
		arrive(life);
	if (happens(life, 6))
		someone_takes_one(life);
	if (happens(life, 8) && life->f->drop.has_uids)
		renumber(life);
	if (happens(life, 4))
		user_acts(life);
	world_wait(&life->f->world, (int64_t)rng_below(&life->rng, 3600));
}

/* --- The ledger ---------------------------------------------------------------------- */

static unsigned on_server(const struct life *life, uint32_t content)
{
	unsigned count = 0;

	for (size_t i = 0; i < life->f->drop.count; i++)
		count += life->f->drop.messages[i].content == content;
	return count;
}

static void wrong(const struct life *life, uint32_t content, const char *what)
{
	fail_msg("seed %llu: content %u %s: %u arrived, %zu here, %u deleted, %u on the server",
		 (unsigned long long)life->seed, content, what, life->ledger.arrived[content],
		 pull_fixture_files(life->f, content), life->ledger.deleted[content],
		 on_server(life, content));
}

/* Whatever happened, there are never more files than messages, nor a torn one. */
static void check_none_doubled(const struct life *life)
{
	assert_int_equal(pull_fixture_files(life->f, 0), 0);
	for (uint32_t content = 1; content <= life->f->made; content++) {
		size_t here = pull_fixture_files(life->f, content) + life->ledger.deleted[content];
		if (here > life->ledger.arrived[content])
			wrong(life, content, "is doubled");
	}
}

/* Of a message that came several times, each may have been taken for one that was gone. */
static void check_none_lost(const struct life *life)
{
	for (uint32_t content = 1; content <= life->f->made; content++) {
		size_t here = pull_fixture_files(life->f, content) + life->ledger.deleted[content];
		if (here == 0 && !life->ledger.is_taken[content])
			wrong(life, content, "is lost");
	}
}

static void check_server(const struct life *life)
{
	bool is_kept = life->f->options.keep == PULL_KEEP_ALL;

	for (uint32_t content = 1; content <= life->f->made; content++) {
		size_t here = pull_fixture_files(life->f, content);
		unsigned there = on_server(life, content);
		if (life->f->options.keep == PULL_KEEP_NONE && there > 0)
			wrong(life, content, "is on the server still");
		if (is_kept && there == 0 && !life->ledger.is_taken[content])
			wrong(life, content, "went from the server");
		if (life->f->options.keep == PULL_KEEP_UNTIL_DELETED && here > 0 && there == 0 &&
		    !life->ledger.is_taken[content] && life->ledger.arrived[content] == 1)
			wrong(life, content, "went from the server while it was here");
		if (life->f->options.keep == PULL_KEEP_UNTIL_DELETED && here == 0 && there > 0)
			wrong(life, content, "is on the server although it was deleted");
	}
}

/* --- A life -------------------------------------------------------------------------- */

static void life_begin(struct life *life, uint64_t seed)
{
	static const enum pull_keep keeps[] = { PULL_KEEP_ALL, PULL_KEEP_NONE, PULL_KEEP_FOR,
						PULL_KEEP_UNTIL_DELETED };

	*life = (struct life){ .seed = seed, .rng.state = seed * 7 + 1 };
	life->f = pull_fixture_new(seed, keeps[rng_below(&life->rng, ARRAY_LEN(keeps))]);
	life->f->options.keep_s = 1800;
	life->f->options.deletion_limit.percent = 0;
	life->f->options.group_messages = 1 + (uint32_t)rng_below(&life->rng, 4);
	life->f->drop.has_top = happens(life, 2);
	life->f->world.may_see_moving = happens(life, 2);
	if (life->f->options.keep == PULL_KEEP_NONE)
		life->f->drop.has_uids = !happens(life, 4);
	for (size_t i = 0; i < FAULTS_MAX; i++) {
		life->faults[i].at_call = 1 + rng_below(&life->rng, 150);
		life->faults[i].kind =
			1 + (enum fault_kind)rng_below(&life->rng, FAULT_KIND_COUNT - 1);
	}
	life->f->world.faults = life->faults;
	life->f->world.fault_count = FAULTS_MAX;
	life->f->world.faults_are_on = true;
	for (uint64_t i = rng_below(&life->rng, 10); i > 0; i--)
		arrive(life);
}

static void pull(struct life *life)
{
	(void)pull_fixture_run(life->f);
	if (life->f->world.is_dead)
		world_restart(&life->f->world);
	check_none_doubled(life);
}

static bool is_settled(const struct life *life)
{
	const struct sync_counts *counts = &life->f->result.counts;

	return life->f->result.err.code == 0 && counts->fetched + counts->expunged == 0;
}

static void live(uint64_t seed)
{
	struct life life;
	unsigned pulls = 0;
	unsigned quiet = 0;

	life_begin(&life, seed);
	for (size_t i = 0; i < 6; i++) {
		pull(&life);
		between_pulls(&life);
	}
	life.f->world.faults_are_on = false;
	world_wait(&life.f->world, 3600);
	do {
		pull(&life);
		quiet = is_settled(&life) ? quiet + 1 : 0;
		if (++pulls == PULLS_MAX)
			fail_msg("seed %llu: no end", (unsigned long long)seed);
	} while (quiet < 2); /* what one recognised may be deleted by the next */
	check_none_lost(&life);
	check_server(&life);
	for (size_t i = 0; i < MODEL_FILES_MAX; i++)
		assert_false(life.f->world.files[i].is_used &&
			     life.f->world.files[i].place == PLACE_TMP);
	pull_fixture_free(life.f);
}

static void nothing_is_lost_and_nothing_doubled(void **state)
{
	unsigned long long first = 1;
	unsigned long long last = SEEDS;
	const char *seeds = getenv("PULL_SEEDS");

	(void)state;
	if (seeds != NULL && sscanf(seeds, "%llu-%llu", &first, &last) != 2)
		fail_msg("PULL_SEEDS is FIRST-LAST");
	for (unsigned long long seed = first; seed <= last; seed++)
		live(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_and_nothing_doubled),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
