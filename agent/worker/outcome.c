#include "outcome.h"

#include "cleanup.h"
#include "error.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "outage.h"
#include "state.h"

bool outcome_note(struct task *task, const char *kind, struct json_object *value, bool sync,
                  struct error *err)
{
    struct json_object *record = json_object_new_object();

    json_add(record, kind, value);
    return journal_write(task->journal, record, sync, err);
}

static bool end_with(struct task *task, struct json_object *end, struct error *err)
{
    json_add(end, "steps", json_copy(task->state->steps));
    if (outcome_note(task, "end", json_copy(end), true, err)) {
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
    return outcome_note(task, "end", end, true, err);
}

bool outcome_ok(struct task *task, struct error *err)
{
    struct json_object *end = json_object_new_object();

    json_add_string(end, "outcome", "ok");
    json_add(end, "result", json_copy(task->state->result));
    return end_with(task, end, err);
}

bool outcome_failed(struct task *task, struct error *err)
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

static bool note_attention(struct task *task, bool stay, const struct error *attention,
                           struct error *err)
{
    struct json_object *record = json_object_new_object();

    json_add(record, "attention", error_to_json(attention));
    if (stay)
        json_add_bool(record, "stay", true);
    return journal_write(task->journal, record, true, err);
}

bool outcome_attention(struct task *task, bool stay, struct error *err)
{
    struct error outer = { 0 };
    struct error failure = { 0 };
    const char *object = json_get_string(task->state->request, "object");

    error_set(&outer, ERROR_NEEDS_ATTENTION, "%s needs attention: %s", object, err->message);
    error_hint(
        &outer,
        "%s, then: dbguestctl instance recover %s     (steps so far: dbguestctl job show %s)",
        stay ? err->hint : "mend the cause", object, task->job);
    error_add(&outer, "cause", error_to_json(err));
    error_move(err, &outer);
    if (!journal_suspect(task->journal) && !note_attention(task, stay, err, &failure)) {
        log_error("cannot write down that attention is needed: %s", failure.message);
        error_clear(&failure);
    }
    log_error("%s", err->message);
    return false;
}

void outcome_rolled_back(struct task *task, struct error *err)
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
    if (outage_began(task))
        error_add(&outer, "outage_s", json_object_new_double(outage_s(task)));
    error_move(err, &outer);
}
