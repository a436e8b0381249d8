/* Pulls over the models of a maildrop, a maildir and the state.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PULL_FIXTURE_H
#define TESTS_PULL_FIXTURE_H

#include "model_maildrop.h"
#include "syncd/sync_pull.h"

#define PULL_TOLD_MAX 64

struct pull_told {
	char uid[MODEL_DROP_UID_MAX];
	char reason[REASON_MAX]; /* "": none */
	bool is_deletion;
};

struct pull_fixture {
	struct world world;
	struct model_maildrop drop;
	struct sync_pull_options options; /* of the next pull */
	struct sync_pull *pull;           /* while it runs */
	struct sync_pull_result result;   /* of the last one */
	bool is_over;
	struct pull_told left[PULL_TOLD_MAX];
	size_t left_count;
	struct pull_told planned[PULL_TOLD_MAX];
	size_t planned_count;
	uint32_t made; /* contents */
};

struct pull_fixture *pull_fixture_new(uint64_t seed, enum pull_keep keep);
void pull_fixture_free(struct pull_fixture *f);

/* Starts one, and runs it to its end; its code. */
void pull_fixture_start(struct pull_fixture *f);
int pull_fixture_run(struct pull_fixture *f);

/* Messages with new contents and unique-ids arrive in the maildrop. */
void pull_fixture_arrive(struct pull_fixture *f, size_t count);

/* How many files have that content, in all mailboxes or in INBOX's new/. */
size_t pull_fixture_files(struct pull_fixture *f, uint32_t content);
size_t pull_fixture_visible(struct pull_fixture *f);
/* The only file of that content. */
struct model_file *pull_fixture_file(struct pull_fixture *f, uint32_t content);
/* Records of the state that are in the maildrop, as far as is known. */
size_t pull_fixture_present(const struct pull_fixture *f);

#endif
