#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "state.h"

#define READY_TRIES 3
#define UNDO_TRIES 4
#define RESOLVE_TRIES 4
#define FINISH_TRIES 5

static size_t count_steps(const struct operation *operation)
{
    size_t count = 0;

    while (operation->steps[count].name != NULL)
        count++;
    return count;
}

static bool note(struct task *task, const char *kind, struct json_object *value, bool sync,
                 struct error *err)
{
    struct json_object *record = json_object_new_object();

    json_add(record, kind, value);
    return journal_write(task->journal, record, sync, err);
}

static bool note_step(struct task *task, const char *kind, const char *step, bool sync,
                      struct error *err)
{
    return note(task, kind, json_object_new_string(step), sync, err);
}

static struct json_object *yes(void)
{
    return json_object_new_boolean(true);
}

/* A step's turn: which function, under which name, and where it stands among the others. */
struct turn {
    const char *name;
    size_t number, count;
    bool undo;
    bool (*function)(struct task *task, struct error *err);
};

/* Seen by the daemon and by `job show`. */
static bool take_turn(struct task *task, const struct turn *turn, struct error *err)
{
    double began = process_clock_s();
    char started[32];

    process_stamp(started);
    task_step_begin(task, turn->name, turn->number, turn->count, turn->undo);
    bool good = turn->function(task, err);
    if (!good && task->state->what[0] == '\0')
        task_what(task, "%s", err->message);
    task_step_end(task, good, turn->undo, process_clock_s() - began, started);
    log_info("%s%s: %s", turn->undo ? "undo " : "", turn->name,
             good ? task->state->what : err->message);
    return good;
}

/* A finished step's row survives its worker through its done record. */
static void note_done(struct task *task, const char *kind, const char *step)
{
    struct json_object *record = json_object_new_object();
    size_t rows = json_object_array_length(task->state->steps);
    struct error ignored = { 0 };

    json_add_string(record, kind, step);
    json_add(record, "row", json_copy(json_object_array_get_idx(task->state->steps, rows - 1)));
    if (!journal_write(task->journal, record, false, &ignored))
        error_clear(&ignored);
}

static bool end_with(struct task *task, struct json_object *end, struct error *err)
{
    json_add(end, "steps", json_copy(task->state->steps));
    if (note(task, "end", json_copy(end), true, err)) {
        json_object_put(end);
        return true;
    }
    /* No room for all of it: the outcome matters more than its story (C4). */
    json_object_object_del(end, "steps");
    if (json_get(end, "result") != NULL) {
        struct json_object *cut = json_add_object(end, "result");
        json_add_bool(cut, "cut", true);
    }
    error_clear(err);
    return note(task, "end", end, true, err);
}

static bool end_ok(struct task *task, struct error *err)
{
    struct json_object *end = json_object_new_object();

    json_add_string(end, "outcome", "ok");
    json_add(end, "result", json_copy(task->state->result));
    return end_with(task, end, err);
}

/* The outcome of what went wrong; err stays what it is. */
static bool end_failed(struct task *task, struct error *err)
{
    struct json_object *end = json_object_new_object();
    struct error failure = { 0 };

    json_add_string(end, "outcome", error_word(err->reason));
    json_add(end, "error", error_to_json(err));
    if (!end_with(task, end, &failure)) {
        log_error("cannot write the outcome: %s", failure.message);
        error_clear(&failure);
    }
    return false;
}

/* Stays closed and open to another try; a person must look. err becomes needs_attention. */
static bool end_attention(struct task *task, struct error *err)
{
    struct error outer = { 0 };
    struct error failure = { 0 };

    error_set(&outer, ERROR_NEEDS_ATTENTION, "%s needs attention: %s",
              json_get_string(task->state->request, "object"), err->message);
    error_hint(&outer,
               "mend the cause, then: dbguestctl instance recover %s     (steps so far: "
               "dbguestctl job show %s)",
               json_get_string(task->state->request, "object"), task->job);
    error_add(&outer, "cause", error_to_json(err));
    error_move(err, &outer);
    if (!journal_suspect(task->journal) &&
        !note(task, "attention", error_to_json(err), true, &failure)) {
        log_error("cannot write down that attention is needed: %s", failure.message);
        error_clear(&failure);
    }
    log_error("%s", err->message);
    return false;
}

