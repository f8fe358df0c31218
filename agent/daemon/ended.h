/*
 * What is stored of jobs that have ended: read by whoever asks for one again.
 */
#ifndef DBGUEST_DAEMON_ENDED_H
#define DBGUEST_DAEMON_ENDED_H

#include <stdbool.h>

struct job;
struct json_object;
struct request;

/* Calls then with the end of a job: outcome, result or error, steps; an empty object when it has
 * not ended, or its folder cannot be read. then answers the request. */
void ended_read(struct job *job, struct request *request,
                void (*then)(struct job *job, struct request *request, struct json_object *end));
/* Answers a call that repeats another by its key: now, or when that one's job has ended. */
void ended_join(struct job *job, struct request *request, bool detach);

#endif
