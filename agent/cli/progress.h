/*
 * How far a job is, on standard error: on a terminal lines that stay for steps that ended and one
 * that moves, elsewhere a line for each step that ended and one every 30 s.
 */
#ifndef DBGUEST_CLI_PROGRESS_H
#define DBGUEST_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"

struct json_object;

struct progress {
    const struct cli *cli;
    enum progress_kind kind;
    const char *title; /* "instance.upgrade main 15.20+deb12u1" */
    char job[32];      /* "" until it is known */
    double started, step_started, told_at;
    double step_from_bytes;
    char step[64];
    bool keeps, titled, drawn;
    size_t steps; /* of the job, as far as known */
    size_t steps_shown;
    struct json_object *last; /* params of the last job.progress */
};

/* keeps: on a terminal, too, steps leave a line; otherwise the one that moves is all there is. */
void progress_init(struct progress *progress, const struct cli *cli, const char *title, bool keeps);
void progress_done(struct progress *progress);

/* A job.progress; returns whether a step has ended since, so that job.show has more to tell. */
bool progress_note(struct progress *progress, struct json_object *params);
/* The job that this one waits for, when that should be said; else NULL. */
const char *progress_waits_for(const struct progress *progress);
/* Says it; other is that job as job.show gives it, or NULL. */
void progress_say_queued(struct progress *progress, struct json_object *other);
/* Steps of job.show: those that ended and were not told yet get their line. */
void progress_steps(struct progress *progress, struct json_object *steps);
/* Whether steps of this job get lines at all. */
bool progress_shows_steps(const struct progress *progress);
/* To be called every now and then. */
void progress_tick(struct progress *progress);
/* The line that moves goes away; what is printed next starts on a line of its own. */
void progress_clear(struct progress *progress);

#endif
