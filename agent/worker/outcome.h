/*
 * How a job ends: what its journal says last, and what its caller is told.
 */
#ifndef DBGUEST_OUTCOME_H
#define DBGUEST_OUTCOME_H

#include <stdbool.h>

struct error;
struct json_object;
struct task;

/* A record of one member; takes over value. With sync it is durable when this returns true. */
bool outcome_note(struct task *task, const char *kind, struct json_object *value, bool sync,
                  struct error *err);

bool outcome_ok(struct task *task, struct error *err);
/* The outcome of what went wrong; err stays what it is. Always false. */
bool outcome_failed(struct task *task, struct error *err);
/*
 * Stays closed and open to another try; a person must look. err becomes needs_attention. With stay
 * only a person's recovery goes on from there: the record says so. Always false.
 */
bool outcome_attention(struct task *task, bool stay, struct error *err);
/* err becomes what the caller is told of a change that was undone. */
void outcome_rolled_back(struct task *task, struct error *err);

#endif
