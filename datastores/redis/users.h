/*
 * Changes of accounts: some ACL commands and ACL SAVE as one transaction of the engine, so that a
 * worker that dies leaves all of it or nothing (C11).
 */
#ifndef DBGUEST_REDIS_USERS_H
#define DBGUEST_REDIS_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "connection.h"

struct error;
struct task;

/* "on", or "off" behind a closed gate: acl.h. */
const char *users_login(const struct task *task);
/*
 * Runs the commands (those with words; each[i] is where the i-th failed) and saves. Of name (or
 * NULL) the login is as said from now on, also when the gate is closed.
 */
struct change {
    const struct words *commands;
    size_t count;
    const char *name;
    bool login;
};
bool users_change(struct task *task, redisContext *db, const struct change *change,
                  struct error *each, struct error *err);

#endif
