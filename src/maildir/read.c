/* Reading messages: what an APPEND must announce, and their bytes in CRLF form.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir_private.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define READ_BYTES 32768

/* --- Measuring ------------------------------------------------------------------- */

static int measure_field(void *context, const struct header_field *field)
{
	struct measure *measure = context;

	identity_add_field(&measure->identity, field->name, field->body);
	return 0;
}

void measure_init(struct measure *measure)
{
	*measure = (struct measure){ .given_bytes = 0 };
	identity_init(&measure->identity);
	header_scanner_init(&measure->header, measure_field, measure);
}

void measure_add(struct measure *measure, struct slice data)
{
	size_t used;

	measure->given_bytes += data.len;
	crlf_count(&measure->count, data);
	if (!header_scanner_is_over(&measure->header))
		must(header_scanner_feed(&measure->header, data, &used) == 0);
}

void measure_end(struct measure *measure, struct digest *out)
{
	if (!header_scanner_is_over(&measure->header))
		must(header_scanner_end(&measure->header) == 0);
	identity_digest(&measure->identity, out);
}

void measure_free(struct measure *measure)
{
	identity_free(&measure->identity);
	header_scanner_free(&measure->header);
}

/* --- Opening ------------------------------------------------------------------------ */

struct opening {
	int fd;
	uint64_t letters;
	bool is_irregular;
};

static int open_place(struct maildir *maildir, struct maildir_place *place, void *context)
{
	struct opening *opening = context;
	struct slice base;
	struct slice info;
	struct stat st;
	/* Never waits for the writer of a FIFO that someone put there. */
	int fd = openat(place->is_new ? maildir->new_fd : maildir->cur_fd, place->file,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	int errno_value = fstat(fd, &st) != 0 ? errno : !S_ISREG(st.st_mode) ? EINVAL : 0;
	if (errno_value != 0) {
		opening->is_irregular = errno_value == EINVAL;
		(void)close(fd);
		return errno_value;
	}
	maildir_file_split(slice_of(place->file), &base, &info);
	opening->letters = maildir_info_letters(info);
	opening->fd = fd;
	return 0;
}

int maildir_message_open(struct maildir *maildir, const char *base, int *fd, uint64_t *letters,
			 struct error *err)
{
	struct maildir_target target = { .base = base };
	struct opening opening = { .fd = -1 };
	int errno_value;
	int code = locate_and(maildir, &target, open_place, &opening, &errno_value, err);

	*fd = opening.fd;
	if (letters != NULL)
		*letters = opening.letters;
	if (errno_value == 0)
		return code;
	if (errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOMEM)
		return error_set(err, SYNCD_EBUSY, "cannot open %.200s: %s", base,
				 strerror(errno_value));
	return error_set(err, SYNCD_EMESSAGE, "cannot read %.200s in mailbox %.100s: %s", base,
			 maildir->name,
			 opening.is_irregular ? "not a regular file" : strerror(errno_value));
}

static int read_error(const char *base, struct error *err)
{
	return error_set(err, SYNCD_EMESSAGE, "cannot read %.200s: %s", base, strerror(errno));
}

/* read(2) that goes on after a signal. */
static ssize_t read_some(int fd, char *out, size_t size)
{
	ssize_t len;

	do {
		len = read(fd, out, size);
	} while (len < 0 && errno == EINTR);
	return len;
}

/* --- Examining ------------------------------------------------------------------------- */

static int examine_bytes(int fd, const char *base, const atomic_bool *is_cancelled,
			 struct measure *measure, struct error *err)
{
	char *bytes = xmalloc(READ_BYTES);
	int code = 0;

	for (;;) {
		ssize_t len = read_some(fd, bytes, READ_BYTES);
		if (len < 0)
			code = read_error(base, err);
		else if (atomic_load(is_cancelled))
			code = error_set(err, SYNCD_ECANCELLED, "cancelled");
		if (code != 0 || len <= 0)
			break;
		measure_add(measure, (struct slice){ bytes, (size_t)len });
	}
	free(bytes);
	return code;
}

int maildir_examine(int fd, const char *base, const atomic_bool *is_cancelled,
		    struct maildir_examined *out, struct error *err)
{
	struct measure measure;
	struct stat st;
	int code;

	if (fstat(fd, &st) != 0)
		return read_error(base, err);
	measure_init(&measure);
	code = examine_bytes(fd, base, is_cancelled, &measure, err);
	/* Otherwise the next flush makes it durable. */
	if (code == 0 && !flush_can_take_all() && fsync(fd) != 0)
		code = error_set_errno(err, errno, "cannot flush", base);
	if (code == 0) {
		out->size_bytes = measure.count.size_bytes;
		out->has_nul = measure.count.has_nul;
		out->mtime_s = st.st_mtim.tv_sec;
		measure_end(&measure, &out->identity);
	}
	measure_free(&measure);
	return code;
}

/* --- Reading ------------------------------------------------------------------------------ */

struct maildir_reader {
	int fd;
	char *base;
	uint64_t expected_bytes;
	uint64_t given_bytes;
	struct crlf_encoder encoder;
	struct buf encoded;
	size_t taken; /* of `encoded` */
	char raw[READ_BYTES];
};

struct maildir_reader *maildir_reader_new(int fd, const char *base, uint64_t expected_bytes)
{
	struct maildir_reader *reader = xmalloc(sizeof(*reader));

	reader->fd = fd;
	reader->base = xstrdup(base);
	reader->expected_bytes = expected_bytes;
	reader->given_bytes = 0;
	reader->encoder = (struct crlf_encoder){ .is_behind_cr = false };
	reader->taken = 0;
	buf_init(&reader->encoded, (size_t)2 * READ_BYTES);
	return reader;
}

static int reader_changed(const struct maildir_reader *reader, struct error *err)
{
	return error_set(err, SYNCD_EMESSAGE, "%.200s was changed after it had been examined",
			 reader->base);
}

int maildir_reader_read(struct maildir_reader *reader, char *out, size_t size, size_t *len,
			struct error *err)
{
	*len = 0;
	if (reader->taken == reader->encoded.len) {
		ssize_t got = read_some(reader->fd, reader->raw, sizeof(reader->raw));
		if (got < 0)
			return read_error(reader->base, err);
		buf_reset(&reader->encoded);
		reader->taken = 0;
		must(crlf_encode(&reader->encoder, (struct slice){ reader->raw, (size_t)got },
				 &reader->encoded) == 0);
	}
	size_t left = reader->encoded.len - reader->taken;
	bool is_known = reader->expected_bytes != MAILDIR_SIZE_UNKNOWN;
	if (is_known && (left == 0 ? reader->given_bytes != reader->expected_bytes
				   : reader->given_bytes + left > reader->expected_bytes))
		return reader_changed(reader, err);
	*len = left < size ? left : size;
	if (*len > 0)
		memcpy(out, reader->encoded.data + reader->taken, *len);
	reader->taken += *len;
	reader->given_bytes += *len;
	return 0;
}

void maildir_reader_free(struct maildir_reader **reader)
{
	if (*reader == NULL)
		return;
	(void)close((*reader)->fd);
	buf_free(&(*reader)->encoded);
	free((*reader)->base);
	free(*reader);
	*reader = NULL;
}
