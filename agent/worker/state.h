/*
 * What the worker keeps of its one job: the request, where its folder is, how far it got.
 */
#ifndef DBGUEST_WORKER_STATE_H
#define DBGUEST_WORKER_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "task.h"

struct method;

struct task_state {
    struct json_object *request;
    const struct method *method;
    char *folder;      /* jobs/open/ID; NULL in a read */
    int events;        /* the file that the daemon follows; -1 in a read */
    double ends_at;    /* the deadline in CLOCK_BOOTTIME seconds; 0: none */
    bool too_late;     /* past the stop signal: neither cancel nor deadline stop it any more */
    bool undoing;      /* likewise */
    bool by_person;    /* a recovery that somebody has asked for, instance.recover */
    double asked_at;   /* when cancel and deadline were looked at last */
    double told_at;    /* when progress was told last */
    uint64_t log_from; /* where the engine's log ended before this start of it */

    const char *step; /* the present one */
    size_t number, count;
    char what[512];

    struct json_object *facts;  /* what the journal's records say, merged; {} in a read */
    struct json_object *result; /* what the caller gets when it goes well */
    struct json_object
        *steps; /* [{step, started, took_s, what, undone}] of this and earlier workers */
};

/* Facts are what undo and recovery need: durable in the journal before this returns true. Takes
 * over value. */
bool task_keep_fact(struct task *task, const char *name, struct json_object *value,
                    struct error *err);
/* All members of facts in one record; takes it over. */
bool task_keep_facts(struct task *task, struct json_object *facts, struct error *err);
bool task_keep_text(struct task *task, const char *name, const char *value, struct error *err);
/* In a recovery: all that the journal holds. */
void task_read_facts(struct task *task);
/* Borrowed; NULL when there is none. */
struct json_object *task_fact(struct task *task, const char *name);
const char *task_fact_text(struct task *task, const char *name);

/* A line for the daemon, durable or not: what cannot be written is left out (C4). Takes it over. */
void task_tell(struct task *task, struct json_object *event);
/*
 * What the job is about, once that is known, for those who wait: {datastore,
 * from_version, version, expected_outage_s}. Takes it over.
 */
void task_about(struct task *task, struct json_object *about);
/* The present step begins, and has ended; undo tells which way. */
void task_step_begin(struct task *task, const char *name, size_t number, size_t count, bool undo);
void task_step_end(struct task *task, bool good, bool undo, double took_s, const char *started);

#endif
