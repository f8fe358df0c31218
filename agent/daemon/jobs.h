/*
 * All jobs, by number: those of the table of open ones from before the socket accepts, ended ones
 * as soon as they have been read.
 */
#ifndef DBGUEST_DAEMON_JOBS_H
#define DBGUEST_DAEMON_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct daemon;
struct error;
struct job;
struct json_object;

/* Reads jobs/open and takes the locks of what is there; for the time before the loop runs. */
bool jobs_load(struct daemon *daemon, struct error *err);
/* Goes on with what was found there, and begins to read jobs/done. */
void jobs_resume(struct daemon *daemon);
/* Calls then as soon as the ended jobs have been read; maybe before it returns. */
void jobs_need_all(struct daemon *daemon, void (*then)(void *context), void *context);
/* A clean end: the numbers that were reserved but not used are given back. */
void jobs_close(struct daemon *daemon);

/* Oldest first. */
size_t jobs_count(const struct daemon *daemon);
struct job *jobs_at(const struct daemon *daemon, size_t index);
struct job *jobs_find(const struct daemon *daemon, const char *id);
/* The one of this peer's key, or NULL. A key of what ended in a retryable error is free again. */
struct job *jobs_of_key(const struct daemon *daemon, uid_t uid, const char *key);
/* The newest of an instance, or NULL. */
struct job *jobs_newest_of(const struct daemon *daemon, const char *instance);
/* The datastore of an instance that an open job is making; NULL when none does. */
const char *jobs_makes_instance(const struct daemon *daemon, const char *instance);
/* Whether an open job holds the service of an instance for itself, or waits for it. */
bool jobs_at_service(const struct daemon *daemon, const char *instance);
/* Whether one holds it: its engine and whether it is closed are in that job's hands. */
bool jobs_hold_service(const struct daemon *daemon, const char *instance);
/* What a running job makes of an instance's status: "UPGRADE", or NULL. */
const char *jobs_status_of(const struct daemon *daemon, const char *instance);

/* The next number, never used before. *reserve: jobs/last must say this before it is used; 0:
 * nothing to write. */
int64_t jobs_next_number(struct daemon *daemon, int64_t *reserve);
/* It was not used after all. */
void jobs_give_back(struct daemon *daemon, int64_t number, int64_t reserve);
/* Takes over job, the newest. */
void jobs_add(struct daemon *daemon, struct job *job);
/* Removes and frees one that could not be accepted. */
void jobs_drop(struct job *job);

/* What follows from a job's beginning and end: events, answers, the queue, what is forgotten. */
void jobs_began(struct job *job);
void jobs_ended(struct job *job, struct json_object *end);
/* Watches the deadlines of waiting jobs. */
void jobs_watch_deadlines(struct daemon *daemon);

#endif
