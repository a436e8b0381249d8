/* Models of server, disk and state behind the engine's ports, one seeded scheduler
 * and faults at every call: the world the simulator runs the real engine in.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "syncd/ports.h"

/* --- Randomness: two streams, so that a shorter history keeps its schedule ------ */

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* 0 .. bound - 1 */

/* --- Faults -------------------------------------------------------------------------- */

enum fault_kind {
	FAULT_NONE,
	FAULT_FAIL,        /* the call fails, nothing was done */
	FAULT_LOSE_REPLY,  /* remote: done, but the answer is lost with the connection */
	FAULT_KILL_BEFORE, /* the process dies */
	FAULT_KILL_AFTER,
	FAULT_POWER_BEFORE, /* the machine dies: what was not flushed is kept, lost or torn */
	FAULT_POWER_AFTER,
	FAULT_KIND_COUNT,
};

struct fault {
	uint64_t at_call;
	enum fault_kind kind;
};

/* --- The world -------------------------------------------------------------------------- */

#define MODEL_FILES_MAX 512
#define MODEL_MESSAGES_MAX 512
#define MODEL_VANISHED_MAX 1024
#define MODEL_MANY 20 /* so many that vanish at once are worth a second look (DESIGN 5) */
#define MODEL_NS_PER_S 1000000000

enum model_place { PLACE_NONE, PLACE_TMP, PLACE_NEW, PLACE_CUR };

/* A file: where directory entries say it is, now and after a power cut. */
struct model_file {
	bool is_used;
	struct world *world;
	uint32_t content; /* which message; 0: torn beyond recognition */
	bool is_data_durable;
	bool is_users; /* made by a user */
	/* What users did to it since it was last flushed. */
	bool was_deleted;
	bool is_deletion_firm; /* as the ledger counts it */
	uint64_t flags_changed;
	int64_t mtime_s;
	uint64_t flags;
	char name[MAIL_NAME_MAX + 1];
	enum model_place place;
	enum model_place durable_place;
	uint64_t durable_flags;
	char durable_name[MAIL_NAME_MAX + 1];
	struct local_mtimes changed; /* by what is not durable yet; 0: nothing */
};

/* Something a user did that a power cut took back, before anybody had flushed it or the state
 * knew of it. */
struct model_loss {
	uint32_t content;
	bool was_created;
	bool was_deleted_firmly;
	uint64_t flags_changed;
};

/* Something that happened to an entry of new/ or cur/, as inotify tells it. */
struct model_event {
	char *file; /* with its flags */
	bool is_new;
	bool is_gone;
	bool is_own; /* done through the port */
};

struct model_message {
	uint32_t uid;
	uint32_t content;
	uint64_t flags;
	int64_t date_s;
	uint64_t modseq;
};

/* A message that is gone, and the modseq of that (RFC 7162 §3.2.9). */
struct model_vanished {
	uint32_t uid;
	uint64_t modseq;
};

enum model_modseqs { MODSEQS_NONE, MODSEQS_CONDSTORE, MODSEQS_QRESYNC, MODSEQS_KIND_COUNT };

struct model_server {
	struct model_message messages[MODEL_MESSAGES_MAX];
	size_t count;
	uint32_t uidvalidity;
	uint32_t uidnext;
	bool has_uidplus;
	bool tells_uidnext;
	bool lies_about_size;
	uint64_t flags_mask;
	uint32_t refuses_fetch;  /* content it never gives, 0: none */
	uint32_t refuses_append; /* content it never takes */
	bool refuses_silently;   /* a FETCH of it succeeds without it */
	unsigned lanes;          /* bodies that it sends side by side */

	enum model_modseqs modseqs;
	uint64_t highestmodseq;
	struct model_vanished vanished[MODEL_VANISHED_MAX];
	size_t vanished_count;
	uint64_t forgotten;      /* nothing is known of what vanished up to this modseq */
	uint64_t others_changes; /* by others than the open session, and told to it if asked */
	bool tells_status;       /* with the list of mailboxes */
	bool forgets_vanished;   /* and then names every UID it does not have */
	bool names_unknown;      /* also as vanished: UIDs that never were, */
	bool names_all;          /* and at times all there are, when these are many */
	bool hides_expunges;     /* CONDSTORE: they do not raise HIGHESTMODSEQ */
	bool is_lazy;            /* does not always tell a session what others did */
	bool bumps_for_nothing;  /* a STORE that changes nothing has a modseq (RFC 7162 §3.1.11) */
	bool is_untrustworthy;   /* some changes raise nothing */
};

struct model_store {
	struct store_port port;
	struct world *world;
	bool has_mailbox;
	struct mailbox_record mailbox;
	struct message_record messages[MODEL_MESSAGES_MAX];
	size_t message_count;
	struct journal_record journal[MODEL_MESSAGES_MAX];
	size_t journal_count;
	struct setaside_record setaside[MODEL_MESSAGES_MAX];
	size_t setaside_count;
};

