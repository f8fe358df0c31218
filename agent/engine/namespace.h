/*
 * What an engine or a tool sees: the tree of its version as /, read-only, and in it its own data,
 * configuration and sockets, at paths that never change. The same for both, so that what one of
 * them writes is true for the other.
 */
#ifndef DBGUEST_ENGINE_NAMESPACE_H
#define DBGUEST_ENGINE_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* Paths outside; NULL is not bound. */
struct view {
    const char *tree;
    const char *user; /* the name of uid inside */
    uid_t uid;
    const char *files;
    const char *conf;
    const char *sockets;
    const char *work;
    const char *old; /* data of the other tree */
    const struct view *other;
    bool own_pids; /* in a new PID namespace: /proc must be of that one */
};

/*
 * Makes this the root of the calling process, which must be alone in a mount namespace of its own,
 * and lets go of everything else. Descriptors that are open stay open.
 */
bool namespace_enter(const struct view *view, struct error *err);

#endif