/* What the caller is told of a change that was undone. */
static void make_rolled_back(struct task *task, struct error *err)
{
    struct error outer = { 0 };
    struct json_object *cause = error_to_json(err);
    const char *object = json_get_string(task->state->request, "object");

    json_add_string(cause, "step", task->state->step);
    error_set(&outer, ERROR_ROLLED_BACK, "'%s' is as before: %s", object, err->message);
    error_native(&outer, err->native);
    error_hint(&outer, "%s%swhat was done: dbguestctl job show %s", err->hint,
               err->hint[0] == '\0' ? "" : "; ", task->job);
    error_add(&outer, "cause", cause);
    error_move(err, &outer);
}

/*
 * An engine that dies while it is being undone fails that once; looked at again it is one that does
 * not run. What fails for good keeps its reason.
 */
static bool undo_step(struct task *task, const struct step *step, size_t number, size_t count,
                      struct error *err)
{
    const struct turn turn = { step->name, number, count, true, step->undo };

    for (int i = 0; i < UNDO_TRIES; i++) {
        error_clear(err);
        if (i > 0)
            task_sleep_ms(task, 50 << i);
        if (take_turn(task, &turn, err))
            return true;
    }
    return error_prefix(err, "undo %s", step->name);
}

/* Undoes steps [0, from) in reverse; those already undone look at the world and do nothing. */
static bool undo_steps(const struct operation *operation, struct task *task, size_t from,
                       struct error *err)
{
    size_t count = count_steps(operation);

    task->state->undoing = true;
    for (size_t i = from; i > 0; i--) {
        const struct step *step = &operation->steps[i - 1];

        if (step->undo == NULL)
            continue;
        if (!note_step(task, "undo", step->name, true, err))
            return false;
        if (!undo_step(task, step, i, count, err))
            return false;
        note_done(task, "undone", step->name);
    }
    return true;
}

static bool rolls_back(const struct operation *operation, size_t from)
{
    for (size_t i = 0; i < from && operation->rolls_back_from != NULL; i++)
        if (strcmp(operation->steps[i].name, operation->rolls_back_from) == 0)
            return true;
    return false;
}

/* From a failure in err back to how it was; the reason that the caller sees is kept in err. */
static bool go_back(const struct operation *operation, struct task *task, size_t from,
                    struct error *err)
{
    const char *failed_step = task->state->step;
    struct error failure = { 0 };

    if (!note(task, "abort", error_to_json(err), true, &failure) ||
        !undo_steps(operation, task, from, &failure)) {
        error_move(err, &failure);
        return end_attention(task, err);
    }
    task->state->step = failed_step;
    if (rolls_back(operation, from))
        make_rolled_back(task, err);
    return end_failed(task, err);
}

static bool try_again(struct task *task, const char *name,
                      bool (*function)(struct task *task, struct error *err), int tries,
                      struct error *err)
{
    const struct turn turn = { name, task->state->count, task->state->count, false, function };

    for (int i = 0; i < tries; i++) {
        error_clear(err);
        if (i > 0)
            task_sleep_ms(task, 100 << i);
        if (take_turn(task, &turn, err)) {
            note_done(task, "done", name);
            return true;
        }
    }
    return false;
}

/* After the commit record: forward. */
static bool go_forward(const struct operation *operation, struct task *task, bool opening,
                       struct error *err)
{
    task->state->too_late = true;
    if (operation->ready != NULL && !opening &&
        !try_again(task, "ready", operation->ready, READY_TRIES, err))
        return go_back(operation, task, count_steps(operation), err);
    if (operation->finish != NULL) {
        if (!opening && !note(task, "opening", yes(), true, err))
            return end_attention(task, err);
        if (!try_again(task, "finish", operation->finish, FINISH_TRIES, err))
            return end_attention(task, err);
    }
    if (!end_ok(task, err))
        return end_attention(task, err);
    return true;
}

