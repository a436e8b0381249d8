/* A message on its way: its identity and date, read from the header as it comes in.
 * SPDX-License-Identifier: MIT */
#include "pull.h"

#include "syncd/mail_date.h"
#include "syncd/must.h"

/* The topmost Received is the last server's, and so the time of arrival; Date is the sender's. */
static int body_field(void *context, const struct header_field *field)
{
	struct pull_body *body = context;
	bool is_received = slice_case_equals_str(field->name, "Received");

	identity_add_field(&body->identity, field->name, field->body);
	if (is_received && !body->has_received && mail_date_of_received(field->body, &body->date_s))
		body->has_received = body->has_date = true;
	else if (!body->has_date && slice_case_equals_str(field->name, "Date"))
		body->has_date = mail_date_parse(field->body, &body->date_s);
	return 0;
}

void pull_body_begin(struct pull_body *body)
{
	*body = (struct pull_body){ .is_open = true };
	identity_init(&body->identity);
	header_scanner_init(&body->header, body_field, body);
}

void pull_body_add(struct pull_body *body, struct slice data)
{
	size_t used = 0;

	body->size_bytes += data.len;
	if (!header_scanner_is_over(&body->header))
		must(header_scanner_feed(&body->header, data, &used) == 0);
}

void pull_body_end(struct pull_body *body, struct digest *identity)
{
	if (!header_scanner_is_over(&body->header))
		must(header_scanner_end(&body->header) == 0);
	identity_digest(&body->identity, identity);
}

void pull_body_free(struct pull_body *body)
{
	if (!body->is_open)
		return;
	body->is_open = false;
	identity_free(&body->identity);
	header_scanner_free(&body->header);
}
