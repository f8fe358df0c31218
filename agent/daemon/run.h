/*
 * The life of a job that runs: its worker is started once, watched, recovered when it died (C6,
 * C7), and its outcome made durable before anybody hears of it (C5).
 */
#ifndef DBGUEST_DAEMON_RUN_H
#define DBGUEST_DAEMON_RUN_H

#include <stdbool.h>

struct job;

/* Of a queued job whose turn it is. */
void run_start(struct job *job);
/* The same when "started" is durable already: spawns. */
void run_spawn(struct job *job);
/* Of a job that an earlier daemon had started: joins its worker, or finishes what it left. */
void run_resume(struct job *job);
/* A durable mark that the worker sees; a queued job ends at once. */
void run_cancel(struct job *job);
/* A durable mark for one that stops an engine: by, a later job, wants it to end at once. */
void run_hurry(struct job *job, const char *by);
/* Its worker died: another one brings it to its end. */
void run_recover(struct job *job, const char *why);

#endif