bool operation_run(const struct operation *operation, struct task *task, struct error *err)
{
    size_t count = count_steps(operation);

    task->state->count = count;
    if (operation->set != NULL && !operation->set(task, err))
        return end_failed(task, err);

    for (size_t i = 0; i < count; i++) {
        const struct step *step = &operation->steps[i];
        const struct turn turn = { step->name, i + 1, count, false, step->run };

        /* Nothing of step i has happened before its record is durable. */
        if (!task_goes_on(task, err) || !note_step(task, "begin", step->name, true, err))
            return go_back(operation, task, i, err);
        if (!take_turn(task, &turn, err))
            return go_back(operation, task, i + 1, err);
        note_done(task, "done", step->name);
    }

    /* A commit that may or may not be on the disk: stay closed (C3). */
    if (!note(task, "commit", yes(), true, err))
        return end_attention(task, err);
    return go_forward(operation, task, false, err);
}

struct progress {
    size_t begun; /* steps [0, begun) may have left something */
    bool aborted, committed, opening;
    struct json_object *cause; /* of the abort */
};

static void read_record(const struct operation *operation, struct task *task,
                        struct json_object *record, struct progress *progress)
{
    const char *begun = json_get_string(record, "begin");
    struct json_object *row = json_get(record, "row");

    for (size_t i = 0; begun != NULL && operation->steps[i].name != NULL; i++)
        if (strcmp(operation->steps[i].name, begun) == 0 && i + 1 > progress->begun)
            progress->begun = i + 1;
    if (row != NULL)
        json_object_array_add(task->state->steps, json_copy(row));
    if (json_get(record, "abort") != NULL) {
        progress->aborted = true;
        progress->cause = json_get(record, "abort");
    }
    progress->committed |= json_get(record, "commit") != NULL;
    progress->opening |= json_get(record, "opening") != NULL;
}

/* Why an unfinished change was undone, when no failure of its own stands in the journal. */
static void make_interrupted(const struct operation *operation, struct task *task,
                             const struct progress *progress, struct error *err)
{
    error_clear(err);
    if (progress->cause != NULL) {
        error_from_json(err, progress->cause);
        return;
    }
    error_set(err, ERROR_INTERRUPTED, "the worker died in step %s",
              progress->begun == 0 ? "start" : operation->steps[progress->begun - 1].name);
    error_hint(err, "nothing stands in the way of trying again");
    task->state->step = progress->begun == 0 ? "start" : operation->steps[progress->begun - 1].name;
}

/* That nobody can tell is final; an engine that dies under the question is asked once more. */
static bool resolve(const struct operation *operation, struct task *task, struct error *err)
{
    const struct turn turn = { "resolve", 1, 1, false, operation->resolve };

    for (int i = 0; i < RESOLVE_TRIES; i++) {
        error_clear(err);
        if (i > 0)
            task_sleep_ms(task, 50 << i);
        if (take_turn(task, &turn, err))
            return true;
        if (err->reason == ERROR_INTERRUPTED)
            return false;
    }
    return false;
}

static bool recover_backward(const struct operation *operation, struct task *task,
                             const struct progress *progress, struct error *err)
{
    if (operation->resolve != NULL && !progress->aborted) {
        if (resolve(operation, task, err))
            return end_ok(task, err) || end_attention(task, err);
        return end_failed(task, err);
    }
    make_interrupted(operation, task, progress, err);
    return go_back(operation, task, progress->begun, err);
}

bool operation_recover(const struct operation *operation, struct task *task, struct error *err)
{
    struct json_object *records = journal_records(task->journal);
    struct progress progress = { 0 };
    size_t count = json_object_array_length(records);

    for (size_t i = 0; i < count; i++)
        read_record(operation, task, json_object_array_get_idx(records, i), &progress);
    task->state->count = count_steps(operation);
    if (!note(task, "recover", yes(), true, err))
        return end_attention(task, err);
    /* Whether it may be done at all comes before the first step, and may not have been asked. */
    if (progress.begun == 0 && !progress.committed) {
        make_interrupted(operation, task, &progress, err);
        return end_failed(task, err);
    }
    if (operation->set != NULL && !operation->set(task, err))
        return end_attention(task, err);

    if (progress.committed && !progress.aborted)
        return go_forward(operation, task, progress.opening, err);
    return recover_backward(operation, task, &progress, err);
}
