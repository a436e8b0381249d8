/* A directory for one test, and short ways to put things into it.
 * SPDX-License-Identifier: MIT */
#ifndef SYNCD_TESTS_TEMP_DIR_H
#define SYNCD_TESTS_TEMP_DIR_H

#include <stdbool.h>
#include <stddef.h>

struct temp_dir {
	char path[64];
};

/* Makes it / removes it with all that is in it. */
void temp_dir_make(struct temp_dir *dir);
void temp_dir_remove(struct temp_dir *dir);

/* One in memory, if there is such a place, that is made at the first call and removed when the
 * process ends: for fuzz targets, which write thousands of files a second and have no end. */
const struct temp_dir *temp_dir_of_process(void);

/* The full path of something in it; the caller frees. */
char *temp_path(const struct temp_dir *dir, const char *name);

/* All of these fail the test by must() when they cannot. */
void temp_mkdir(const struct temp_dir *dir, const char *name);
void temp_mailbox(const struct temp_dir *dir, const char *name); /* cur new tmp; parents exist */
void temp_write(const struct temp_dir *dir, const char *name, const char *text, size_t len);
void temp_write_str(const struct temp_dir *dir, const char *name, const char *text);
void temp_rename(const struct temp_dir *dir, const char *from, const char *to);
void temp_unlink(const struct temp_dir *dir, const char *name);
void temp_symlink(const struct temp_dir *dir, const char *target, const char *name);

/* The contents with a NUL behind; the caller frees. `len` may be NULL. */
char *temp_read(const struct temp_dir *dir, const char *name, size_t *len);

/* Whether it is there, not following a symlink. */
bool temp_exists(const struct temp_dir *dir, const char *name);

/* Number of entries but "." and "..", and the name of the only one (256 bytes; NULL: not wanted).
 */
size_t temp_count(const struct temp_dir *dir, const char *name, char *only);

#endif
