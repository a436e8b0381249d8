/* A SASL exchange as the lines of a protocol carry it.
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"
#include "syncd/sasl.h"

static void line_wipe(struct sasl_exchange *exchange)
{
	if (exchange->line.data != NULL)
		secret_wipe(exchange->line.data, exchange->line.cap);
	buf_free(&exchange->line);
}

int sasl_exchange_begin(struct sasl_exchange *exchange, const char *mechanism,
			const struct sasl_identity *identity, const struct stream *stream,
			struct error *err)
{
	sasl_exchange_free(exchange);
	error_clear(&exchange->err);
	buf_init(&exchange->line, SASL_LINE_MAX);
	exchange->sasl = sasl_new(mechanism, identity, stream, err);
	return exchange->sasl != NULL ? 0 : err->code;
}

int sasl_exchange_initial(struct sasl_exchange *exchange, struct error *err)
{
	line_wipe(exchange);
	if (!sasl_has_initial(exchange->sasl))
		return 0;
	int rc = sasl_step(exchange->sasl, (struct slice){ "", 0 }, &exchange->line, err);
	if (rc == 0 && exchange->line.len == 0)
		rc = buf_add_char(&exchange->line, '=');
	return rc;
}

bool sasl_exchange_answer(struct sasl_exchange *exchange, struct slice challenge_base64)
{
	line_wipe(exchange);
	if (exchange->err.code != 0)
		return false;
	if (sasl_step(exchange->sasl, challenge_base64, &exchange->line, &exchange->err) == 0)
		return true;
	line_wipe(exchange);
	must(buf_add_char(&exchange->line, '*') == 0);
	return true;
}

int sasl_exchange_end(struct sasl_exchange *exchange, const struct error *refusal,
		      struct error *err)
{
	bool is_unproven = exchange->sasl != NULL && !sasl_is_done(exchange->sasl);

	sasl_exchange_free(exchange);
	if (exchange->err.code != 0)
		*err = exchange->err;
	else if (refusal != NULL)
		*err = *refusal;
	else if (is_unproven)
		(void)error_set(err, SYNCD_EAUTH,
				"the server ended the exchange before it had proved itself");
	else
		error_clear(err);
	return err->code;
}

void sasl_exchange_free(struct sasl_exchange *exchange)
{
	sasl_free(&exchange->sasl);
	line_wipe(exchange);
}
