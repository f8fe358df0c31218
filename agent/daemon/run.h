/*
 * The life of a job that runs: its worker is started once, watched, recovered when it died (C6,
 * C7), and its outcome made durable before anybody hears of it (C5).
 */
#ifndef DBGUEST_DAEMON_RUN_H
#define DBGUEST_DAEMON_RUN_H

#include <stdbool.h>

struct error;
struct job;

/* Of a queued job whose turn it is. */
void run_start(struct job *job);
/* The same when "started" is durable already: spawns. */
void run_spawn(struct job *job);
/* Of a job that an earlier daemon had started: joins its worker, or finishes what it left. */
void run_resume(struct job *job);
/* Ends a job that never started. Clears err. */
void run_refuse(struct job *job, struct error *err);
/* A durable mark that the worker sees; a queued job ends at once. */
void run_cancel(struct job *job);
/* Looks again at a job that needed attention: somebody may have finished it. */
void run_look_again(struct job *job);

#endif
