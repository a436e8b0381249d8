/* Delivery into tmp/: bytes in CRLF form to a file with the line ends wanted.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"
#include "syncd/crlf.h"
#include "syncd/must.h"

#define PIECE_BYTES 65536
#define HELD_BYTES_MAX (256u * 1024) /* a message larger than this goes to its file as it comes */

struct maildir_delivery {
	struct maildir *maildir;
	int fd; /* -1: all of it is in `held` so far */
	char tmp_name[MAIL_NAME_MAX + 1];
	enum maildir_line_endings line_endings;
	struct crlf_decoder decoder;
	struct buf held;
	struct buf converted;
	struct measure measure;
	uint64_t disk_bytes;
};

int maildir_deliver_begin(struct maildir *maildir, struct maildir_namer *namer, int64_t now_s,
			  enum maildir_line_endings line_endings,
			  struct maildir_delivery **delivery, struct error *err)
{
	struct maildir_delivery *begun = xcalloc(1, sizeof(*begun));

	(void)err; /* nothing is made yet */
	maildir_namer_next(namer, now_s, begun->tmp_name);
	begun->fd = -1;
	begun->maildir = maildir;
	begun->line_endings = line_endings;
	buf_init(&begun->held, HELD_BYTES_MAX + PIECE_BYTES + 2);
	buf_init(&begun->converted, PIECE_BYTES + 2);
	measure_init(&begun->measure);
	*delivery = begun;
	return 0;
}

/* --- Files ---------------------------------------------------------------------- */

