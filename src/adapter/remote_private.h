/* What the files of the remote port share. Seen by src/adapter/remote_*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_REMOTE_PRIVATE_H
#define SYNCD_ADAPTER_REMOTE_PRIVATE_H

#include "login_password.h"
#include "syncd/adapter_remote.h"
#include "syncd/imap.h"
#include "syncd/uid_pile.h"

#define REMOTE_IDLE_CLOSE_MS 30000          /* a session nobody uses */
#define REMOTE_LIMIT_MS (60 * 60 * 1000)    /* a server's limit is believed for that long */
#define REMOTE_PUSH_GATHER_MS 20            /* what a server says in one go has come by then */
#define REMOTE_PUSH_REST_MS 2000            /* after a push gave its session away */
#define REMOTE_OVERFLOW_MS (10 * 60 * 1000) /* a server that gave up telling twice within that */

enum remote_conn_state {
	REMOTE_CONN_LOGIN,
	REMOTE_CONN_FREE,
	REMOTE_CONN_LEASED,
	REMOTE_CONN_CLOSING,
};

struct remote_box;

/* One session of the pool. */
struct remote_conn {
	struct imap_user user;
	struct adapter_remote *adapter;
	struct imap_session *session;
	enum remote_conn_state state;
	struct secret *password; /* its own copy, until it is logged in */
	unsigned generation;     /* of that password */
	bool is_broken;
	struct remote_box *box; /* the mailbox opened on it, or NULL */
	struct loop_timer unused;
	struct list link;
};

/* What a session is wanted for; the first goes before the others. */
enum remote_need {
	REMOTE_NEED_WORK,
	REMOTE_NEED_PUSH,  /* to wait for news, of INBOX or of all mailboxes */
	REMOTE_NEED_EXTRA, /* the same, of one more mailbox */
	REMOTE_NEED_LANE,  /* to fetch beside a session that fetches already */
};

/* A wish for a session. `granted` is called once, not inside the start: code 0 with `conn`, or
 * negative with `err`. */
struct remote_lease {
	void (*granted)(struct remote_lease *lease, int code);
	struct remote_conn *conn;
	struct error err;
	enum remote_need need;
	struct list link;
};

struct adapter_remote {
	struct remote_account account;
	struct loop *loop;
	struct adapter_remote_settings settings;
	struct net_context *net;
	struct login_password password;
	unsigned connections; /* most at once, as far as we know the server */
	uint64_t limited_ms;  /* when that was learnt */
	struct list conns;
	struct list waiting;
	struct list pushes;
	struct list lanes;  /* of large fetches, that hold further sessions */
	char **disbelieved; /* mailboxes of which only a part is listed: said of each once */
	size_t disbelieved_count;
	size_t disbelieved_cap;
	struct loop_defer turn;
	struct port_op *closing; /* or NULL */
};

/* --- remote_pool.c --- */

void remote_pool_lease(struct adapter_remote *adapter, struct remote_lease *lease);

/* Gives the session back; a broken one is closed. */
void remote_pool_release(struct remote_conn *conn);

/* Schedules a look at who waits and what can be done for them. */
void remote_pool_turn(struct adapter_remote *adapter);

void remote_pool_drop_idle(struct adapter_remote *adapter);

/* Whether it has this mailbox or one below it selected, forgotten or not; ends the sessions that
 * nobody uses and of whom that is so. */
bool remote_pool_has_selected(const struct remote_conn *conn, struct slice wire);
void remote_pool_drop_selected(struct adapter_remote *adapter, struct slice wire);

/* Everything stops; the adapter is freed when the last session is closed. */
void remote_pool_close(struct adapter_remote *adapter);

/* Fails everyone who waits. */
void remote_pool_fail(struct adapter_remote *adapter, const struct error *err);

/* --- remote_names.c --- */

/* The name on the wire for a canonical one. Returns 0, or SYNCD_ESERVER when this server cannot
 * have such a name. */
int remote_name_to_wire(const char *name, const char *prefix, char separator, struct buf *wire,
			struct error *err);

/* And back: false when it has no canonical form that leads to the same name again. */
bool remote_name_from_wire(struct slice wire, const char *prefix, char separator, struct buf *name);

/* --- remote_namespace.c --- */

/* What names depend on; borrowed from a session and the settings. */
struct remote_names {
	const char *prefix; /* of the first personal namespace */
	char separator;
	const struct imap_namespace *others;
	size_t count;
	char *const *mailboxes; /* patterns, or NULL */
};
struct remote_names remote_names_of(const struct remote_conn *conn);

