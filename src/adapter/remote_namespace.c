/* Names in an account whose server has more than one namespace (RFC 2342): the prefix of the first
 * personal one is hidden, names in all others are told whole. Those of other users and shared ones
 * are only ours where a pattern of the configuration names them.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "syncd/pattern.h"

#include "remote_private.h"

struct remote_names remote_names_of(const struct remote_conn *conn)
{
	struct remote_names names = {
		.prefix = imap_session_prefix(conn->session),
		.separator = imap_session_separator(conn->session),
		.mailboxes = conn->adapter->settings.mailboxes,
	};

	names.others = imap_session_namespaces(conn->session, &names.count);
	return names;
}

/* The mailbox that holds the namespace ("shared" of "shared/") belongs to it. */
static bool is_in(const struct imap_namespace *other, struct slice wire)
{
	size_t len = strlen(other->prefix);
	bool is_root = other->separator != '\0' && len == wire.len + 1 &&
		       other->prefix[len - 1] == other->separator;

	return (is_root || wire.len >= len) &&
	       memcmp(wire.data, other->prefix, is_root ? len - 1 : len) == 0;
}

/* The one with the longest prefix; NULL: the first personal one. Every namespace without a prefix
 * has what no other has. INBOX is the user's own whatever begins like it (RFC 3501 §5.1). */
static const struct imap_namespace *namespace_of(const struct remote_names *names,
						 struct slice wire)
{
	const struct imap_namespace *found = NULL;
	size_t prefix_len = strlen(names->prefix);
	bool is_found = wire.len >= prefix_len && memcmp(wire.data, names->prefix, prefix_len) == 0;
	size_t found_len = is_found ? prefix_len : 0;

	if (slice_case_equals_str(wire, "INBOX"))
		return NULL;
	for (size_t i = 0; i < names->count; i++) {
		size_t len = strlen(names->others[i].prefix);
		if (!is_in(&names->others[i], wire) || (is_found && len <= found_len))
			continue;
		found = &names->others[i];
		found_len = len;
		is_found = true;
	}
	return found;
}

/* How names in it begin here; "" when that is nothing, or has no form of ours. */
static void prefix_of(const struct imap_namespace *other, struct buf *prefix)
{
	struct slice wire = slice_of(other->prefix);
	bool has_separator = wire.len > 0 && other->separator != '\0' &&
			     wire.data[wire.len - 1] == other->separator;

	buf_init(prefix, 4 * IMAP_PREFIX_MAX);
	wire.len -= has_separator ? 1 : 0;
	if (!remote_name_from_wire(wire, "", other->separator, prefix))
		buf_reset(prefix);
	else if (has_separator)
		(void)buf_add_char(prefix, '/');
}

static bool begins_with(const char *name, const char *prefix)
{
	return prefix[0] != '\0' && strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Whether the name is one in this namespace, and such as we may have. */
static bool is_ours_in(const struct remote_names *names, const struct imap_namespace *other,
		       const char *name)
{
	struct buf prefix;

	prefix_of(other, &prefix);
	bool is_ours = begins_with(name, buf_str(&prefix)) &&
		       (other->is_personal ||
			(names->mailboxes != NULL &&
			 pattern_list_names(names->mailboxes, buf_str(&prefix), name)));
	buf_free(&prefix);
	return is_ours;
}

bool remote_names_has(const struct remote_names *names, size_t other)
{
	struct buf prefix;

	prefix_of(&names->others[other], &prefix);
	bool has = names->mailboxes != NULL && !names->others[other].is_personal &&
		   pattern_list_has_prefix(names->mailboxes, buf_str(&prefix));
	buf_free(&prefix);
	return has;
}

bool remote_names_is_in(const struct remote_names *names, size_t other, struct slice wire)
{
	return namespace_of(names, wire) == &names->others[other];
}

static const struct imap_namespace *namespace_for(const struct remote_names *names,
						  const char *name)
{
	const struct imap_namespace *found = NULL;

	if (strcmp(name, "INBOX") == 0)
		return NULL;
	for (size_t i = 0; i < names->count; i++) {
		const struct imap_namespace *other = &names->others[i];
		if (is_ours_in(names, other, name) &&
		    (found == NULL || strlen(other->prefix) > strlen(found->prefix)))
			found = other;
	}
	return found;
}

int remote_names_to_wire(const struct remote_names *names, const char *name, struct buf *wire,
			 struct error *err)
{
	const struct imap_namespace *other = namespace_for(names, name);
	const char *prefix = other != NULL ? "" : names->prefix;
	char separator = other != NULL ? other->separator : names->separator;
	int code = remote_name_to_wire(name, prefix, separator, wire, err);

	/* As the list would not lead back to it: another one of the same prefix may come first. */
	if (code == 0 && namespace_of(names, buf_slice(wire)) != other) {
		code = error_set(err, SYNCD_ESERVER,
				 "it would be in a namespace of others, which no pattern of "
				 "`mailboxes` names");
		error_context(err, "mailbox %s", name);
	}
	return code;
}

enum remote_kind remote_names_from_wire(const struct remote_names *names, struct slice wire,
					struct buf *name)
{
	const struct imap_namespace *other = namespace_of(names, wire);

	if (other == NULL) {
		bool is_ours = remote_name_from_wire(wire, names->prefix, names->separator, name) &&
			       namespace_for(names, buf_str(name)) == NULL;
		return is_ours ? REMOTE_OURS : REMOTE_NAMELESS;
	}
	bool has_name = remote_name_from_wire(wire, "", other->separator, name);
	if (has_name && namespace_for(names, buf_str(name)) == other)
		return other->is_personal ? REMOTE_OURS : REMOTE_NAMED;
	if (other->is_personal)
		return REMOTE_NAMELESS;
	return has_name ? REMOTE_LEFT_ALONE : REMOTE_HIDDEN;
}
