#include "peer.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "memory.h"

#define GROUPS_MAX 1024

DEFINE_AUTOPTR_FOR(FILE, FILE, fclose)

gid_t peer_group(const char *group)
{
    autoptr(FILE) file = fopen("/etc/group", "re");
    const struct group *entry = NULL;

    while (file != NULL && (entry = fgetgrent(file)) != NULL)
        if (strcmp(entry->gr_name, group) == 0)
            return entry->gr_gid;
    return (gid_t)-1;
}

/* The groups that the peer's process had when it connected, not those that a file would give it. */
static bool is_member(int fd, gid_t gid, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof(groups);

    if (group == (gid_t)-1)
        return false;
    if (gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false;
    for (size_t i = 0; i < size / sizeof(*groups); i++)
        if (groups[i] == group)
            return true;
    return false;
}

void peer_find(int fd, const char *group, struct peer *out)
{
    struct ucred credentials = { .uid = (uid_t)-1 };
    socklen_t size = sizeof(credentials);

    *out = (struct peer){ .uid = (uid_t)-1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return;
    out->uid = credentials.uid;
    out->allowed = credentials.uid == 0 || is_member(fd, credentials.gid, peer_group(group));
}

char *peer_name(uid_t uid)
{
    autoptr(FILE) file = uid != 0 ? fopen("/etc/passwd", "re") : NULL;
    const struct passwd *entry = NULL;

    if (uid == 0)
        return xstrdup("uid 0 (root)");
    while (file != NULL && (entry = fgetpwent(file)) != NULL)
        if (entry->pw_uid == uid)
            return xasprintf("uid %u (%s)", uid, entry->pw_name);
    return xasprintf("uid %u", uid);
}
