/*
 * instance.upgrade: another tree, on the same data or on what is made of it beside. Clients are
 * kept out until all of it has worked, so that going back loses nothing of theirs.
 */
#include "command.h"

#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "operation.h"
#include "outage.h"
#include "place.h"
#include "prediction.h"
#include "process.h"
#include "state.h"
#include "upgrade_check.h"
#include "upgrade_data.h"
#include "upgrade_proof.h"
#include "upgrade_report.h"

#define HANG_S 60.0 /* a version that nobody has used yet and that does not stop is ended then */

/* The two generations; only one of them is task->engine at a time. */
static struct engine *old_engine, *new_engine;

static int number_fact(struct task *task, const char *name)
{
    return (int)json_get_int(task->state->facts, name);
}

static bool migrates(struct task *task)
{
    return json_get_bool(task->state->facts, "migrates");
}

static enum safepoint safepoint_of(struct task *task)
{
    return upgrade_data_from_word(task_fact_text(task, "safepoint"));
}

/* The task's own pointer always names one of ours; work_done() frees a copy of none. */
static void point(struct task *task, struct engine *engine)
{
    task->engine = engine;
}

static bool open_new(struct task *task, struct error *err)
{
    if (new_engine == NULL && number_fact(task, "to") != 0)
        new_engine =
            place_engine(task->site, task->store, old_engine->folder, number_fact(task, "to"), err);
    return new_engine != NULL;
}

/* In a recovery: which generations there are is in the journal. */
static bool set_engines(struct task *task, struct error *err)
{
    int from = number_fact(task, "from");

    new_engine = NULL; /* of another job that this process has recovered */
    if (from == 0) {
        old_engine = task->engine;
        return true;
    }
    old_engine = place_engine(task->site, task->store, task->engine->folder, from, err);
    if (old_engine == NULL)
        return false;
    engine_free(task->engine);
    point(task, old_engine);

    bool used = place_current(old_engine->folder) == number_fact(task, "to");
    if (used && !open_new(task, err))
        return false;
    point(task, used ? new_engine : old_engine);
    return true;
}

/* --- check --- */

static bool keep_check(struct task *task, struct json_object *check, struct error *err)
{
    struct json_object *facts = upgrade_check_edge(task, check);

    json_add(facts, "settings_pending", json_copy(json_get(check, "settings_pending")));
    json_add_int(facts, "from", old_engine->number);
    json_add_int(facts, "to", old_engine->number + 1);
    json_add(facts, "safepoint", json_copy(json_get(check, "safepoint")));
    json_add(facts, "migrates", json_copy(json_get(check, "migrates")));
    json_add_int(facts, "to_data",
                 upgrade_data_from_word(json_get_string(check, "safepoint")) == SAFEPOINT_NONE
                     ? place_data_number(old_engine)
                     : upgrade_data_number(old_engine));
    return task_keep_facts(task, facts, err);
}

static bool check(struct task *task, struct error *err)
{
    autoptr(json_object) result = json_object_new_object();

    if (!upgrade_check(task, json_get_string(task->params, "version"), result, err))
        return false;
    upgrade_check_what(task, json_get(result, "findings"));
    task_about(task, upgrade_check_edge(task, result));
    return upgrade_check_blockers(task, result, err) && keep_check(task, result, err);
}

/* --- prepare: the new generation, while the old one serves --- */

/* What the new version will need to know of the old one, and the data has forgotten by then. */
static bool note_for_adapting(struct task *task, struct error *err)
{
    if (task->store->note == NULL)
        return true;
    struct json_object *noted = json_object_new_object();
    if (!task->store->note(task, noted, err)) {
        json_object_put(noted);
        return false;
    }
    return task_keep_fact(task, "noted", noted, err);
}

static bool prepare(struct task *task, struct error *err)
{
    autoptr(json_object) settings = place_settings(old_engine);
    const struct place_wanted_generation wanted = {
        .version = task_fact_text(task, "version"),
        .number = number_fact(task, "to"),
        .data_number = number_fact(task, "to_data"),
        .settings = settings,
    };

    if (!note_for_adapting(task, err) ||
        !place_make_generation(task->site, old_engine->folder, old_engine->datastore, &wanted,
                               err) ||
        !open_new(task, err) ||
        (safepoint_of(task) != SAFEPOINT_NONE && !upgrade_data_make(new_engine, err)))
        return false;
    point(task, new_engine);
    bool good = task->store->configure(task, settings, GATE_CLOSED, err) &&
                (task->store->check_settings == NULL || task->store->check_settings(task, err)) &&
                file_sync_tree(new_engine->generation, err);
    point(task, old_engine);
    return good;
}

