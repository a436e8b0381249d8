/* What the pieces of a pull share (sync_pull.h).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_PULL_H
#define SYNCD_PULL_H

#include "syncd/header.h"
#include "syncd/sync_plan.h"
#include "syncd/sync_pull.h"

#define PULL_NONE UINT32_MAX
#define PULL_GROUP_MESSAGES 500
#define PULL_GROUP_BYTES (8u * 1024 * 1024) /* two of them may be in memory */
#define PULL_SAVE_RECORDS 500               /* in one commit */
#define PULL_DOUBTED UINT64_MAX             /* a listed size: it is to be compared */
/* So many that vanish at once, and this share, are a server that gave its messages other
 * unique-ids. */
#define PULL_RENUMBERED_LEAST 20
#define PULL_RENUMBERED_SHARE 2 /* one in so many */

/* A pop3_record in memory, of which there may be 100,000. */
struct pull_record {
	struct digest uid;
	struct digest identity;
	uint64_t size_bytes;
	uint64_t listed_bytes;
	int64_t first_seen_s;
	int64_t absent_since_s;
	uint32_t id;
	uint32_t name_at; /* in the names */
	uint32_t next;    /* in its chain, PULL_NONE at the end */
	enum pop3_state state;
	bool is_claimed; /* a listed message is this one */
	bool is_listed;  /* a listed message has its unique-id, or may be it without one */
	bool is_dirty;   /* the state is to be told */
	bool is_dropped; /* and to forget it */
	bool is_copy;    /* its file is another record's */
	bool is_new;     /* it came in this pull */
};

struct pull_records {
	struct pull_record *items; /* those of the state sorted by uid, then the new ones */
	size_t count;
	size_t cap;
	struct buf names; /* each ends with a NUL */
};

enum pull_entry_kind {
	ENTRY_FETCH, /* new, or a suspect that only its content tells from a new one */
	ENTRY_KNOWN, /* `record` is the same message */
	ENTRY_LEFT,  /* stays on the server: too large, or refused */
};

/* A message as listed. */
struct pull_entry {
	struct digest uid;
	uint64_t size_bytes;
	uint32_t number;
	uint32_t record; /* known only */
	uint32_t uid_at; /* in the unique-ids; PULL_NONE: not kept, as it is most likely known */
	uint16_t uid_len;
	uint8_t kind;
	bool is_suspect; /* records have its unique-id */
	bool has_twins;  /* others in the listing have it, too */
	bool is_due;     /* its file is gone: until-deleted */
	bool is_marked;  /* the server has marked it deleted */
	uint32_t aside;  /* which of those set aside; PULL_NONE: none */
};

struct pull_listing {
	struct maildrop_list_req req;
	struct pull_entry *items; /* by number */
	size_t count;
	size_t cap;
	struct buf uids;
	size_t to_fetch;
};

/* Which record is a message whose content has come: chains by identity. */
struct pull_chains {
	uint32_t *unclaimed; /* of records that no listed message is yet */
	uint32_t *twins;     /* of claimed ones, by unique-id and identity */
	size_t mask;
};

/* The message that is coming in. */
struct pull_body {
	struct header_scanner header;
	struct identity identity;
	uint64_t size_bytes;
	bool is_open;
	bool has_received; /* the topmost Received was there */
	bool has_date;
	int64_t date_s; /* of Received, else of Date */
	struct local_delivery *delivery;
};

struct pull_group {
	uint32_t *items; /* records */
	size_t count;
	size_t cap;
	uint64_t bytes;
};

struct pull_fetch {
	struct maildrop_fetch_req req;
	size_t asked; /* entries that were looked at */
	struct pull_body body;
	struct pull_group filling;
	struct pull_group staging;
	struct pull_group published; /* whose renames are not durable yet */
	struct local_flush_req flush;
	struct store_commit_req commit;
	bool is_fetching;
	bool is_paused;
	bool is_staging;
	bool is_broken; /* nothing more is delivered */
};

/* Until-deleted: which files are gone. */
struct pull_look {
	struct local_list_req list;
	struct local_scan_req scan;
	struct local_listing listing;
	struct local_mailbox *mailbox; /* other than INBOX */
	struct keyword_table keywords;
	char **names; /* of the other mailboxes */
	size_t count;
	size_t cap;
	size_t at; /* 0: INBOX, else names[at - 1] */
	unsigned round;
	uint32_t *missing; /* entries */
	size_t missing_count;
	bool is_moving; /* nothing can be told this time */
};

#define PULL_EXAMINED_AT_ONCE 16

struct pull_examine {
	struct local_examine_req req;
	struct sync_pull *pull;
};

/* First contact: the files that are there already. */
struct pull_adopt {
	struct local_scan_req scan;
	struct local_listing listing;
	size_t next; /* of it, to be examined */
	size_t examining;
	size_t count; /* of those that are records now */
	struct pull_examine examines[PULL_EXAMINED_AT_ONCE];
};

enum pull_state {
	PULL_START,
	PULL_CHECK,
	PULL_LOAD,
	PULL_RECOVER,
	PULL_ADOPT,
	PULL_OPEN,
	PULL_LIST,
	PULL_MATCH,
	PULL_LOOK,
	PULL_PLAN,
	PULL_HEADERS,
	PULL_FETCH,
	PULL_SAVE,
	PULL_DELETE,
	PULL_QUIT,
	PULL_SETTLE,
	PULL_DOUBT,
	PULL_CLOSE,
	PULL_STATE_COUNT,
};

struct sync_pull {
	struct sync_pull_ports ports;
	struct sync_pull_options options;
	sync_pull_done done;
	struct sync_pull_result result;
	struct error err;     /* ends the pull */
	struct error refusal; /* does not */
	struct port_op turn;
	enum pull_state state;
	bool is_stepping;
	bool is_piece_over;