enum remote_kind {
	REMOTE_OURS,
	REMOTE_NAMED,      /* of others, and the configuration names it */
	REMOTE_LEFT_ALONE, /* of others */
	REMOTE_NAMELESS,   /* as remote_name_from_wire is false */
	REMOTE_HIDDEN,     /* of others, and nameless */
};

/* As the two of remote_names.c, in all namespaces. */
int remote_names_to_wire(const struct remote_names *names, const char *name, struct buf *wire,
			 struct error *err);
enum remote_kind remote_names_from_wire(const struct remote_names *names, struct slice wire,
					struct buf *name);

/* Whether the configuration names any mailbox in that one of the others, */
bool remote_names_has(const struct remote_names *names, size_t other);
/* and whether this is one. */
bool remote_names_is_in(const struct remote_names *names, size_t other, struct slice wire);

/* --- remote_list.c --- */
void remote_list(struct remote_account *account, struct remote_list_req *req);

struct mailbox_status remote_status_of(const struct imap_told *told);

/* A refusal that says that there is no such mailbox. */
bool remote_says_missing(const struct error *err);

/* --- remote_tree.c: mailboxes that come and go, and how one stands --- */
void remote_create(struct remote_account *account, struct remote_create_req *req);
void remote_rename(struct remote_account *account, struct remote_rename_req *req);
void remote_remove(struct remote_account *account, struct remote_delete_req *req);
void remote_status(struct remote_account *account, struct remote_status_req *req);

/* --- remote_mailbox.c --- */

/* Takes the lease over in any outcome; fills req and completes it. */
struct remote_open_work;
void remote_mailbox_open(struct remote_account *account, struct remote_open_req *req);

/* --- remote_ledger.c: what the server tells of an opened mailbox --- */

enum remote_ledger_phase {
	REMOTE_LEDGER_SELECTING,
	REMOTE_LEDGER_SELECTED, /* what is told belongs to the delta */
	REMOTE_LEDGER_LISTING,  /* it is in the listing, which is repeated when messages come or go
				 */
	REMOTE_LEDGER_OBSERVED, /* it is news, or ours */
};

struct remote_ledger {
	struct imap_mailbox_user user;
	enum remote_ledger_phase phase;
	struct remote_observation delta; /* as told so far; to be sorted */
	struct uid_pile gone;            /* of it */
	bool is_void;                    /* something of it may be missing */
	bool tells_gone;                 /* QRESYNC is in use */
	bool has_news;                   /* others changed what observe did not tell */
	bool is_unsure;                  /* they may have: the modseq must stay */
	bool has_written;                /* anything was asked to be changed */
	uint32_t selected_changes;       /* the mailbox's counter then */
	uint64_t known_modseq;           /* a delta may begin here; 0: none can */
	uint64_t selected_modseq;        /* HIGHESTMODSEQ when selected; 0: none */
	uint64_t observed_modseq;        /* all up to this one was observed; 0: nothing is known */
	uint64_t own_modseq;             /* the greatest told of our own changes */
	uint64_t cap;      /* something up to here is held back; UINT64_MAX: nothing */
	uint32_t grown;    /* messages that came since SELECT or the listing */
	uint32_t appended; /* of them ours */
	uint64_t expunged; /* messages that went since observe, by number */
	uint64_t removed;  /* of them ours */
};

/* How a mailbox is to be looked at. */
enum remote_look {
	REMOTE_LOOK_TOLD,    /* the ledger has the delta */
	REMOTE_LOOK_CHANGES, /* since the known modseq */
	REMOTE_LOOK_ALL,
};

void remote_ledger_init(struct remote_ledger *ledger);
void remote_ledger_free(struct remote_ledger *ledger);

/* SELECT was answered with OK. */
void remote_ledger_selected(struct remote_ledger *ledger, const struct imap_session *session,
			    const struct remote_open_req *req);

/* How observe can look; and then, either the delta as it is, */
enum remote_look remote_ledger_look(struct remote_ledger *ledger,
				    const struct imap_mailbox *mailbox);
void remote_ledger_give(struct remote_ledger *ledger, const struct imap_mailbox *mailbox,
			struct remote_observation *result);

/* or a listing, begun (again) and done. `has_changed`: messages came or went meanwhile. */
void remote_ledger_list(struct remote_ledger *ledger);
void remote_ledger_listed(struct remote_ledger *ledger, const struct imap_mailbox *mailbox,
			  struct remote_observation *result, bool has_changed);

/* Fills the results. After writes the server must have been asked for what is pending. */
void remote_ledger_settle(const struct remote_ledger *ledger, const struct imap_mailbox *mailbox,
			  struct remote_settle_req *req);

