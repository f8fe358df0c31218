#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "outcome.h"
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

static bool note_step(struct task *task, const char *kind, const char *step, bool sync,
                      struct error *err)
{
    return outcome_note(task, kind, json_object_new_string(step), sync, err);
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

    if (!outcome_note(task, "abort", error_to_json(err), true, &failure) ||
        !undo_steps(operation, task, from, &failure)) {
        error_move(err, &failure);
        return outcome_attention(task, false, err);
    }
    task->state->step = failed_step;
    if (rolls_back(operation, from))
        outcome_rolled_back(task, err);
    return outcome_failed(task, err);
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
        if (!opening && !outcome_note(task, "opening", yes(), true, err))
            return outcome_attention(task, false, err);
        if (!try_again(task, "finish", operation->finish, FINISH_TRIES, err))
            return outcome_attention(task, false, err);
    }
    if (!outcome_ok(task, err))
        return outcome_attention(task, false, err);
    return true;
}

bool operation_run(const struct operation *operation, struct task *task, struct error *err)
{
    size_t count = count_steps(operation);

    task->state->count = count;
    if (operation->set != NULL && !operation->set(task, err))
        return outcome_failed(task, err);

    for (size_t i = 0; i < count; i++) {
        const struct step *step = &operation->steps[i];
        const struct turn turn = { step->name, i + 1, count, false, step->run };

        /* Nothing of step i has happened before its record is durable. */
        if (!task_goes_on(task, err) || !note_step(task, "begin", step->name, true, err))
            return go_back(operation, task, i, err);
        if (!take_turn(task, &turn, err)) {
            if (step->stays && err->reason == ERROR_NEEDS_ATTENTION)
                return outcome_attention(task, true, err);
            return go_back(operation, task, i + 1, err);
        }
        note_done(task, "done", step->name);
    }

    /* A commit that may or may not be on the disk: stay closed (C3). */
    if (!outcome_note(task, "commit", yes(), true, err))
        return outcome_attention(task, false, err);
    return go_forward(operation, task, false, err);
}

struct progress {
    size_t begun; /* steps [0, begun) may have left something */
    bool aborted, committed, opening;
    struct json_object *cause; /* of the abort */
    struct json_object *stay;  /* what a person has to see to first */
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
    if (json_get_bool(record, "stay")) {
        progress->cause = json_get(json_get(record, "attention"), "cause");
        progress->stay = json_get(record, "attention");
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
            return outcome_ok(task, err) || outcome_attention(task, false, err);
        return outcome_failed(task, err);
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
    if (!outcome_note(task, "recover", yes(), true, err))
        return outcome_attention(task, false, err);
    /* Whether it may be done at all comes before the first step, and may not have been asked. */
    if (progress.begun == 0 && !progress.committed) {
        make_interrupted(operation, task, &progress, err);
        return outcome_failed(task, err);
    }
    if (progress.stay != NULL && !progress.aborted && !task->state->by_person) {
        error_from_json(err, json_get(progress.stay, "cause"));
        return outcome_attention(task, true, err);
    }
    if (operation->set != NULL && !operation->set(task, err))
        return outcome_attention(task, false, err);

    if (progress.committed && !progress.aborted)
        return go_forward(operation, task, progress.opening, err);
    return recover_backward(operation, task, &progress, err);
}
