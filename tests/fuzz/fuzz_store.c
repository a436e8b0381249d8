/* A damaged database: bytes of one that the store has written are changed, the file is cut, and
 * whatever then comes of it, an error says so or all reads and writes go on; never a crash. What
 * was written into one that passed is one that passes. The first byte says where the file is cut
 * (0: nowhere), then four bytes a change: page, place in it (two), value. SPDX-License-Identifier:
 * MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/store/verify.h"
#include "fuzz/fuzz.h"
#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/must.h"
#include "syncd/store.h"

#define DATA "work/data.mdb"
#define LOCK "work/lock"
#define MAP_SIZE (512 * 1024)
#define PAGE 4096
#define CHANGES_MAX 64
#define MESSAGES 300
#define READ_MAX 512

static char *image; /* the file as the store left it */
static size_t image_len;

static const struct store_options options = { .program = "fuzz", .map_size_bytes = MAP_SIZE };

/* --- A database ------------------------------------------------------------------ */

static void commit_done(struct port_op *op, int code)
{
	*(int *)op->impl = code;
}

/* Takes the batch. */
static int commit(struct loop *loop, struct store *store, struct store_batch *batch)
{
	int code = 1;
	struct store_commit_req req = { .op = { .done = commit_done, .impl = &code } };

	store_batch_init(&req.batch);
	store_batch_move(&req.batch, batch);
	store_commit(store, &req);
	while (code == 1)
		loop_fake_advance(loop, 0);
	must(code == 0 || req.op.err.code == code);
	return code;
}

static void put_message(struct store_batch *batch, uint32_t mailbox, uint32_t uid)
{
	struct message_record message = { .uid = uid, .flags = uid % 64, .size_bytes = 1000 + uid };

	message.identity.bytes[0] = (unsigned char)uid;
	(void)snprintf(message.name, sizeof(message.name), "17000000%02u.M%uP1.host", uid % 100,
		       uid);
	store_batch_put_message(batch, mailbox, &message);
}

/* With so many keywords that the record has pages of its own. */
static void put_mailbox(struct store_batch *batch, uint32_t id, size_t keywords)
{
	struct mailbox_record mailbox = { .id = id, .uidvalidity = 7, .uidnext = MESSAGES };
	char name[KEYWORD_LEN_MAX];

	keyword_table_init(&mailbox.keywords);
	for (size_t i = 0; i < keywords; i++) {
		(void)snprintf(name, sizeof(name), "keyword-%0110zu", i);
		(void)keyword_table_intern(&mailbox.keywords, slice_of(name));
	}
	(void)snprintf(mailbox.name, sizeof(mailbox.name), "Mailbox/%u", id);
	store_batch_put_mailbox(batch, &mailbox);
	keyword_table_free(&mailbox.keywords);
}

static void put_others(struct store_batch *batch)
{
	struct journal_record journal = { .kind = JOURNAL_APPEND, .uidnext = 5, .name = "1.a" };
	struct setaside_record aside = { .uid = 9, .attempts = 2, .reason = "refused" };

	store_batch_put_journal(batch, 1, &journal);
	store_batch_put_setaside(batch, 1, &aside);
}

static void make_image(struct loop *loop, const struct temp_dir *dir)
{
	struct store *store;
	struct store_batch batch;
	struct error err;

	store_batch_init(&batch);
	must(store_open(loop, dir->path, "work", &options, &store, &err) == 0);
	must(store_set_place(store, "verbatim\n/mail", &err) == 0);
	for (uint32_t round = 0; round < 3; round++) {
		put_mailbox(&batch, store_mailbox_new_id(store), 10 * round);
		for (uint32_t uid = 1 + round; uid <= MESSAGES; uid += 3)
			put_message(&batch, 1 + round % 2, uid);
		put_others(&batch);
		must(commit(loop, store, &batch) == 0);
	}
	for (uint32_t uid = 1; uid <= MESSAGES / 2; uid += 3)
		store_batch_delete_message(&batch, 1, uid);
	must(commit(loop, store, &batch) == 0);
	store_close(&store);
	image = temp_read(dir, DATA, &image_len);
	while (image_len > PAGE && image[image_len - 1] == '\0')
		image_len--;
	image_len = (image_len + PAGE - 1) / PAGE * PAGE;
}

/* --- Damage ------------------------------------------------------------------------- */