/* The adapter's struct behind the port's. */
struct remote_box {
	struct remote_mailbox base;
	struct adapter_remote *adapter;
	struct remote_conn *conn;
	struct keyword_table *keywords;
	struct buf wire;
	unsigned under_way;
	struct list fetches;
	struct remote_ledger ledger;
	struct list appends; /* to be sent in the loop's next turn */
	struct loop_defer append_turn;
	size_t append_most;     /* in one command */
	size_t appends_doubted; /* refused together, and so far not alone; or 0 */
};

struct remote_box *remote_box_of(struct remote_mailbox *mailbox);

/* What the session knows of the box's mailbox. */
const struct imap_mailbox *remote_box_mailbox(const struct remote_box *box);

/* A request under way: allocated at its start, freed at its end. Every work struct begins with
 * this. */
struct remote_work {
	struct remote_box *box;
	struct port_op *op;
	struct loop_defer defer;
	struct error err;
};

/* Allocates `size` bytes; the work's struct begins with struct remote_work. NULL: the request
 * cannot begin (UIDVALIDITY changed) and will complete with the reason. */
void *remote_work_new(struct remote_mailbox *mailbox, struct port_op *op, size_t size);

/* Completes the request and frees the work. */
void remote_work_finish(struct remote_work *work, int code, const struct error *err);

/* The same in the loop's next turn, with success. */
void remote_work_finish_later(struct remote_work *work);

/* --- remote_observe.c, _fetch.c, _look.c, _append.c, _change.c: the mailbox's operations --- */

void remote_observe(struct remote_mailbox *mailbox, struct remote_observe_req *req);
void remote_search(struct remote_mailbox *mailbox, struct remote_search_req *req);
void remote_settle(struct remote_mailbox *mailbox, struct remote_settle_req *req);
void remote_fetch(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
void remote_fetch_pause(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
void remote_fetch_resume(struct remote_mailbox *mailbox, struct remote_fetch_req *req);
void remote_fetch_cancel_all(struct remote_box *box);
void remote_identify(struct remote_mailbox *mailbox, struct remote_identify_req *req);
void remote_email_ids(struct remote_mailbox *mailbox, struct remote_email_ids_req *req);
bool remote_has_email_ids(const struct imap_session *session);
void remote_append_init(struct remote_box *box);
void remote_append(struct remote_mailbox *mailbox, struct remote_append_req *req);
void remote_store(struct remote_mailbox *mailbox, struct remote_store_req *req);
void remote_expunge(struct remote_mailbox *mailbox, struct remote_expunge_req *req);
void remote_transfer(struct remote_mailbox *mailbox, struct remote_transfer_req *req);

/* A session can be spared: a large fetch may ask for it, as one who waits in the pool. */
void remote_fetch_spread(struct adapter_remote *adapter);

/* Makes so many of the lanes give their sessions back when what they asked for has come; those that
 * are about to are counted in. */
void remote_fetch_yield(struct adapter_remote *adapter, unsigned count);

/* --- remote_push.c --- */
void remote_push_stop_all(struct adapter_remote *adapter);

/* How many of them hold a session: all (REMOTE_NEED_PUSH), or only those of REMOTE_NEED_EXTRA. */
unsigned remote_push_count(const struct adapter_remote *adapter, enum remote_need least);

/* Makes one of them give its session away for a while, unless one is about to: one of
 * REMOTE_NEED_EXTRA, or, with `any`, another when there is none. */
void remote_push_yield(struct adapter_remote *adapter, bool any);

/* --- remote_push_box.c: what a mailbox that is selected tells --- */

/* Gathers what the server says in one go, so that it can be compared with the state: each
 * line for itself would look like news although the state has it all. */
struct remote_push_box {
	struct imap_mailbox_user user;      /* to be given to SELECT */
	const struct imap_session *session; /* NULL: none is selected */
	uint64_t modseq;                    /* the greatest told; 0: none */
	bool is_unsure;                     /* something changed whose modseq was not told */
	struct loop_timer gather;
	/* Something changed. */
	void (*told)(struct remote_push_box *box, const struct adapter_remote_told *told);
};
void remote_push_box_init(struct remote_push_box *box, struct loop *loop);

/* SELECT was answered; fills `told` with how things stand. */
void remote_push_box_selected(struct remote_push_box *box, const struct imap_session *session,
			      struct adapter_remote_told *told);

/* The mailbox will be another's: tells what is left to be told. Harmless without one. */
void remote_push_box_leave(struct remote_push_box *box);

#endif