static int tmp_open(const struct maildir *maildir, const char *name, int *fd, struct error *err)
{
	*fd = openat(maildir->tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (*fd >= 0)
		return 0;
	int code = dirs_error(maildir, errno, "cannot make tmp file", name, err);
	/* tmp/ is gone; nothing was asked to be found. */
	return code == SYNCD_ENOTFOUND
		       ? error_set(err, SYNCD_EIO, "mailbox %.200s: its tmp vanished",
				   maildir->name)
		       : code;
}

static int tmp_write(const struct maildir *maildir, int fd, const char *name, struct slice data,
		     struct error *err)
{
	while (data.len > 0) {
		ssize_t len = write(fd, data.data, data.len);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return dirs_error(maildir, errno, "cannot write tmp file", name, err);
		data.data += len;
		data.len -= (size_t)len;
	}
	return 0;
}

/* Dates the file and closes it in any outcome; `code` is that of what went before. */
static int tmp_close(const struct maildir *maildir, int fd, const char *name, int64_t mtime_s,
		     int code, struct error *err)
{
	struct timespec times[2] = { { .tv_sec = (time_t)mtime_s }, { .tv_sec = (time_t)mtime_s } };

	if (code == 0 && futimens(fd, times) != 0)
		code = dirs_error(maildir, errno, "cannot date tmp file", name, err);
	if (close(fd) != 0 && code == 0)
		code = dirs_error(maildir, errno, "cannot write tmp file", name, err);
	return code;
}

int deliver_write_file(const struct maildir *maildir, const struct maildir_delivered *file,
		       struct error *err)
{
	struct slice bytes = { file->bytes, file->len };
	int fd;
	int code = tmp_open(maildir, file->base, &fd, err);

	if (code != 0)
		return code;
	code = tmp_write(maildir, fd, file->base, bytes, err);
	code = tmp_close(maildir, fd, file->base, file->mtime_s, code, err);
	if (code != 0)
		(void)unlinkat(maildir->tmp_fd, file->base, 0);
	return code;
}

/* --- Taking a message in ------------------------------------------------------------ */

/* It has become too large to be held. */
static int spill(struct maildir_delivery *delivery, struct error *err)
{
	int code = tmp_open(delivery->maildir, delivery->tmp_name, &delivery->fd, err);

	if (code == 0)
		code = tmp_write(delivery->maildir, delivery->fd, delivery->tmp_name,
				 buf_slice(&delivery->held), err);
	buf_free(&delivery->held);
	return code;
}

/* What was converted goes where the message is. */
static int put_out(struct maildir_delivery *delivery, struct slice data, struct error *err)
{
	delivery->disk_bytes += data.len;
	if (delivery->fd >= 0)
		return tmp_write(delivery->maildir, delivery->fd, delivery->tmp_name, data, err);
	must(buf_add(&delivery->held, data.data, data.len) == 0);
	return delivery->held.len > HELD_BYTES_MAX ? spill(delivery, err) : 0;
}

static int write_piece(struct maildir_delivery *delivery, struct slice piece, struct error *err)
{
	measure_add(&delivery->measure, piece);
	if (delivery->line_endings == MAILDIR_CRLF)
		return put_out(delivery, piece, err);
	buf_reset(&delivery->converted);
	must(crlf_decode(&delivery->decoder, piece, &delivery->converted) == 0);
	return put_out(delivery, buf_slice(&delivery->converted), err);
}

int maildir_deliver_write(struct maildir_delivery *delivery, struct slice data, struct error *err)
{
	int code = 0;

	while (data.len > 0 && code == 0) {
		size_t len = data.len < PIECE_BYTES ? data.len : PIECE_BYTES;
		code = write_piece(delivery, (struct slice){ data.data, len }, err);
		data.data += len;
		data.len -= len;
	}
	return code;
}

static void delivery_free(struct maildir_delivery *delivery)
{
	if (delivery->fd >= 0)
		(void)close(delivery->fd);
	buf_free(&delivery->held);
	buf_free(&delivery->converted);
	measure_free(&delivery->measure);
	free(delivery);
}

void maildir_deliver_abort(struct maildir_delivery *delivery)
{
	if (delivery->fd >= 0)
		(void)unlinkat(delivery->maildir->tmp_fd, delivery->tmp_name, 0);
	delivery_free(delivery);
}

/* --- The end of a message --------------------------------------------------------------- */

static int finish_file(struct maildir_delivery *delivery, int64_t mtime_s, const char *base,
		       struct error *err)
{
	struct maildir *maildir = delivery->maildir;
	int fd = delivery->fd;

	delivery->fd = -1;
	int code = tmp_close(maildir, fd, delivery->tmp_name, mtime_s, 0, err);
	if (code == 0 &&
	    rename_exclusive(maildir->tmp_fd, delivery->tmp_name, maildir->tmp_fd, base) != 0)
		code = dirs_error(maildir, errno, "cannot rename tmp file", base, err);
	if (code != 0)
		(void)unlinkat(maildir->tmp_fd, delivery->tmp_name, 0);
	return code;
}

static void hand_over(struct maildir_delivery *delivery, int64_t mtime_s, const char *base,
		      bool is_on_disk)
{
	struct maildir_delivered file = { .base = xstrdup(base), .mtime_s = mtime_s };

	if (!is_on_disk) {
		file.len = delivery->held.len;
		file.bytes =
			xmalloc(file.len + 1); /* not the buffer, which may be twice as large */
		if (file.len > 0)
			memcpy(file.bytes, delivery->held.data, file.len);
	}
	pending_add(&delivery->maildir->pending, &file);
}

static int finish_line(struct maildir_delivery *delivery, struct error *err)
{
	if (delivery->line_endings == MAILDIR_CRLF)
		return 0;
	buf_reset(&delivery->converted);
	must(crlf_decode_end(&delivery->decoder, &delivery->converted) == 0);
	return put_out(delivery, buf_slice(&delivery->converted), err);
}

/* The size is part of the name, and known only now. */
int maildir_deliver_end(struct maildir_delivery *delivery, int64_t mtime_s, char *base,
			uint64_t *size_bytes, struct digest *identity, struct error *err)
{
	int code = finish_line(delivery, err);
	bool is_on_disk = delivery->fd >= 0;
	int len = snprintf(base, MAIL_NAME_MAX + 1, "%s,S=%" PRIu64, delivery->tmp_name,
			   delivery->disk_bytes);

	must(len > 0 && len <= MAIL_NAME_MAX);
	if (code == 0 && is_on_disk)
		code = finish_file(delivery, mtime_s, base, err);
	if (code != 0) {
		maildir_deliver_abort(delivery);
		return code;
	}
	hand_over(delivery, mtime_s, base, is_on_disk);
	*size_bytes = delivery->measure.given_bytes;
	measure_end(&delivery->measure, identity);
	delivery_free(delivery);
	return 0;
}
