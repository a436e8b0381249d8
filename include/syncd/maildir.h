/* Maildirs on disk: the account's root and its mark, names to paths, file names,
 * scanning, delivering and changing messages, reading them back. Everything here
 * is synchronous; what can block for long (marked "pool") is meant for a pool
 * thread. Opened relative to directory handles, no symlink followed below the root.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_MAILDIR_H
#define SYNCD_MAILDIR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncd/buf.h"
#include "syncd/error.h"
#include "syncd/flags.h"
#include "syncd/ports.h"
#include "syncd/record.h"

enum maildir_layout {
	MAILDIR_VERBATIM, /* A/B at ROOT/A/B, INBOX at ROOT/INBOX */
	MAILDIR_PLUSPLUS, /* A/B at ROOT/.A.B, INBOX at ROOT itself */
};

enum maildir_line_endings { MAILDIR_LF, MAILDIR_CRLF };

/* --- Mailbox names and paths (CONTRACT 3) ---------------------------------- */

#define MAILDIR_LEVEL_MAX 255                       /* bytes of one directory's name */
#define MAILDIR_PATH_MAX (3 * MAILBOX_NAME_MAX + 4) /* bytes of an encoded path */
#define MAILDIR_DEPTH_MAX 64                        /* levels of a mailbox's name */

/* The one way from a mailbox's canonical name to its path relative to the root
 * ("." is the root itself). No result leads out of the root: no level is empty, ".",
 * ".." or begins with a dot, save the one dot that maildir++ puts in front.
 *
 * Percent-encoded as %XX, in capitals: control characters, a leading '.', a first
 * letter that would make the level `cur`, `new`, `tmp` or `dovecot-keywords`
 * (verbatim), any '.' (maildir++); an empty level becomes "%00". A '%' is encoded only
 * where decoding would take it for one of these, so `100%` and `a%2Fb` stay as they are.
 *
 * `path` has room for MAILDIR_PATH_MAX + 1 bytes. SYNCD_ELIMIT when the name, one of its
 * levels or its depth passes a limit; SYNCD_EUSAGE for an empty name. */
int maildir_path_encode(enum maildir_layout layout, const char *name, char *path,
			struct error *err);

/* The way back; `name` has room for MAILBOX_NAME_MAX + 1 bytes. False for a path that
 * maildir_path_encode does not make, such as "a.b" in maildir++ or "cur", and for other
 * spellings of INBOX (RFC 3501 §5.1: they would be the same mailbox on the server). */
bool maildir_path_decode(enum maildir_layout layout, const char *path, char *name);

/* --- File names ------------------------------------------------------------- */

#define MAILDIR_FILE_MAX 255    /* bytes of a file name */
#define MAILDIR_LETTER_COUNT 26 /* keyword letters a..z */

/* Flags as letters: the system flags' own bits, letter 'a' + i as bit
 * FLAGS_SYSTEM_COUNT + i. Only a mailbox's keyword list makes flags of them. */
#define MAILDIR_LETTER_BIT(i) ((uint64_t)1 << (FLAGS_SYSTEM_COUNT + (i)))

/* Splits a file name at its last ":2,". A name without it (also one with other info,
 * such as ":1,x") is all base. */
void maildir_file_split(struct slice file, struct slice *base, struct slice *info);

/* The flags that `info` (what follows ":2,") holds, as letters. */
uint64_t maildir_info_letters(struct slice info);

/* Writes BASE:2,INFO, where INFO is `info` with letters added and taken away, in ASCII order.
 * Characters that are no flags of ours, and all from a ',' on, stay. SYNCD_ELIMIT when it
 * passes MAILDIR_FILE_MAX. `file` has room for MAILDIR_FILE_MAX + 1 bytes. */
int maildir_file_format(struct slice base, struct slice info, uint64_t add, uint64_t remove,
			char *file, struct error *err);

/* What makes our file names unique: SECONDS.UNIQUE.HOST,S=BYTES with UNIQUE as
 * "sd", 16 hex digits of the process and a counter. */
struct maildir_namer {
	uint64_t process; /* random */
	uint64_t counter;
	char host[100]; /* '/' ':' ',' and what is no graphic ASCII as "\ooo" */
};

void maildir_namer_init(struct maildir_namer *namer, const char *host, uint64_t random);

/* SECONDS.UNIQUE.HOST; room for MAIL_NAME_MAX + 1 bytes. Never the same twice. */
void maildir_namer_next(struct maildir_namer *namer, int64_t now_s, char *name);

/* A name that a maildir_namer of any process made. */
bool maildir_name_is_ours(const char *name);

/* --- The root ------------------------------------------------------------------ */

