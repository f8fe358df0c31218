/*
 * Who may run: jobs hold all of their locks or none, first come first served, and nobody overtakes
 * whom he would keep waiting.
 */
#ifndef DBGUEST_DAEMON_QUEUE_H
#define DBGUEST_DAEMON_QUEUE_H

#include <stdbool.h>

struct daemon;
struct job;
struct json_object;
struct lock_set;
struct method;

/* The locks of a call, as its request keeps them: ["service:main!", "version:redis/7.0.15"], "!"
 * being exclusive. version may be NULL. The caller owns it. */
struct json_object *queue_locks(const struct method *method, struct json_object *params,
                                const char *datastore, const char *version);

void queue_read_locks(struct json_object *locks, struct lock_set *out);

/* Whether the locks of two jobs keep them from running side by side. */
bool queue_meet(const struct job *one, const struct job *other);

/* The ids that job, the newest, would have to wait for, as an array that the caller owns; empty:
 * none. *full: there is no room for one more running job. */
struct json_object *queue_waits_for(const struct job *job, bool *full);
/* Starts every job whose turn it is, and tells the others their place. */
void queue_run(struct daemon *daemon);

#endif
