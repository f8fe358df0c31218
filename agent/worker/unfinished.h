/*
 * Other jobs of an instance that have begun and not ended: what a recovery would bring to an end.
 */
#ifndef DBGUEST_UNFINISHED_H
#define DBGUEST_UNFINISHED_H

#include <stdbool.h>

struct error;
struct task;

/* The folder of the first of them, or NULL, with err set when nobody can tell; the caller frees it.
 */
char *unfinished_find(struct task *task, struct error *err);
/* Fails with needs_attention when the recovery of one would undo what is about to be built on it.
 */
bool unfinished_check(struct task *task, struct error *err);
/* The instance is gone, and what was to be done to it: ends them as interrupted. */
void unfinished_end(struct task *task);

#endif
