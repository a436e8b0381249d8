/* Scans the header fields of a message from chunks.
 * SPDX-License-Identifier: MIT */
#include "syncd/header.h"

void header_scanner_init(struct header_scanner *scanner, header_field_cb field, void *context)
{
	*scanner = (struct header_scanner){ .field = field, .context = context };
	buf_init(&scanner->text, HEADER_FIELD_MAX);
}

void header_scanner_free(struct header_scanner *scanner)
{
	buf_free(&scanner->text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Delivers the field that is complete now, if one is. */
static int deliver(struct header_scanner *scanner)
{
	struct slice text = buf_slice(&scanner->text);
	struct header_field field = { .is_truncated = scanner->is_truncated };

	if (!scanner->has_field)
		return 0;
	scanner->has_field = false;
	while (text.len > scanner->name_len && is_blank(text.data[text.len - 1]))
		text.len--;
	field.name = (struct slice){ text.data, scanner->name_len };
	field.body = (struct slice){ text.data + scanner->name_len, text.len - scanner->name_len };
	return scanner->field(scanner->context, &field);
}

/* Adds to the body without its leading blanks; what passes the limit is lost. */
static void add_body(struct header_scanner *scanner, struct slice run)
{
	while (run.len > 0 && scanner->text.len == scanner->name_len && is_blank(run.data[0])) {
		run.data++;
		run.len--;
	}
	size_t room = HEADER_FIELD_MAX - scanner->text.len;
	if (run.len > room) {
		scanner->is_truncated = true;
		run.len = room;
	}
	(void)buf_add(&scanner->text, run.data, run.len);
}

/* A byte of a name: printable ASCII without colon (RFC 5322 §3.6.8), and blanks
 * before the colon (§4.5). Anything else means that the line is no field. */
static void name_byte(struct header_scanner *scanner, char c)
{
	struct buf *text = &scanner->text;

	if (c == ':') {
		while (text->len > 0 && is_blank(text->data[text->len - 1]))
			text->len--;
		scanner->name_len = text->len;
		scanner->has_field = text->len > 0;
		scanner->state = scanner->has_field ? HEADER_IN_BODY : HEADER_IN_NO_FIELD;
		return;
	}
	bool is_behind_blank = text->len > 0 && is_blank(text->data[text->len - 1]);
	bool is_name = is_blank(c) || (c > ' ' && c < 0x7f && !is_behind_blank);
	if (!is_name || text->len == HEADER_NAME_MAX)
		scanner->state = HEADER_IN_NO_FIELD;
	else
		(void)buf_add_char(text, c);
}

/* The first byte of a line that is not empty. */
static int first_byte(struct header_scanner *scanner, char c)
{
	if (is_blank(c)) {
		scanner->state = scanner->has_field ? HEADER_IN_BODY : HEADER_IN_NO_FIELD;
		if (scanner->has_field)
			add_body(scanner, (struct slice){ &c, 1 });
		return 0;
	}
	int rc = deliver(scanner);
	buf_reset(&scanner->text);
	scanner->is_truncated = false;
	scanner->state = HEADER_IN_NAME;
	name_byte(scanner, c);
	return rc;
}

static int line_end(struct header_scanner *scanner)
{
	if (scanner->state != HEADER_AT_LINE) {
		scanner->state = HEADER_AT_LINE;
		return 0;
	}
	scanner->state = HEADER_IS_OVER;
	return deliver(scanner);
}

/* Bytes without line ends; `run` is not empty. */
static int take_run(struct header_scanner *scanner, struct slice run)
{
	int rc = 0;

	if (scanner->state == HEADER_AT_LINE) {
		rc = first_byte(scanner, run.data[0]);
		run.data++;
		run.len--;
	}
	while (scanner->state == HEADER_IN_NAME && run.len > 0) {
		name_byte(scanner, run.data[0]);
		run.data++;
		run.len--;
	}
	if (scanner->state == HEADER_IN_BODY)
		add_body(scanner, run);
	return rc;
}

static size_t run_length(struct slice data)
{
	size_t len = 0;

	while (len < data.len && data.data[len] != '\r' && data.data[len] != '\n')
		len++;
	return len;
}

/* Takes a run, or one byte of a line end. A CR waits for what comes behind it. */
static int step(struct header_scanner *scanner, struct slice *data)
{
	char c = data->data[0];
	size_t len = 1;
	int rc = 0;

	if (scanner->is_behind_cr && c != '\r') {
		scanner->is_behind_cr = false;
		len = c == '\n' ? 1 : 0;
		rc = line_end(scanner);
	} else if (c == '\r') {
		scanner->is_behind_cr = true;
	} else if (c == '\n') {
		rc = line_end(scanner);
	} else {
		len = run_length(*data);
		rc = take_run(scanner, (struct slice){ data->data, len });
	}
	data->data += len;
	data->len -= len;
	return rc;
}

int header_scanner_feed(struct header_scanner *scanner, struct slice data, size_t *used)
{
	size_t given = data.len;
	int rc = 0;

	while (rc == 0 && data.len > 0 && scanner->state != HEADER_IS_OVER)
		rc = step(scanner, &data);
	*used = given - data.len;
	return rc;
}

int header_scanner_end(struct header_scanner *scanner)
{
	scanner->state = HEADER_IS_OVER;
	return deliver(scanner);
}

bool header_scanner_is_over(const struct header_scanner *scanner)
{
	return scanner->state == HEADER_IS_OVER;
}
