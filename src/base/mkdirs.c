/* Making a directory and those above it.
 * SPDX-License-Identifier: MIT */
#include "syncd/mkdirs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int mkdirs(const char *path, struct error *err)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return error_set(err, SYNCD_EIO, "the path %s is too long", path);
	for (size_t i = 1;; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return error_set_errno(err, errno, "cannot make the directory", part);
		if (path[i] == '\0')
			return 0;
	}
}
