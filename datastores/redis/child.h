/*
 * What a child of the engine does: writing its data down while clients go on.
 */
#ifndef DBGUEST_REDIS_CHILD_H
#define DBGUEST_REDIS_CHILD_H

#include <stdbool.h>

#include "connection.h"

struct error;
struct task;

/* Waits until none rewrites the append-only file; none saves a dump. */
bool child_await_rewrite(struct task *task, redisContext *db, struct error *err);
bool child_await_save(struct task *task, redisContext *db, struct error *err);

#endif