#define MAILDIR_MARK ".syncd" /* holds the account's identity */
#define MAILDIR_IDENTITY_MAX 128

struct maildir_root {
	char *path;
	enum maildir_layout layout;
	char *identity;
};

void maildir_root_init(struct maildir_root *root, const char *path, enum maildir_layout layout,
		       const char *identity);
void maildir_root_free(struct maildir_root *root);

/* Looks whether the root is there and its mark holds the identity: 0 or SYNCD_EROOT.
 * With `is_first`, a missing root (with missing parents) and a missing or strange mark are
 * made; *was_strange (may be NULL) tells that a mark with another identity was replaced. */
int maildir_root_check(const struct maildir_root *root, bool is_first, bool *was_strange,
		       struct error *err);

/* A mailbox: its canonical name, and what stays when its directory is renamed (mailbox_info). Or
 * what looks like one and cannot be one (a name that maildir_path_encode does not make, a symlink,
 * only one of `cur` and `new`): the name of its path, or that if it is none, and why; 0. */
typedef void (*maildir_found)(void *context, const char *name, const char *unusable_why,
			      uint64_t lasting_id);

/* Pool. Finds every mailbox: a directory with `cur` and `new`. No `cur` and an empty `new` are left
 * of a mailbox that is half made or half removed, and count as nothing. Directories whose name
 * begins with a dot are not ours (verbatim). Fails as a whole when a directory cannot be read. */
int maildir_list(const struct maildir_root *root, maildir_found found, void *context,
		 struct error *err);

/* Makes the directories of a mailbox, durably; existing ones are fine. */
int maildir_create(const struct maildir_root *root, const char *name, struct error *err);

/* Moves the mailbox alone: those below it, and what else is in its directory, stay where they are.
 * `cur` goes last, so wherever this is killed, at most one of the names is a usable mailbox for
 * maildir_list: until `new` has moved it is the old one; between `new` and `cur` the old one is
 * told as unusable (it has no `new`), and so is the new one if there is mail in its `new`; from
 * then on it is the new one. Done again it goes on from there. Files of a `new` or `tmp` that is in
 * both places, as a mail program makes it anew, move one by one; one whose name is taken gets
 * another base name. Directories left empty are removed.
 *
 * SYNCD_ENOTFOUND: nothing of the mailbox is under the old name (any more: then the move is
 * durable); nor when it has no `cur` there and none is under the new name: what that was, nobody
 * knows. SYNCD_EBUSY: both are mailboxes, or mail kept coming under the old name: again later.
 * SYNCD_EUSAGE: the same name twice, or the INBOX of maildir++, which is the root itself. */
int maildir_rename_mailbox(const struct maildir_root *root, const char *from, const char *to,
			   struct error *err);

/* Removes a mailbox, durably. `cur` goes first: a kill leaves what maildir_list takes for nothing,
 * and doing it again removes that. SYNCD_EBUSY when there is anything in `cur` or `new`, at the
 * start or suddenly: then it is made a mailbox again, under another lasting id if `cur` was gone.
 * A file whose name begins with a dot counts there: it is no message but the user's, who
 * would rather read what is in the way than find a mailbox that mail programs still show. In tmp/
 * our leftovers go, other files stay, and the directories with them: half a message, whose program
 * can no longer finish it. So does what else the user has in the mailbox's directory, which is
 * no mailbox then. Directories above left empty are removed. Gone already is success.
 * SYNCD_EUSAGE for the INBOX of maildir++. */
int maildir_remove_mailbox(const struct maildir_root *root, const char *name, struct error *err);

/* --- An open mailbox -------------------------------------------------------------- */

struct maildir;

/* SYNCD_ENOTFOUND when there is no such mailbox. The root must outlive it. */
int maildir_open(const struct maildir_root *root, const char *name, struct maildir **maildir,
		 struct error *err);
void maildir_close(struct maildir **maildir);

/* The mailbox's canonical name. */
const char *maildir_name(const struct maildir *maildir);

/* Where files were last seen: 10 bytes a message, for 100,000 files. */
struct maildir_index;
void maildir_index_free(struct maildir_index **index);

/* How many files the scan left out because their names cannot be used (an empty base name, or
 * one over MAIL_NAME_MAX); *first: the path of one in the mailbox, borrowed from the index. */
size_t maildir_index_skipped(const struct maildir_index *index, const char **first);

/* Whether the directories of a mailbox that need not be open have these mtimes, both known. */
bool maildir_has_mtimes(const struct maildir_root *root, const char *name,
			const struct local_mtimes *known);