static bool drop_prepared(struct task *task, struct error *err)
{
    return place_drop_generation(old_engine->folder, number_fact(task, "to"), err) &&
           (safepoint_of(task) == SAFEPOINT_NONE ||
            upgrade_data_drop(old_engine->folder, number_fact(task, "to_data"), err));
}

/* --- settle, fence, stop --- */

static bool settle(struct task *task, struct error *err)
{
    return task->store->settle == NULL || task->store->settle(task, err);
}

static bool unsettle(struct task *task, struct error *err)
{
    return task->store->unsettle == NULL || task->store->unsettle(task, err);
}

/* What lives beside the settings, into the new generation. */
static bool carry(struct task *task, struct error *err)
{
    point(task, new_engine);
    bool carried = task->store->carry == NULL || task->store->carry(task, old_engine, err);
    point(task, old_engine);
    return carried;
}

/* Carried over while clients still work, so that behind the gate only what has changed since is. */
static bool fence(struct task *task, struct error *err)
{
    int ended = 0;

    if (!place_close(old_engine->folder, err) || !place_await_looks(task, err) ||
        !outage_begin(task, err) ||
        (task->store->keep_memory != NULL && !task->store->keep_memory(task, err)) ||
        !carry(task, err) || !task->store->gate(task, GATE_CLOSED, &ended, err))
        return false;
    if (!upgrade_proof_begin(task, err))
        return false;
    const char *position = upgrade_proof_position();
    task_what(task, "closed at %s, %d sessions ended", position == NULL ? "-" : position, ended);
    return true;
}

/* Also when the engine died meanwhile: afterwards it serves as before. */
static bool unfence(struct task *task, struct error *err)
{
    point(task, old_engine);
    if (!task->store->gate(task, GATE_OPEN, NULL, err) || !command_start_engine(task, err) ||
        !task->store->gate(task, GATE_OPEN, NULL, err))
        return false;
    outage_end(task);
    return place_reopen(old_engine->folder, err);
}

static bool stop_old(struct task *task, struct error *err)
{
    return command_stop_engine(task, migrates(task) ? STOP_THOROUGH : STOP_CLEAN, err);
}

static bool start_old(struct task *task, struct error *err)
{
    point(task, old_engine);
    /* An earlier recovery has been past the opening: clients are at work. */
    if (!place_is_closed(old_engine->folder))
        return true;
    if (!task->store->gate(task, GATE_CLOSED, NULL, err) || !command_start_engine(task, err))
        return false;
    task_what(task, "%s runs", old_engine->version);
    return true;
}

/* --- safepoint, migrate, use --- */

/* A migration makes data of its own and leaves the old as it is: that is its safepoint. */
static bool keep_data(struct task *task, struct error *err)
{
    enum safepoint safepoint = safepoint_of(task);

    if (migrates(task) && task->store->migrate != NULL)
        task_what(task, "the old data stays as it is");
    else if (safepoint == SAFEPOINT_NONE)
        task_what(task, "none needed: both versions accept this data");
    else
        return upgrade_data_copy(task, old_engine, new_engine, safepoint, err);
    return true;
}

static bool migrate(struct task *task, struct error *err)
{
    if (!migrates(task) || task->store->migrate == NULL) {
        task_what(task, "%s",
                  migrates(task) ? "by the new version itself, once it runs"
                                 : "none needed: the same format");
        return true;
    }
    point(task, new_engine);
    bool good = task->store->migrate(
        task, old_engine, safepoint_of(task) == SAFEPOINT_CLONE ? FILE_CLONE : FILE_COPY, err);
    point(task, old_engine);
    return good;
}

static bool use_new(struct task *task, struct error *err)
{
    if (!carry(task, err))
        return false;
    point(task, new_engine);
    return engine_prove_stopped(new_engine, err) &&
           place_use(new_engine->folder, new_engine->number, err);
}

