/*
 * Start, stop, restart.
 */
#include "command.h"

#include <signal.h>
#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "operation.h"
#include "place.h"
#include "process.h"
#include "state.h"

/* How long starts and stops of this instance take is what predictions are made of. */
static void remember_time(struct task *task, const char *name, double took_s)
{
    struct error ignored = { 0 };

    if (!task->engine->scratch &&
        !place_set(task->engine->folder, name, json_object_new_double(took_s), &ignored))
        error_clear(&ignored);
}

/* What keeps an engine from starting may be that somebody has its port: then that is the cause. */
static bool blame_port(struct task *task, struct error *err)
{
    struct error taken = { 0 };
    struct process process;

    if (!engine_find(task->engine, &process) &&
        !engine_prove_listening(task->engine, task->store->one_socket, &taken) &&
        taken.hint[0] != '\0') {
        error_native(&taken, err->native);
        error_move(err, &taken);
    }
    error_clear(&taken);
    return false;
}

/* It serves, but not everywhere: that is no start. */
static bool end_deaf(struct task *task)
{
    struct error failure = { 0 };

    if (!command_stop_engine(task, false, &failure))
        log_error("%s", failure.message);
    error_clear(&failure);
    return false;
}

bool command_start_engine(struct task *task, struct error *err)
{
    double began = process_clock_s();
    struct process process;

    task->state->log_from = engine_log_position(task->engine);
    if (engine_find(task->engine, &process))
        return task->store->start(task, err);
    if (!task->store->start(task, err))
        return blame_port(task, err);
    if (!engine_prove_listening(task->engine, task->store->one_socket, err))
        return end_deaf(task);
    remember_time(task, "start_s", process_clock_s() - began);
    return true;
}

/* A signal that came too early for the engine to hear it must not be waited on for ever. */
#define SIGNAL_AGAIN_S 5.0
#define IMMEDIATE_S 60.0

struct stopping {
    struct task *task;
    const struct engine *engine;
    bool immediate;
    double signal_at, ends_at; /* CLOCK_BOOTTIME */
};

/* The mark of a later stop that does not want to wait for a clean end; NULL, or who made it. */
static char *hurried_by(struct task *task)
{
    autofree char *path = xasprintf("%s/immediate", task->state->folder);
    struct error ignored = { 0 };
    char *who = file_exists(path) ? file_read(path, NULL, &ignored) : NULL;

    error_clear(&ignored);
    return who;
}

static void look_for_hurry(struct stopping *stopping, double now)
{
    autofree char *who = stopping->immediate ? NULL : hurried_by(stopping->task);

    if (who == NULL)
        return;
    log_info("%s wants the engine to end at once", who);
    stopping->immediate = true;
    stopping->signal_at = now;
    stopping->ends_at = now + IMMEDIATE_S;
}

static bool while_it_stops(void *context, struct error *err)
{
    struct stopping *stopping = context;
    double now = process_clock_s();

    look_for_hurry(stopping, now);
    if (stopping->immediate && now > stopping->ends_at)
        return error_set(err, ERROR_NEEDS_ATTENTION, "the engine of '%s' does not end",
                         stopping->engine->instance);
    if (now < stopping->signal_at)
        return true;
    stopping->signal_at = now + SIGNAL_AGAIN_S;
    return engine_signal_stop(stopping->engine, stopping->immediate, err);
}

bool command_stop_engine(struct task *task, enum stop_mode mode, struct error *err)
{
    bool immediate = mode == STOP_IMMEDIATE;
    double began = process_clock_s();
    struct process process;

    if (engine_find(task->engine, &process)) {
        if (!immediate && task->store->before_stop != NULL &&
            !task->store->before_stop(task, mode == STOP_THOROUGH, err))
            return false;
        if (!task_goes_on(task, err))
            return false;
        began = process_clock_s();
        task->state->too_late = true;
        if (!engine_signal_stop(task->engine, immediate, err))
            return false;
        if (!immediate && task->store->urge_stop != NULL)
            task->store->urge_stop(task);
    }
    struct stopping stopping = { task, task->engine, immediate, process_clock_s() + SIGNAL_AGAIN_S,
                                 process_clock_s() + IMMEDIATE_S };
    if (!engine_wait_stopped(task->engine, while_it_stops, &stopping, err))
        return false;
    if (!stopping.immediate)
        remember_time(task, "stop_s", process_clock_s() - began);
    return true;
}

