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

struct maildir_delivery {
	struct maildir *maildir;
	int fd;
	char tmp_name[MAIL_NAME_MAX + 1];
	enum maildir_line_endings line_endings;
	struct crlf_decoder decoder;
	struct buf converted;
	struct measure measure;
	uint64_t disk_bytes;
};

int maildir_deliver_begin(struct maildir *maildir, struct maildir_namer *namer, int64_t now_s,
			  enum maildir_line_endings line_endings,
			  struct maildir_delivery **delivery, struct error *err)
{
	struct maildir_delivery *begun = xcalloc(1, sizeof(*begun));

	*delivery = NULL;
	maildir_namer_next(namer, now_s, begun->tmp_name);
	begun->fd = openat(maildir->tmp_fd, begun->tmp_name,
			   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (begun->fd < 0) {
		int code = dirs_error(maildir, errno, "cannot make tmp file", begun->tmp_name, err);
		free(begun);
		/* tmp/ is gone; nothing was asked to be found. */
		return code == SYNCD_ENOTFOUND
			       ? error_set(err, SYNCD_EIO, "mailbox %.200s: its tmp vanished",
					   maildir->name)
			       : code;
	}
	begun->maildir = maildir;
	begun->line_endings = line_endings;
	buf_init(&begun->converted, PIECE_BYTES + 2);
	measure_init(&begun->measure);
	*delivery = begun;
	return 0;
}

static int write_out(struct maildir_delivery *delivery, struct slice data, struct error *err)
{
	while (data.len > 0) {
		ssize_t len = write(delivery->fd, data.data, data.len);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return dirs_error(delivery->maildir, errno, "cannot write tmp file",
					  delivery->tmp_name, err);
		data.data += len;
		data.len -= (size_t)len;
		delivery->disk_bytes += (uint64_t)len;
	}
	return 0;
}

static int write_piece(struct maildir_delivery *delivery, struct slice piece, struct error *err)
{
	measure_add(&delivery->measure, piece);
	if (delivery->line_endings == MAILDIR_CRLF)
		return write_out(delivery, piece, err);
	buf_reset(&delivery->converted);
	must(crlf_decode(&delivery->decoder, piece, &delivery->converted) == 0);
	return write_out(delivery, buf_slice(&delivery->converted), err);
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
	buf_free(&delivery->converted);
	measure_free(&delivery->measure);
	free(delivery);
}

void maildir_deliver_abort(struct maildir_delivery *delivery)
{
	(void)unlinkat(delivery->maildir->tmp_fd, delivery->tmp_name, 0);
	delivery_free(delivery);
}

static int finish_file(struct maildir_delivery *delivery, int64_t mtime_s, struct error *err)
{
	struct timespec times[2] = { { .tv_sec = (time_t)mtime_s }, { .tv_sec = (time_t)mtime_s } };
	int code = 0;

	if (delivery->line_endings == MAILDIR_LF) {
		buf_reset(&delivery->converted);
		must(crlf_decode_end(&delivery->decoder, &delivery->converted) == 0);
		code = write_out(delivery, buf_slice(&delivery->converted), err);
	}
	if (code == 0 && futimens(delivery->fd, times) != 0)
		code = dirs_error(delivery->maildir, errno, "cannot date tmp file",
				  delivery->tmp_name, err);
	int fd = delivery->fd;
	delivery->fd = -1;
	if (close(fd) != 0 && code == 0)
		code = dirs_error(delivery->maildir, errno, "cannot write tmp file",
				  delivery->tmp_name, err);
	return code;
}

static void pending_add(struct maildir_pending *pending, const char *base)
{
	pending->names =
		xgrow(pending->names, pending->count, &pending->cap, sizeof(*pending->names));
	pending->names[pending->count++] = xstrdup(base);
}

/* The size is part of the name, and known only now. */
static int give_name(struct maildir_delivery *delivery, char *base, struct error *err)
{
	struct maildir *maildir = delivery->maildir;
	int len = snprintf(base, MAIL_NAME_MAX + 1, "%s,S=%" PRIu64, delivery->tmp_name,
			   delivery->disk_bytes);

	must(len > 0 && len <= MAIL_NAME_MAX);
	if (rename_exclusive(maildir->tmp_fd, delivery->tmp_name, maildir->tmp_fd, base) != 0)
		return dirs_error(maildir, errno, "cannot rename tmp file", base, err);
	pending_add(&maildir->pending, base);
	return 0;
}

int maildir_deliver_end(struct maildir_delivery *delivery, int64_t mtime_s, char *base,
			uint64_t *size_bytes, struct digest *identity, struct error *err)
{
	int code = finish_file(delivery, mtime_s, err);

	if (code == 0)
		code = give_name(delivery, base, err);
	if (code != 0) {
		maildir_deliver_abort(delivery);
		return code;
	}
	*size_bytes = delivery->measure.given_bytes;
	measure_end(&delivery->measure, identity);
	delivery_free(delivery);
	return 0;
}
