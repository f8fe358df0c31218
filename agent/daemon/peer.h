/*
 * Who is at the other end of a UNIX socket, as the kernel says.
 */
#ifndef DBGUEST_DAEMON_PEER_H
#define DBGUEST_DAEMON_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct peer {
    uid_t uid;
    bool allowed; /* root, or in the group: an operator; all others may nothing */
};

/* Looks at a connected socket; group may not exist, then only root is allowed. */
void peer_find(int fd, const char *group, struct peer *out);
/* "uid 1000 (kim)"; the caller frees it. */
char *peer_name(uid_t uid);
/* The group's number, or -1. From /etc/group alone: no name service is asked, none can block us. */
gid_t peer_group(const char *group);

#endif
