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

enum model_place { PLACE_NONE, PLACE_TMP, PLACE_NEW, PLACE_CUR };

/* A file: where directory entries say it is, now and after a power cut. */
struct model_file {
	bool is_used;
	uint32_t content; /* which message; 0: torn beyond recognition */
	bool is_data_durable;
	bool is_users; /* made by a user, perhaps not flushed by anybody yet */
	int64_t mtime_s;
	uint64_t flags;
	char name[MAIL_NAME_MAX + 1];
	enum model_place place;
	enum model_place durable_place;
	uint64_t durable_flags;
	char durable_name[MAIL_NAME_MAX + 1];
};

struct model_message {
	uint32_t uid;
	uint32_t content;
	uint64_t flags;
	int64_t date_s;
};

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
	int64_t now_s;
	uint64_t calls;   /* port calls so far: what faults and history refer to */
	struct list tasks;
	const struct fault *faults;
	size_t fault_count;
	bool faults_are_on;
	bool is_dead;      /* between a crash and world_restart */
	bool was_power_cut;
	uint64_t crashes;

	struct model_server server;
	struct model_file files[MODEL_FILES_MAX];
	uint64_t names_made;
	/* Contents of users' own files that a power cut took before anybody had flushed them or
	 * the state knew them. */
	uint32_t lost[MODEL_FILES_MAX];
	size_t lost_count;
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
void model_local_init(struct world *world);
void model_store_init(struct world *world);
/* Whether a record or the journal names the file. */
bool model_store_knows(const struct world *world, const char *name);

/* A message's text in CRLF form, made from its content number; the caller frees. */
char *model_body(uint32_t content, size_t *len);
/* The content number of a body, 0 when it is not one of ours. */
uint32_t model_content_of(struct slice body);
void model_identity(uint32_t content, struct digest *identity, uint64_t *size_bytes);

/* What users and other programs do, at once and durably. */
struct model_file *model_file_create(struct world *world, uint32_t content, uint64_t flags,
				     bool is_new);
void model_file_set_flags(struct model_file *file, uint64_t flags);
void model_file_delete(struct model_file *file);
/* The n-th visible file (in new or cur), NULL beyond the last. */
struct model_file *model_file_visible(struct world *world, size_t n);

struct model_message *model_message_create(struct world *world, uint32_t content, uint64_t flags);
void model_message_delete(struct world *world, struct model_message *message);
/* A new UIDVALIDITY, all UIDs given anew. */
void model_server_renumber(struct world *world);

#endif
