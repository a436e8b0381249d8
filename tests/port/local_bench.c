/* The kinds of local port that the suite is run on.
 * SPDX-License-Identifier: MIT */
#include "port/local_bench.h"

#include <stdio.h>
#include <time.h>

#include "syncd/adapter_local.h"
#include "syncd/alloc.h"

/* --- The model ----------------------------------------------------------------------------- */

static void model_make(struct local_bench *bench)
{
	bench->turner.world = xcalloc(1, sizeof(*bench->turner.world));
	world_init(bench->turner.world, 1);
	bench->account = &bench->turner.world->local;
}

static void model_destroy(struct local_bench *bench)
{
	(void)bench;
}

static void model_put(struct local_bench *bench, uint32_t content, uint64_t flags, bool is_new,
		      char *name)
{
	struct model_file *file = model_file_create(bench->turner.world, content, flags, is_new);

	memcpy(name, file->name, sizeof(file->name));
}

static struct model_file *model_find(struct local_bench *bench, const char *name)
{
	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		struct model_file *file = &bench->turner.world->files[i];
		if (file->is_used && strcmp(file->name, name) == 0)
			return file;
	}
	return NULL;
}

static void model_take(struct local_bench *bench, const char *name)
{
	model_file_delete(model_find(bench, name));
}

static void model_age(struct local_bench *bench, int64_t ms)
{
	world_wait(bench->turner.world, (ms + 999) / 1000);
}

static size_t model_tmp_count(struct local_bench *bench)
{
	size_t count = 0;

	for (size_t i = 0; i < MODEL_FILES_MAX; i++) {
		const struct model_file *file = &bench->turner.world->files[i];
		count += file->is_used && file->place == PLACE_TMP;
	}
	return count;
}

static enum model_place model_place_of(struct local_bench *bench, const char *name)
{
	const struct model_file *file = model_find(bench, name);

	return file != NULL ? file->place : PLACE_NONE;
}

/* --- The adapter ------------------------------------------------------------------------------ */

static void maildir_make(struct local_bench *bench)
{
	temp_dir_make(&bench->dir);
	char *root = temp_path(&bench->dir, "mail");
	bench->turner.loop = loop_new();
	bench->account = adapter_local_new(bench->turner.loop,
					   &(struct adapter_local_options){
						   .root = root,
						   .identity = "0123456789abcdef",
						   .host = "host",
						   .layout = bench->kind->layout,
						   .line_endings = bench->kind->line_endings,
					   });
	free(root);
}

static void maildir_destroy(struct local_bench *bench)
{
	adapter_local_free(&bench->account);
	temp_dir_remove(&bench->dir);
}

static void letters_of(uint64_t flags, char *letters)
{
	static const char order[] = "DFPRST";
	size_t len = 0;

	for (size_t i = 0; order[i] != '\0'; i++) {
		if ((flags & flags_from_maildir_letter(order[i])) != 0)
			letters[len++] = order[i];
	}
	letters[len] = '\0';
}

static void maildir_put(struct local_bench *bench, uint32_t content, uint64_t flags, bool is_new,
			char *name)
{
	char letters[8];
	size_t len = 0;
	size_t kept = 0;
	char *body = model_body(content, &len);

	for (size_t i = 0; i < len; i++) { /* users' programs write LF */
		if (body[i] != '\r')
			body[kept++] = body[i];
	}
	letters_of(flags, letters);
	(void)snprintf(name, MAIL_NAME_MAX + 1, "user%u.host", ++bench->files_made);
	char *path = is_new ? xasprintf("%s/new/%s", bench->kind->inbox, name)
			    : xasprintf("%s/cur/%s:2,%s", bench->kind->inbox, name, letters);
	temp_write(&bench->dir, path, body, kept);
	free(path);
	free(body);
}

static bool maildir_has(struct local_bench *bench, const char *place, const char *name,
			const char *letters)
{
	char *path = xasprintf("%s/%s/%s%s", bench->kind->inbox, place, name, letters);
	bool is_there = temp_exists(&bench->dir, path);

	free(path);
	return is_there;
}

static enum model_place maildir_place_of(struct local_bench *bench, const char *name)
{
	char info[16] = ":2,";

	if (maildir_has(bench, "tmp", name, ""))
		return PLACE_TMP;
	if (maildir_has(bench, "new", name, ""))
		return PLACE_NEW;
	for (uint64_t flags = 0; flags <= FLAGS_SYSTEM; flags++) {
		letters_of(flags, info + 3);
		if (maildir_has(bench, "cur", name, info))
			return PLACE_CUR;
	}
	return PLACE_NONE;
}

static void maildir_take(struct local_bench *bench, const char *name)
{
	char *path = xasprintf("%s/new/%s", bench->kind->inbox, name);

	temp_unlink(&bench->dir, path);
	free(path);
}

static void maildir_age(struct local_bench *bench, int64_t ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)bench;
	assert_int_equal(nanosleep(&pause, NULL), 0);
}

static size_t maildir_tmp_count(struct local_bench *bench)
{
	char *path = xasprintf("%s/tmp", bench->kind->inbox);
	size_t count = temp_count(&bench->dir, path, NULL);

	free(path);
	return count;
}

#define MAILDIR_KIND(title, with_layout, with_line_endings, with_inbox)                            \
	{                                                                                          \
		.name = title, .make = maildir_make, .destroy = maildir_destroy,                   \
		.put = maildir_put, .take = maildir_take, .tmp_count = maildir_tmp_count,          \
		.age = maildir_age, .place = maildir_place_of, .layout = with_layout,              \
		.line_endings = with_line_endings, .inbox = with_inbox                             \
	}

struct local_kind local_kinds[LOCAL_KIND_COUNT] = {
	{ .name = "local model",
	  .make = model_make,
	  .destroy = model_destroy,
	  .put = model_put,
	  .take = model_take,
	  .tmp_count = model_tmp_count,
	  .age = model_age,
	  .place = model_place_of },
	MAILDIR_KIND("local maildir", MAILDIR_VERBATIM, MAILDIR_LF, "mail/INBOX"),
	MAILDIR_KIND("local maildir++ crlf", MAILDIR_PLUSPLUS, MAILDIR_CRLF, "mail"),
};

int local_bench_setup(void **state)
{
	struct local_bench *bench = xcalloc(1, sizeof(*bench));
	const struct local_account_ops *ops;

	bench->kind = *state;
	bench->kind->make(bench);
	*state = bench;
	ops = bench->account->ops;
	assert_int_equal(ops->check(bench->account, true, &bench->err), 0);
	assert_int_equal(ops->create(bench->account, "INBOX", &bench->err), 0);
	assert_int_equal(
		ops->open(bench->account, "INBOX", &bench->keywords, &bench->mailbox, &bench->err),
		0);
	return 0;
}

int local_bench_teardown(void **state)
{
	struct local_bench *bench = *state;

	bench->mailbox->ops->close(bench->mailbox);
	bench->kind->destroy(bench);
	turner_free(&bench->turner);
	keyword_table_free(&bench->keywords);
	free(bench);
	return 0;
}