static bool use_old(struct task *task, struct error *err)
{
    point(task, old_engine);
    return place_use(old_engine->folder, old_engine->number, err);
}

/* --- start, prove --- */

static bool start_closed(struct task *task, struct error *err)
{
    if (!command_start_engine(task, err))
        return error_prefix(err, "%s did not start", new_engine->version);
    task_what(task, "closed");
    return true;
}

static bool adapt(struct task *task, struct error *err)
{
    return task->store->adapt == NULL ||
           task->store->adapt(task, task_fact(task, "noted"), migrates(task), err);
}

static bool is_over(void *context, struct error *err)
{
    double *ends_at = context;

    return process_clock_s() < *ends_at || error_set(err, ERROR_ENGINE, "it does not stop");
}

/* One data folder, so one engine: it may be the old one, which an earlier recovery has started. */
static bool old_runs(void)
{
    struct process process;

    return engine_find(old_engine, &process) && engine_executes_tree(old_engine, &process) &&
           !engine_executes_tree(new_engine, &process);
}

/* Nobody has used it: when it does not stop by itself it is ended, and the old one recovers. */
static bool stop_new(struct task *task, struct error *err)
{
    double ends_at = process_clock_s() + HANG_S;

    /* An earlier recovery has been past here when the generation is gone, or half gone. */
    if (!open_new(task, err)) {
        error_clear(err);
        return true;
    }
    point(task, new_engine);
    if (old_runs())
        return true;
    if (!engine_signal_stop(new_engine, false, err))
        return false;
    if (engine_wait_stopped(new_engine, is_over, &ends_at, err))
        return true;
    error_clear(err);
    return engine_signal_stop(new_engine, true, err) &&
           engine_wait_stopped(new_engine, NULL, NULL, err);
}

/* --- commit is behind: forward --- */

/* In the worker that proved it nothing is left to do; in a recovery it is brought up once more. */
static bool ready(struct task *task, struct error *err)
{
    if (!open_new(task, err))
        return false;
    point(task, new_engine);
    if (!place_use(new_engine->folder, new_engine->number, err) ||
        !command_start_engine(task, err) || !upgrade_proof_process(task, err))
        return false;

    struct process then;
    if (process_from_json(task_fact(task, "process"), &then) && !process_lives(&then))
        task_what(task, "started once more: the proved process is gone");
    return true;
}

/* What clients need not wait for; that it fails is told and changes nothing. */
static void polish(struct task *task)
{
    struct error failure = { 0 };

    if (migrates(task) && task->store->polish != NULL && !task->store->polish(task, &failure))
        log_error("%s: what may follow an upgrade failed: %s", task->engine->instance,
                  failure.message);
    error_clear(&failure);
}

static bool open_and_tidy(struct task *task, struct error *err)
{
    char stamp[32];

    if (!open_new(task, err))
        return false;
    point(task, new_engine);
    if (!command_start_engine(task, err) || !task->store->gate(task, GATE_OPEN, NULL, err))
        return false;
    outage_end(task);
    upgrade_report(task);
    process_stamp(stamp);
    if (!place_reopen(new_engine->folder, err) ||
        !place_set(new_engine->folder, "generation_at", json_object_new_string(stamp), err) ||
        !place_tidy(new_engine->folder, new_engine->number, err))
        return false;
    if (migrates(task))
        prediction_learn(task, safepoint_of(task),
                         json_get_double(task_fact(task, "proved"), "objects"));
    polish(task);
    return true;
}

static const struct step upgrade_steps[] = {
    { "check", check, NULL },
    { "prepare", prepare, drop_prepared },
    { "settle", settle, unsettle },
    { "fence", fence, unfence },
    { "stop", stop_old, start_old },
    { "safepoint", keep_data, NULL },
    { "migrate", migrate, NULL },
    { "use", use_new, use_old },
    { "start", start_closed, stop_new },
    { "adapt", adapt, NULL },
    { "prove", upgrade_proof_end, NULL, .stays = true },
    { 0 },
};

const struct operation upgrade_operation = {
    .steps = upgrade_steps,
    .set = set_engines,
    .ready = ready,
    .finish = open_and_tidy,
    .rolls_back_from = "fence",
};
