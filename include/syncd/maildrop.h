/* The port through which a pull acts on a maildrop: POP3 in the daemon (adapter_maildrop.h), a
 * model in the tests. Rules as in ports.h: requests are embedded in the caller's struct, `done` is
 * called once, never inside the call that started it.
 *
 * Message numbers hold for one session, from open to quit (RFC 1939 §4).
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_MAILDROP_H
#define SYNCD_MAILDROP_H

#include <stdbool.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/ports.h"

struct maildrop_open_req {
	struct port_op op;
	bool is_cautious; /* one thing is asked at a time, whatever the server offers */
	/* Results. The server wants to be left alone for that long between two logins (RFC 2449
	 * §6.5); 0: it does not say. */
	uint32_t login_delay_s;
	bool has_top;  /* headers may be asked for alone */
	bool has_pipe; /* several things are asked at a time */
};

/* All messages. A unique-id has up to 480 bytes; empty where the server has none: then all have
 * none (has_uids is false). */
struct maildrop_list_req {
	struct port_op op;
	/* In order of the numbers, each number once. The size may lie, the unique-id may be that of
	 * another message too (RFC 1939 §7). */
	void (*found)(struct maildrop_list_req *req, uint32_t number, uint64_t size_bytes,
		      struct slice uid);
	/* Results. Not complete: some lines could not be read, so who is missing need not be gone.
	 */
	bool has_uids;
	bool is_complete;
};

/* Bodies, or headers alone, one after another in the order of next(). Of each either begin,
 * data..., end, or refused; a body that has begun and has no end at `done` was cut. */
struct maildrop_fetch_req {
	struct port_op op;
	bool is_header; /* TOP 0 in place of RETR: only with has_top */
	bool (*next)(struct maildrop_fetch_req *req, uint32_t *number);
	/* Anything but 0 gives the whole request up with that code. */
	int (*begin)(struct maildrop_fetch_req *req, uint32_t number);
	int (*data)(struct maildrop_fetch_req *req, struct slice data); /* CRLF form */
	int (*end)(struct maildrop_fetch_req *req, uint32_t number);
	/* SYNCD_EMESSAGE, or SYNCD_EBUSY: not now. */
	int (*refused)(struct maildrop_fetch_req *req, uint32_t number, const struct error *err);
};

/* Marks messages deleted: they go when quit() is answered, and not before. */
struct maildrop_delete_req {
	struct port_op op;
	bool (*next)(struct maildrop_delete_req *req, uint32_t *number);
	/* `refusal` NULL: it is marked. */
	void (*answered)(struct maildrop_delete_req *req, uint32_t number,
			 const struct error *refusal);
};

enum maildrop_outcome {
	MAILDROP_KEPT,    /* the server never heard of the end: all that was marked is there */
	MAILDROP_UNKNOWN, /* all that was marked may be gone, or some, or nothing */
	MAILDROP_GONE,    /* it said that all that was marked is gone */
};

struct maildrop_quit_req {
	struct port_op op;
	enum maildrop_outcome outcome; /* result, whatever the code */
};

struct maildrop;
struct maildrop_ops {
	/* Connects and logs in. Errors as pop3.h says of broken(), with retry_after_s. */
	void (*open)(struct maildrop *maildrop, struct maildrop_open_req *req);
	void (*list)(struct maildrop *maildrop, struct maildrop_list_req *req);
	void (*fetch)(struct maildrop *maildrop, struct maildrop_fetch_req *req);
	/* Nothing more is read from the network until resumed; up to 64 KB still come. */
	void (*fetch_pause)(struct maildrop *maildrop, struct maildrop_fetch_req *req);
	void (*fetch_resume)(struct maildrop *maildrop, struct maildrop_fetch_req *req);
	void (*remove)(struct maildrop *maildrop, struct maildrop_delete_req *req);
	void (*quit)(struct maildrop *maildrop, struct maildrop_quit_req *req);
	/* What is under way completes soon, with SYNCD_ECANCELLED. */
	void (*cancel)(struct maildrop *maildrop);
	/* Ends the session without QUIT if there is one; no request may be under way. It can be
	 * opened again behind op->done. */
	void (*close)(struct maildrop *maildrop, struct port_op *op);
};
struct maildrop {
	const struct maildrop_ops *ops;
};

#endif