/* As long as the store makes it; a cut comes last. */
static void damage(const struct temp_dir *dir, const uint8_t *data, size_t size)
{
	char *path = temp_path(dir, DATA);
	char *lock = temp_path(dir, LOCK);
	size_t pages = image_len / PAGE;
	int fd = open(path, O_WRONLY | O_TRUNC);

	must(fd >= 0 && write(fd, image, image_len) == (ssize_t)image_len);
	must(ftruncate(fd, MAP_SIZE) == 0);
	for (size_t i = 1; i + 4 <= size; i += 4) {
		size_t at = data[i] % pages * PAGE + (data[i + 1] * 256u + data[i + 2]) % PAGE;
		must(pwrite(fd, data + i + 3, 1, (off_t)at) == 1);
	}
	if (data[0] != 0)
		must(ftruncate(fd, (off_t)(data[0] % (pages + 1) * PAGE + data[0])) == 0);
	must(close(fd) == 0);
	/* Or it is taken for the file that was closed a moment ago. */
	must(unlink(lock) == 0);
	free(path);
	free(lock);
}

/* --- Its use --------------------------------------------------------------------------- */

static void see_mailbox(void *context, const struct mailbox_record *mailbox)
{
	uint32_t *id = context;

	must(mailbox->name[0] != '\0');
	*id = mailbox->id;
}

static void see_journal(void *context, const struct journal_record *journal)
{
	(void)context;
	must(strlen(journal->name) <= MAIL_NAME_MAX);
}

static void see_setaside(void *context, const struct setaside_record *aside)
{
	(void)context;
	must(strlen(aside->reason) < REASON_MAX);
}

static void read_mailbox(struct store *store, uint32_t id)
{
	static struct remote_flags flags[READ_MAX];
	static struct name_record names[READ_MAX];
	static struct message_place places[READ_MAX];
	struct message_record message;
	struct error err;
	size_t count;
	bool found;

	if (store_messages_after(store, id, 0, flags, READ_MAX, &count, &err) == 0 && count > 0 &&
	    store_message_get(store, id, flags[count / 2].uid, &found, &message, &err) == 0 &&
	    found)
		(void)store_messages_by_identity(store, &message.identity, places, READ_MAX, &count,
						 &err);
	if (store_names_after(store, id, "", names, READ_MAX, &count, &err) == 0 && count > 0)
		(void)store_message_by_name(store, id, names[0].name, &found, &message, &err);
	(void)store_message_count(store, id, &count, &err);
	(void)store_journal_each(store, id, see_journal, NULL, &err);
	(void)store_setaside_each(store, id, see_setaside, NULL, &err);
}

static void read_all(struct store *store)
{
	struct mailbox_record mailbox;
	struct error err;
	uint32_t last = 0;
	bool found;

	(void)store_mailbox_each(store, see_mailbox, &last, &err);
	if (store_mailbox_get(store, "Mailbox/3", &found, &mailbox, &err) == 0 && found)
		keyword_table_free(&mailbox.keywords);
	for (uint32_t id = 1; id <= 3; id++)
		read_mailbox(store, id);
	read_mailbox(store, last);
}

static void write_all(struct loop *loop, struct store *store)
{
	struct store_batch batch;

	store_batch_init(&batch);
	put_mailbox(&batch, store_mailbox_new_id(store), 20);
	for (uint32_t uid = 100; uid < 130; uid++)
		put_message(&batch, 1, uid);
	(void)commit(loop, store, &batch);
	for (uint32_t uid = 90; uid < 150; uid++)
		store_batch_delete_message(&batch, 1 + uid % 2, uid);
	store_batch_delete_setaside(&batch, 1, 9, "");
	(void)commit(loop, store, &batch);
	store_batch_delete_mailbox(&batch, 1);
	put_mailbox(&batch, 2, 20);
	(void)commit(loop, store, &batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct temp_dir *dir = temp_dir_of_process();
	struct loop *loop = loop_new_fake();
	struct store *store;
	struct error err;

	if (image == NULL)
		make_image(loop, dir);
	if (size > 0 && size <= 1 + 4 * CHANGES_MAX) {
		damage(dir, data, size);
		if (store_open(loop, dir->path, "work", &options, &store, &err) == 0) {
			read_all(store);
			write_all(loop, store);
			store_close(&store);
			char *work = temp_path(dir, "work");
			must(verify_database(work, &err) == 0);
			free(work);
		} else {
			must(err.code == SYNCD_EIO && err.text[0] != '\0');
		}
	}
	loop_free(&loop);
	return 0;
}
