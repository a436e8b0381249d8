/* What the server offers (RFC 2449 §6).
 * SPDX-License-Identifier: MIT */
#include "syncd/must.h"

#include "pop3_private.h"

/* Without CAPA nobody knows; PIPELINING and the like are not tried then. */
#define ASSUMED (POP3_CAP_UIDL | POP3_CAP_TOP)

static const struct {
	const char *name;
	enum pop3_capability bit;
} capabilities[] = {
	{ "UIDL", POP3_CAP_UIDL }, { "TOP", POP3_CAP_TOP },   { "PIPELINING", POP3_CAP_PIPELINING },
	{ "STLS", POP3_CAP_STLS }, { "UTF8", POP3_CAP_UTF8 }, { "LANG", POP3_CAP_LANG },
};

void pop3_capability_forget(struct pop3_session *session)
{
	session->capabilities = ASSUMED;
	session->has_capabilities = false;
	session->is_user_dependent = false;
	session->offer = (struct sasl_offer){ 0 };
	session->has_user = false;
	session->policy = (struct pop3_policy){ .expire_days = POP3_EXPIRE_NEVER };
}

void pop3_capability_begin(struct pop3_session *session)
{
	pop3_capability_forget(session);
	session->capabilities = 0;
	session->has_capabilities = true;
	session->capability_lines = 0;
}

static void take_mechanisms(struct pop3_session *session, struct slice names)
{
	struct slice name;

	while (pop3_line_word(&names, &name)) {
		/* No mechanism: its challenge is in the greeting (RFC 2449 §6). */
		if (!slice_case_equals_str(name, "APOP"))
			sasl_offer_add(&session->offer, name);
	}
}

/* "LOGIN-DELAY 300 USER", "EXPIRE NEVER": what is no number leaves the value as it is. */
static void take_policy(struct pop3_session *session, struct slice arguments, uint32_t most,
			uint32_t *value)
{
	struct slice word;
	uint64_t number;

	if (pop3_line_word(&arguments, &word) && pop3_line_number(word, UINT64_MAX, &number))
		*value = number < most ? (uint32_t)number : most;
	if (pop3_line_word(&arguments, &word) && slice_case_equals_str(word, "USER"))
		session->is_user_dependent = true;
}

static void take_named(struct pop3_session *session, struct slice name, struct slice arguments)
{
	if (slice_case_equals_str(name, "USER"))
		session->has_user = true;
	else if (slice_case_equals_str(name, "SASL"))
		take_mechanisms(session, arguments);
	else if (slice_case_equals_str(name, "LOGIN-DELAY"))
		take_policy(session, arguments, POP3_DELAY_MAX_S, &session->policy.login_delay_s);
	else if (slice_case_equals_str(name, "EXPIRE"))
		take_policy(session, arguments, POP3_EXPIRE_NEVER, &session->policy.expire_days);
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
		if (slice_case_equals_str(name, capabilities[i].name))
			session->capabilities |= (uint32_t)capabilities[i].bit;
	}
}

int pop3_capability_take(struct pop3_session *session, struct slice line, struct error *err)
{
	struct slice name;

	if (++session->capability_lines > POP3_CAPABILITIES_MAX)
		return error_set(err, SYNCD_ELIMIT, "the server lists more than %d capabilities",
				 POP3_CAPABILITIES_MAX);
	if (pop3_line_word(&line, &name))
		take_named(session, name, line);
	return 0;
}
