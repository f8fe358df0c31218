/*
 * What became of a job: the pool's thread reads it off the job's folder, and writes the outcome
 * down (C5); then the job is joined, recovered, ended, or left to a person.
 */
#ifndef DBGUEST_DAEMON_SETTLE_H
#define DBGUEST_DAEMON_SETTLE_H

struct error;
struct job;

void settle(struct job *job);
void settle_later(struct job *job, double seconds);
/* Its worker's process has ended: to be called by its watch. */
void settle_on_gone(void *context);
/* A job of its instance is in good hands, or over: those whose recovery waited look again. */
void settle_awaiting(const struct job *settled);
/* Ends a job that never began. Clears err. */
void settle_refused(struct job *job, struct error *err);

#endif