	int64_t now_s;
	struct mailbox_record mailbox;
	bool is_first; /* the state knows nothing yet */
	struct local_mailbox *local;
	struct sync_setaside setaside;
	bool *is_aside_used; /* one each: its message is there, and was not fetched */
	struct pull_records records;
	struct pull_listing listing;
	struct pull_chains chains;
	bool is_renumbered;

	struct maildrop_open_req open;
	bool is_opened;     /* or was tried to */
	bool is_disordered; /* nobody knows which answer was to what */
	struct pull_fetch fetch;
	struct pull_look look;
	struct pull_adopt adopt;
	struct maildrop_delete_req remove;
	size_t removing; /* entries that were looked at */
	struct maildrop_quit_req quit;
	struct port_op close;

	struct local_flush_req flush;
	struct store_commit_req commit;
	struct store_batch batch; /* for the next save */
	size_t saved;             /* records that were looked at */
	port_done after_save;
};

/* --- pull.c: the story --- */

/* The first failure counts; what is under way ends. */
void pull_fail(struct sync_pull *pull, const struct error *err);
/* A failure that leaves the rest as it is. */
void pull_refuse(struct sync_pull *pull, const struct error *err);
bool pull_is_failing(const struct sync_pull *pull);
/* The last statement of a state, now or later. */
void pull_piece_done(struct sync_pull *pull);

/* --- pull_records.c --- */

bool pull_has_uid(const struct digest *uid);
const char *pull_name(const struct sync_pull *pull, const struct pull_record *record);
/* Adds a new one; its place. */
uint32_t pull_add(struct sync_pull *pull, const struct pull_record *record, const char *name);
int pull_load_records(struct sync_pull *pull, struct error *err);
/* The first record with that unique-id in the state's, or PULL_NONE. */
uint32_t pull_find_uid(const struct sync_pull *pull, const struct digest *uid);
void pull_put(const struct sync_pull *pull, struct store_batch *batch,
	      const struct pull_record *record);
/* Commits pull->batch and all that is dirty or dropped, some at a time; then `done`, of
 * pull->commit.op. */
void pull_save(struct sync_pull *pull, port_done done);

/* --- pull_recover.c --- */

void pull_check_start(struct sync_pull *pull);
void pull_load_start(struct sync_pull *pull);
void pull_recover_start(struct sync_pull *pull);
/* Removes from tmp/ what no record has. */
void pull_clean(struct sync_pull *pull);

/* --- pull_adopt.c --- */

void pull_adopt_start(struct sync_pull *pull);
void pull_adopt_free(struct sync_pull *pull);

/* --- pull_list.c --- */

void pull_open_start(struct sync_pull *pull);
void pull_list_start(struct sync_pull *pull);
struct pull_entry *pull_entry_of(struct sync_pull *pull, uint32_t number);
struct pull_message pull_message_of(const struct sync_pull *pull, const struct pull_entry *entry);

/* --- pull_match.c --- */

void pull_match_start(struct sync_pull *pull);
/* Of a message that is not known: fetched, or left where it is. */
void pull_decide(struct sync_pull *pull, struct pull_entry *entry);
/* The server refuses it. */
void pull_set_aside(struct sync_pull *pull, struct pull_entry *entry, const struct error *err);

/* --- pull_same.c --- */

void pull_chains_make(struct sync_pull *pull);
/* The record that the message of this content is, PULL_NONE: none, it is new. */
uint32_t pull_find_same(struct sync_pull *pull, const struct pull_entry *entry,
			const struct digest *identity, uint64_t size_bytes);
/* The same by its header alone. */
uint32_t pull_find_by_header(struct sync_pull *pull, const struct pull_entry *entry,
			     const struct digest *identity);
/* A listed message with the same unique-id and content that was fetched before, or PULL_NONE. */
uint32_t pull_find_twin(const struct sync_pull *pull, const struct pull_entry *entry,
			const struct digest *identity, uint64_t size_bytes);
/* The message is this record, from now on under its unique-id. */
void pull_claim(struct sync_pull *pull, struct pull_entry *entry, uint32_t at);

/* --- pull_doubt.c --- */

/* Whether the message may be another than its unique-id says. */
bool pull_is_doubted(const struct pull_record *record);
bool pull_has_doubts(const struct sync_pull *pull);
/* Takes notice of a failure behind which what was fetched is doubtful. */
void pull_note_disorder(struct sync_pull *pull, int code);
void pull_doubt_start(struct sync_pull *pull);

/* --- pull_body.c --- */

void pull_body_begin(struct pull_body *body);
void pull_body_add(struct pull_body *body, struct slice data);
void pull_body_end(struct pull_body *body, struct digest *identity);
void pull_body_free(struct pull_body *body);

/* --- pull_headers.c, pull_fetch.c --- */

void pull_headers_start(struct sync_pull *pull);
void pull_fetch_start(struct sync_pull *pull);
void pull_fetch_free(struct sync_pull *pull);

/* --- pull_look.c --- */

void pull_look_start(struct sync_pull *pull);
void pull_look_free(struct sync_pull *pull);

/* --- pull_delete.c --- */

bool pull_is_due(const struct sync_pull *pull, const struct pull_entry *entry);
/* Of all that is due by the files that are gone: whether that is too much to go unasked. */
void pull_hold(struct sync_pull *pull);
void pull_plan_start(struct sync_pull *pull);
void pull_save_start(struct sync_pull *pull);
void pull_delete_start(struct sync_pull *pull);
void pull_quit_start(struct sync_pull *pull);
void pull_settle_start(struct sync_pull *pull);

#endif
