/*
 * The making of an instance that nobody has seen yet: new, restored, or a scratch one. Folder,
 * version, uid and port are facts of the journal ("folder", "version", "uid", "port", "name").
 */
#ifndef DBGUEST_NEWCOMER_H
#define DBGUEST_NEWCOMER_H

#include <stdbool.h>

struct error;
struct json_object;
struct task;

/* Checks name, port and version, and keeps the facts. */
bool newcomer_check(struct task *task, const char *name, const char *version, struct error *err);
/* The same for one that only this job knows: no name to take, no port, a folder in scratch/. */
bool newcomer_check_scratch(struct task *task, const char *version, struct error *err);
bool newcomer_set(struct task *task, struct error *err); /* operation.set */

/* Steps. */
bool newcomer_make(struct task *task, struct error *err);
bool newcomer_drop(struct task *task, struct error *err);
bool newcomer_configure(struct task *task, struct error *err);
bool newcomer_start(struct task *task, struct error *err);
bool newcomer_stop(struct task *task, struct error *err);
/* For operation.ready and operation.finish of an instance that stays. */
bool newcomer_ready(struct task *task, struct error *err);
bool newcomer_finish(struct task *task, struct error *err);

#endif