static void fill_status(struct task *task, const char *status)
{
    json_add_string(task->state->result, "instance", task->engine->instance);
    json_add_string(task->state->result, "status", status);
}

/* --- start --- */

static bool start_engine(struct task *task, struct error *err)
{
    if (!place_want(task->engine->folder, true, err) ||
        !task->store->gate(task, GATE_OPEN, NULL, err) || !command_start_engine(task, err))
        return false;
    fill_status(task, "ACTIVE");
    return engine_enable(task->engine, true, err);
}

static const struct step start_steps[] = {
    { "start", start_engine, NULL },
    { 0 },
};
const struct operation start_operation = { .steps = start_steps, .resolve = start_engine };

/* --- stop --- */

static bool stop_engine(struct task *task, struct error *err)
{
    const char *mode = json_get_string(task->params, "mode");
    bool immediate = mode != NULL && strcmp(mode, "immediate") == 0;
    double began = process_clock_s();

    if (!place_want(task->engine->folder, false, err) || !engine_enable(task->engine, false, err) ||
        !command_stop_engine(task, immediate ? STOP_IMMEDIATE : STOP_CLEAN, err))
        return false;
    autofree char *who = hurried_by(task);
    if (who != NULL)
        task_what(task, "ended at once, as %s asked", who);
    fill_status(task, "SHUTDOWN");
    json_add_string(task->state->result, "mode", immediate || who != NULL ? "immediate" : "clean");
    json_add_double(task->state->result, "took_s", process_clock_s() - began);
    return true;
}

static bool unsettle_engine(struct task *task, struct error *err)
{
    return task->store->unsettle == NULL || task->store->unsettle(task, err);
}

/* The wish to stop goes with the stop: before the signal it can still be taken back. So does what
 * the engine was told for it; one that does not listen any more keeps it until its next start. */
static bool want_again(struct task *task, struct error *err)
{
    struct process process;
    struct error deaf = { 0 };

    if (!engine_find(task->engine, &process))
        return true;
    if (!unsettle_engine(task, &deaf))
        task_what(task, "%s", deaf.message);
    error_clear(&deaf);
    return place_want(task->engine->folder, true, err) && engine_enable(task->engine, true, err);
}

static const struct step stop_steps[] = {
    { "stop", stop_engine, want_again },
    { 0 },
};
const struct operation stop_operation = { .steps = stop_steps, .resolve = stop_engine };

/* --- restart --- */

static bool settle_engine(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;
    autoptr(json_object) record = process_to_json(&process);
    if (!task_keep_fact(task, "process", json_object_get(record), err))
        return false;
    return task->store->settle == NULL || task->store->settle(task, err);
}

static bool stop_for_restart(struct task *task, struct error *err)
{
    return task_keep_fact(task, "stopped_at", json_object_new_double(process_clock_s()), err) &&
           command_stop_engine(task, STOP_CLEAN, err);
}

static bool start_again(struct task *task, struct error *err)
{
    double stopped_at = json_get_double(task->state->facts, "stopped_at");
    autofree char *who = hurried_by(task);

    if (who != NULL)
        return error_set(err, ERROR_CANCELLED, "'%s' was stopped at once, as %s asked",
                         task->engine->instance, who);
    if (!start_engine(task, err))
        return false;
    json_add_double(task->state->result, "outage_s", process_clock_s() - stopped_at);
    return true;
}

/* A worker died: whatever it had done, the engine runs afterwards. */
static bool resolve_restart(struct task *task, struct error *err)
{
    struct process before;
    bool ran = process_from_json(task_fact(task, "process"), &before);

    if (!unsettle_engine(task, err) || !start_engine(task, err))
        return false;
    if (ran && process_lives(&before))
        return error_set(err, ERROR_INTERRUPTED, "'%s' was not restarted: the worker died before",
                         task->engine->instance);
    return true;
}

static const struct step restart_steps[] = {
    { "settle", settle_engine, unsettle_engine },
    { "stop", stop_for_restart, NULL },
    { "start", start_again, NULL },
    { 0 },
};
const struct operation restart_operation = { .steps = restart_steps, .resolve = resolve_restart };
