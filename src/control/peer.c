/* Who is at the other end of a UNIX socket. Not in POSIX; each system has its own way.
 * SPDX-License-Identifier: MIT */
#undef _POSIX_C_SOURCE
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "control_private.h"

bool peer_uid(int fd, uid_t *uid)
{
#ifdef SO_PEERCRED
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return false;
	*uid = who.uid;
	return true;
#else
	gid_t gid;

	return getpeereid(fd, uid, &gid) == 0;
#endif
}