/* Pool; the mailbox itself is not changed. A complete listing of both directories,
 * flags as letters, sorted. Reads new/ before cur/, so that a message moved in between is
 * seen. Tries again for about a second until both stood still; if they never do,
 * `is_stable` is false. When the directories' mtimes are the known ones, nothing is read: the
 * listing is a delta without items, and *index NULL.
 * A directory that vanished, or is not the one opened any more, is an error.
 * *index (to give to maildir_set_index) belongs to the caller. `is_cancelled`, polled, ends it
 * with SYNCD_ECANCELLED. */
int maildir_scan(const struct maildir *maildir, const struct local_mtimes *known,
		 const atomic_bool *is_cancelled, struct local_listing *listing,
		 struct maildir_index **index, struct error *err);

/* What inotify told of a mailbox, in the order of the events. */
struct maildir_hints {
	const struct local_hint *items;
	size_t count;
	/* From maildir_is_still when they were collected: the directories had not changed for a
	 * moment, so no event is still to come that says where a vanished file went. */
	bool are_all;
};

/* Whether nothing changed in the directories within the last moment (20 ms). */
bool maildir_is_still(const struct maildir *maildir);

/* Pool; the mailbox itself is not changed. Looks only for the messages of the named files: in each
 * place that an event named, and before a message is said to be gone, where its file could be by
 * other system flags (20 stat calls): no directory is read. Of more than a few hundred a scan is
 * cheaper. What was found: an item with the flags of its file, or of all its files. A message of
 * which nothing is found is gone when each of the named files vanished last; if one appeared last,
 * it is being renamed: no item, and is_stable false; so with one that may be gone when the hints
 * may not be all. Ask again with these hints and those that follow.
 * The rest as for maildir_scan; *index (to give to maildir_add_index) holds the files found. */
int maildir_look(const struct maildir *maildir, const struct maildir_hints *hints,
		 const atomic_bool *is_cancelled, struct local_listing *listing,
		 struct maildir_index **index, struct error *err);

/* Takes *index over as what is known of all files / of those in it, besides what is known. */
void maildir_set_index(struct maildir *maildir, struct maildir_index **index);
void maildir_add_index(struct maildir *maildir, struct maildir_index **index);

/* --- Keywords (Dovecot's `dovecot-keywords`) ----------------------------------------- */

/* Reads the file again when it has changed. No file is fine. */
int maildir_keywords_refresh(struct maildir *maildir, struct error *err);

/* Flags of letters; new names are interned. Letters without a name count as nothing. */
uint64_t maildir_letters_to_flags(const struct maildir *maildir, struct keyword_table *table,
				  uint64_t letters);

/* Tells which letters a scan saw on files (on all files, or on some more), once the names have
 * been read behind it. They are given to no keyword, and while one of them has no name, keywords
 * are not in the mask: what the files say of them cannot be known. Returns the letters without a
 * name. */
uint64_t maildir_keywords_seen(struct maildir *maildir, uint64_t letters, bool are_all);

/* Letters of flags, as far as they have one. */
uint64_t maildir_flags_to_letters(const struct maildir *maildir, const struct keyword_table *table,
				  uint64_t flags);

/* All letters that say one of the flags, to be taken away with it: a list may name two letters
 * alike, and Dovecot's has a letter for $Forwarded, which is `P` besides. */
uint64_t maildir_letters_saying(const struct maildir *maildir, const struct keyword_table *table,
				uint64_t flags);

/* Gives every keyword in `flags` a letter, while there are any, durably; none while
 * maildir_keywords_seen knows letters without a name. Reads the directories for the letters in use
 * when no scan has. SYNCD_EBUSY while another program holds
 * dovecot-keywords.lock. */
int maildir_keywords_assign(struct maildir *maildir, const struct keyword_table *table,
			    uint64_t flags, struct error *err);

/* The same, also while maildir_keywords_seen knows letters without a name: for a file that came
 * from another mailbox, whose own letters these may be. They are given to no keyword here either.
 */
int maildir_keywords_enlist(struct maildir *maildir, const struct keyword_table *table,
			    uint64_t flags, struct error *err);

/* The system flags and those keywords of the table that have or can get a letter; no keywords
 * while maildir_keywords_seen knows letters without a name. */
uint64_t maildir_flags_mask(const struct maildir *maildir, const struct keyword_table *table);

/* --- Messages ----------------------------------------------------------------------------
 * `base` is a base name, checked not to be a path (SYNCD_EUSAGE). */

struct maildir_delivery;

/* A new file in tmp/ named by the namer. Bytes are given in CRLF form. */
int maildir_deliver_begin(struct maildir *maildir, struct maildir_namer *namer, int64_t now_s,
			  enum maildir_line_endings line_endings,
			  struct maildir_delivery **delivery, struct error *err);
