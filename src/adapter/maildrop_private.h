/* What the files of the maildrop port share. Seen by src/adapter/maildrop_*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_ADAPTER_MAILDROP_PRIVATE_H
#define SYNCD_ADAPTER_MAILDROP_PRIVATE_H

#include "login_password.h"
#include "syncd/adapter_maildrop.h"
#include "syncd/pop3.h"

/* What LIST said of a message. */
struct maildrop_size {
	uint32_t number;
	uint64_t bytes;
};

struct adapter_maildrop {
	struct maildrop base;
	struct loop *loop;
	struct adapter_maildrop_settings settings;
	struct net_context *net;
	struct login_password password;
	struct pop3_user user;
	struct pop3_session *session; /* NULL: none */
	bool is_over;                 /* it takes no commands any more, and why */
	struct error err;
	bool is_closing;
	struct secret *sent; /* its own copy of the password, until it is logged in */
	unsigned generation; /* of that password */
	struct maildrop_open_req *opening;
	bool is_cancelled; /* that one */
	struct port_op *closing;
	struct loop_defer turn;
	struct maildrop_size *sizes; /* in order of the numbers */
	size_t size_count;
	size_t works; /* requests under way in the session */
};

/* A request under way: allocated at its start, freed at its end. Every work struct begins with
 * this. */
struct maildrop_work {
	struct adapter_maildrop *adapter;
	struct port_op *op;
	struct loop_defer defer;
};

/* Allocates `size` bytes; the work's struct begins with struct maildrop_work. NULL: there is no
 * session, and the request will complete with the reason. */
void *maildrop_work_new(struct maildrop *maildrop, struct port_op *op, size_t size);

/* Completes the request and frees the work. */
void maildrop_work_finish(struct maildrop_work *work, const struct error *err);

/* --- maildrop_list.c --- */
void maildrop_list(struct maildrop *maildrop, struct maildrop_list_req *req);

/* What LIST said of it; 0: nothing. */
uint64_t maildrop_size_of(const struct adapter_maildrop *adapter, uint32_t number);

/* --- maildrop_transfer.c: what is asked of single messages --- */
void maildrop_fetch(struct maildrop *maildrop, struct maildrop_fetch_req *req);
void maildrop_fetch_pause(struct maildrop *maildrop, struct maildrop_fetch_req *req);
void maildrop_fetch_resume(struct maildrop *maildrop, struct maildrop_fetch_req *req);
void maildrop_remove(struct maildrop *maildrop, struct maildrop_delete_req *req);
void maildrop_quit(struct maildrop *maildrop, struct maildrop_quit_req *req);

#endif
