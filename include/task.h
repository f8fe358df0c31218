/*
 * One piece of work, as a datastore sees it: which engine, on whose behalf, and how to tell how far
 * it got. The worker makes it; datastores use the functions below and the fields, and keep nothing.
 */
#ifndef DBGUEST_TASK_H
#define DBGUEST_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct datastore;
struct engine;
struct error;
struct json_object;
struct journal;
struct site;

struct task {
    const struct site *site;
    const struct datastore *store;
    const char *job;            /* "j184"; of a read "read" */
    struct engine *engine;      /* what to act on; NULL where a method has no instance */
    struct json_object *params; /* the request's, secrets included */
    struct journal *journal;    /* NULL in a read */
    struct task_state *state;   /* the worker's own */
};

/* Bytes done of so many (total 0: unknown); cheap, may be called for every block. */
void task_progress(struct task *task, uint64_t done_bytes, uint64_t total_bytes);
/* One line for people about what the present step did or found: the WHAT of `job show`. */
void task_what(struct task *task, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * False when the job is to stop: cancelled, past its deadline, or told to stop where it is by
 * SIGTERM (C8). Sets err. To be asked wherever something waits or repeats. After the point in an
 * operation where stopping is too late it is always true.
 */
bool task_goes_on(struct task *task, struct error *err);
/* The same with the signature of a tick; context is the task. */
bool task_tick(void *task, struct error *err);
/* Sleeps; shorter when the job is to stop. */
void task_sleep_ms(struct task *task, int milliseconds);
/*
 * Waits until the engine accepts the agent: calls try every 1 to 20 ms until it is true. Fails with
 * engine and the engine's last log lines when its process has ended, and when task_goes_on() fails;
 * otherwise it waits, for an engine that recovers may take long. try leaves err alone or sets it; a
 * false with reason engine and hint "final" is not needed: any failure is tried again.
 */
bool task_await_engine(struct task *task, bool (*attempt)(struct task *task, struct error *err),
                       struct error *err);

#endif
