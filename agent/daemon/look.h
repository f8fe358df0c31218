/*
 * What the disk and the kernel say of an instance. Waits for the disk.
 */
#ifndef DBGUEST_DAEMON_LOOK_H
#define DBGUEST_DAEMON_LOOK_H

#include <stdbool.h>

#include "process.h"

struct look {
    char *name;
    bool exists; /* its instance.json is there */
    char *datastore;
    char *wanted; /* "running" or "stopped" */
    bool closed;
    bool lives;             /* the engine's process */
    struct process process; /* which one */
};

/* Fills all but the name. */
void look_at(const char *state_dir, struct look *look);
void look_done(struct look *look);
bool look_same_process(const struct process *one, const struct process *other);

#endif