int maildir_deliver_write(struct maildir_delivery *delivery, struct slice data, struct error *err);
/* `base` (MAIL_NAME_MAX + 1 bytes), the CRLF size and the digest of what arrived. Frees the
 * delivery in any outcome; on failure the file is gone. */
int maildir_deliver_end(struct maildir_delivery *delivery, int64_t mtime_s, char *base,
			uint64_t *size_bytes, struct digest *identity, struct error *err);
void maildir_deliver_abort(struct maildir_delivery *delivery);

/* Gives the file of a message of mailbox `from` a second name in tmp/, named by the namer; `base`
 * (MAIL_NAME_MAX + 1 bytes). `letters`: its flags as they were last known; no directory is read to
 * find it. SYNCD_ENOTFOUND: it is not where it should be; else it cannot be linked. */
int maildir_link(struct maildir *maildir, struct maildir_namer *namer, int64_t now_s,
		 struct maildir *from, const char *original, uint64_t letters, char *base,
		 struct error *err);

/* tmp/BASE to new/BASE (no letters) or cur/BASE:2,LETTERS. In place already: 0.
 * SYNCD_ENOTFOUND: neither. */
int maildir_publish(struct maildir *maildir, const char *base, uint64_t letters, struct error *err);

/* Adds and removes flags on the file as it is; from new/ to cur/ when it gets any. `expected`:
 * the letters it had last; where these are right, or only system flags differ, no directory is
 * read.
 * SYNCD_ENOTFOUND when it is gone; SYNCD_EMESSAGE when another file has the new name, or
 * there is no room in the name for the flags. */
int maildir_set_letters(struct maildir *maildir, const char *base, uint64_t expected, uint64_t add,
			uint64_t remove, struct error *err);

/* Removes the file, and others of the same base name: those that the last scan saw, or, if there
 * was none, that have some of the expected flags. Gone already is success. */
int maildir_remove(struct maildir *maildir, const char *base, uint64_t expected, struct error *err);

/* Whether the file is where these letters let expect it, and as long as the ",S=BYTES" of its base
 * name; false for a name without. No directory is read. */
bool maildir_is_whole(struct maildir *maildir, const char *base, uint64_t letters);

/* Opens a message for reading. *letters (may be NULL): its flags. SYNCD_ENOTFOUND: gone;
 * SYNCD_EMESSAGE: not readable, not a regular file. */
int maildir_message_open(struct maildir *maildir, const char *base, int *fd, uint64_t *letters,
			 struct error *err);

/* What reading a message through tells. */
struct maildir_examined {
	uint64_t size_bytes; /* CRLF form */
	bool has_nul;
	int64_t mtime_s;
	struct digest identity;
};

/* Pool. `fd` from maildir_message_open stays open. `base` is for the error's text. On success the
 * file is to be given to maildir_flush_file. */
int maildir_examine(int fd, const char *base, const atomic_bool *is_cancelled,
		    struct maildir_examined *out, struct error *err);

/* Reads a message in CRLF form; takes `fd` over. `expected_bytes` is what maildir_examine
 * found, or MAILDIR_SIZE_UNKNOWN. */
#define MAILDIR_SIZE_UNKNOWN UINT64_MAX
struct maildir_reader;
struct maildir_reader *maildir_reader_new(int fd, const char *base, uint64_t expected_bytes);
/* Up to `size` (not 0) bytes; *len = 0 at the end. SYNCD_EMESSAGE when it cannot be read, or is
 * longer or shorter than expected: never more bytes than that, and no end before. */
int maildir_reader_read(struct maildir_reader *reader, char *out, size_t size, size_t *len,
			struct error *err);
void maildir_reader_free(struct maildir_reader **reader);

/* Removes from tmp/ what a maildir_namer named and `is_staged` does not claim. */
int maildir_clean_tmp(struct maildir *maildir, bool (*is_staged)(void *context, const char *name),
		      void *context, struct error *err);

/* --- Durability ---------------------------------------------------------------------------- */

struct maildir_flush;

/* Another program's file that the state is about to know: the next flush makes it durable. Takes
 * `fd` over. */
void maildir_flush_file(struct maildir *maildir, int fd);

/* What was delivered and examined since the last call; never NULL. */
struct maildir_flush *maildir_flush_begin(struct maildir *maildir);

/* Pool. Makes all that durable, and every entry of the three directories, whoever made it.
 * Fails when these directories are not the mailbox any more. After a failure every later flush of
 * this open mailbox fails: the kernel reports a lost write only once. */
int maildir_flush_run(struct maildir_flush *flush, struct error *err);

/* Frees it, in the thread that uses the mailbox. When it was not run, what it held is due
 * at the next flush again. */
void maildir_flush_end(struct maildir_flush **flush);

#endif