struct world {
	struct rng rng;   /* the schedule */
	int64_t now_ns;
	int64_t step_ns;  /* what one step takes is less than this */
	int64_t tick_ns;  /* what the disk's clock counts in; at most two seconds */
	uint64_t calls;   /* port calls so far: what faults and history refer to */
	struct list tasks;
	const struct fault *faults;
	size_t fault_count;
	bool faults_are_on;
	bool is_dead;      /* between a crash and world_restart */
	bool was_power_cut;
	uint64_t crashes;
	uint64_t opens;    /* of the server's mailbox */
	uint64_t listings; /* complete looks at either side */
	uint64_t withheld; /* bodies that came without a UID */

	struct model_server server;
	struct model_file files[MODEL_FILES_MAX];
	uint64_t names_made;
	struct local_mtimes mtimes;
	struct local_mtimes durable_mtimes;
	struct model_event *events; /* until world_drop_events */
	size_t event_count;
	size_t event_cap;
	struct model_loss losses[MODEL_FILES_MAX];
	size_t loss_count;
	bool may_see_moving; /* scans may find the directories moving */
	struct model_store store;

	struct remote_account remote;
	struct local_account local;
	struct env_port env;

	/* Called after every port call, for the history's next step; may be NULL. */
	void (*after_call)(struct world *world);
	void *context;
};

void world_init(struct world *world, uint64_t seed);
void world_free(struct world *world);

/* Runs one pending completion, chosen by the schedule; false when there is none. */
bool world_step(struct world *world);

/* After a crash: everything pending has come back as cancelled; the disk shows
 * what survived. */
void world_restart(struct world *world);

int64_t world_now_s(const struct world *world);
void world_wait(struct world *world, int64_t seconds);

/* The oldest `count` are forgotten. */
void world_drop_events(struct world *world, size_t count);

/* --- For the models ----------------------------------------------------------------------- */

enum lane { LANE_REMOTE, LANE_LOCAL, LANE_STORE, LANE_ENV };

struct task {
	struct list link;
	struct world *world;
	struct port_op *op;
	enum lane lane;
	bool is_held; /* a paused fetch */
	/* Does the work. Returns the completion's code, or TASK_AGAIN to be run once more. */
	int (*run)(struct task *task);
	void *target; /* the remote mailbox, for remote tasks */
	size_t progress;
};

#define TASK_AGAIN 1

void world_post(struct world *world, enum lane lane, struct port_op *op, void *target,
		int (*run)(struct task *task));
struct task *world_find_task(struct world *world, const struct port_op *op);

/* For synchronous calls: 0, or the failure to return without doing anything.
 * world_leave comes after the work and may be a crash too. */
int world_enter(struct world *world, enum fault_kind *fault, struct error *err);
int world_leave(struct world *world, enum fault_kind fault, struct error *err);

void model_remote_init(struct world *world);
void model_server_init(struct model_server *server);
void model_disk_init(struct world *world);
void model_local_init(struct world *world);
void model_store_init(struct world *world);
/* Whether a record or the journal names the file. */
bool model_store_knows(const struct world *world, const char *name);

/* A message's text in CRLF form, made from its content number; the caller frees. */
char *model_body(uint32_t content, size_t *len);
/* The content number of a body, 0 when it is not one of ours. */
uint32_t model_content_of(struct slice body);
void model_identity(uint32_t content, struct digest *identity, uint64_t *size_bytes);

/* --- The server's mailbox (model_server.c) --- */

/* Changes by others have `is_own` false: an open session may be told of them. */
struct model_message *model_server_add(struct world *world, uint32_t content, uint64_t flags,
				       bool is_own);
void model_server_set_flags(struct world *world, struct model_message *message, uint64_t flags,
			    bool is_own);
void model_server_remove(struct world *world, struct model_message *message, bool is_own);

/* HIGHESTMODSEQ, 0 when it keeps none. */
uint64_t model_server_modseq(const struct model_server *server);
/* What changed since that modseq; the counts are the caller's. */
void model_server_delta(struct world *world, uint64_t since, struct remote_observation *out);

/* --- The disk (model_disk.c) --- */

struct model_file *model_file_new(struct world *world);
/* By base name, wherever it is; NULL when it is nowhere. */
struct model_file *model_file_find(struct world *world, struct slice name);
bool model_file_is_visible(const struct model_file *file);
/* A rename or unlink: gives the directories concerned their mtimes and tells of it. */
void model_file_move(struct model_file *file, enum model_place place, uint64_t flags, bool is_own);
/* Everything on the disk survives a power cut from here on. */
void model_disk_flush(struct world *world);

/* What users and other programs do; not all of them flush what they did. */
struct model_file *model_file_create(struct world *world, uint32_t content, uint64_t flags,
				     bool is_new);
void model_file_set_flags(struct model_file *file, uint64_t flags);
void model_file_delete(struct model_file *file);
/* The n-th visible file (in new or cur), NULL beyond the last. */
struct model_file *model_file_visible(struct world *world, size_t n);

struct model_message *model_message_create(struct world *world, uint32_t content, uint64_t flags);
void model_message_set_flags(struct world *world, struct model_message *message, uint64_t flags);
void model_message_delete(struct world *world, struct model_message *message);
/* A new UIDVALIDITY, all UIDs and modseqs given anew. */
void model_server_renumber(struct world *world);

#endif
