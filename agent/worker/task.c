#include "task.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "journal.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "state.h"

#define PROGRESS_EVERY_S 0.1
#define LOOK_EVERY_S 0.05

bool task_keep_facts(struct task *task, struct json_object *facts, struct error *err)
{
    struct json_object *record = json_object_new_object();
    struct json_object_iter fact;

    json_add(record, "facts", facts);
    json_object_object_foreachC (facts, fact) {
        json_add(task->state->facts, fact.key, json_copy(fact.val));
    }
    if (task->journal == NULL) {
        json_object_put(record);
        return true;
    }
    return journal_write(task->journal, record, true, err);
}

bool task_keep_fact(struct task *task, const char *name, struct json_object *value,
                    struct error *err)
{
    struct json_object *facts = json_object_new_object();

    json_add(facts, name, value);
    return task_keep_facts(task, facts, err);
}

bool task_keep_text(struct task *task, const char *name, const char *value, struct error *err)
{
    return task_keep_fact(task, name, value == NULL ? NULL : json_object_new_string(value), err);
}

void task_read_facts(struct task *task)
{
    struct json_object *records = journal_records(task->journal);

    for (size_t i = 0; i < json_object_array_length(records); i++) {
        struct json_object *facts = json_get(json_object_array_get_idx(records, i), "facts");
        struct json_object_iter fact;

        if (facts == NULL)
            continue;
        json_object_object_foreachC (facts, fact)
            json_add(task->state->facts, fact.key, json_copy(fact.val));
    }
}

struct json_object *task_fact(struct task *task, const char *name)
{
    return json_get(task->state->facts, name);
}

const char *task_fact_text(struct task *task, const char *name)
{
    return json_get_string(task->state->facts, name);
}

void task_tell(struct task *task, struct json_object *event)
{
    autoptr(json_object) owned = event;

    if (task->state->events < 0)
        return;

    autofree char *line = xasprintf("%s\n", json_line(owned));
    size_t length = strlen(line);
    /* One write, so that readers see whole lines; a full disk may cut it: nobody needs it to live.
     */
    if (write(task->state->events, line, length) != (ssize_t)length)
        errno = 0;
}

static struct json_object *step_event(struct task *task, const char *state, bool undo)
{
    struct json_object *event = json_object_new_object();
    char stamp[32];

    process_stamp(stamp);
    json_add_string(event, "step", task->state->step);
    json_add_int(event, "number", (int64_t)task->state->number);
    json_add_int(event, "count", (int64_t)task->state->count);
    json_add_string(event, "state", state);
    json_add_bool(event, "undo", undo);
    json_add_string(event, "time", stamp);
    return event;
}

void task_step_begin(struct task *task, const char *name, size_t number, size_t count, bool undo)
{
    struct task_state *state = task->state;

    state->step = name;
    state->number = number;
    state->count = count;
    state->what[0] = '\0';
    state->told_at = 0;
    task_tell(task, step_event(task, "begin", undo));
}

void task_step_end(struct task *task, bool good, bool undo, double took_s, const char *started)
{
    struct task_state *state = task->state;
    struct json_object *event = step_event(task, good ? "done" : "failed", undo);
    struct json_object *row = json_object_new_object();

    json_add_double(event, "took_s", took_s);
    json_add_string(event, "what", state->what);
    task_tell(task, event);

    json_add_string(row, "step", state->step);
    json_add_string(row, "started", started);
    json_add_double(row, "took_s", took_s);
    json_add_string(row, "what", state->what);
    json_add_bool(row, "undone", undo);
    json_add_bool(row, "failed", !good);
    json_object_array_add(state->steps, row);
}

void task_progress(struct task *task, uint64_t done_bytes, uint64_t total_bytes)
{
    struct task_state *state = task->state;
    double now = process_clock_s();

    if (state->events < 0 || now - state->told_at < PROGRESS_EVERY_S)
        return;
    state->told_at = now;

    struct json_object *event = json_object_new_object();
    struct json_object *progress = json_add_object(event, "progress");
    json_add_string(progress, "step", state->step);
    json_add_int(progress, "number", (int64_t)state->number);
    json_add_int(progress, "count", (int64_t)state->count);
    json_add_int(progress, "done_bytes", (int64_t)done_bytes);
    if (total_bytes > 0)
        json_add_int(progress, "total_bytes", (int64_t)total_bytes);
    task_tell(task, event);
}

void task_what(struct task *task, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(task->state->what, sizeof(task->state->what), format, arguments);
    va_end(arguments);
}

void task_about(struct task *task, struct json_object *about)
{
    struct json_object *event = json_object_new_object();

    json_add(event, "about", about);
    task_tell(task, event);
}

bool task_goes_on(struct task *task, struct error *err)
{
    struct task_state *state = task->state;
    double now = process_clock_s();

    if (state->too_late || state->undoing || now - state->asked_at < LOOK_EVERY_S)
        return true;
    state->asked_at = now;

    if (state->ends_at > 0 && now > state->ends_at)
        return error_set(err, ERROR_DEADLINE, "the deadline passed in step %s",
                         state->step == NULL ? "start" : state->step);
    if (state->folder == NULL)
        return true;

    autofree char *cancel = xasprintf("%s/cancel", state->folder);
    if (file_exists(cancel))
        return error_set(err, ERROR_CANCELLED, "cancelled in step %s",
                         state->step == NULL ? "start" : state->step);
    return true;
}

bool task_tick(void *task, struct error *err)
{
    return task_goes_on(task, err);
}

void task_sleep_ms(struct task *task, int milliseconds)
{
    struct timespec pause = { milliseconds / 1000, (long)(milliseconds % 1000) * 1000000 };

    (void)task;
    nanosleep(&pause, NULL);
}

/* The engine's process has ended while it was awaited: its own last words say why. */
static bool engine_ended(struct task *task, struct error *err)
{
    autofree char *log = engine_log_since(task->engine, task->state->log_from, 8);

    error_clear(err);
    error_set(err, ERROR_ENGINE, "the engine of '%s' ended while it was starting",
              task->engine->instance);
    error_native(err, log);
    return error_hint(err, "its log: dbguestctl instance log %s", task->engine->instance);
}

bool task_await_engine(struct task *task, bool (*attempt)(struct task *task, struct error *err),
                       struct error *err)
{
    int pause_ms = 1;

    for (;;) {
        struct error failure = { 0 };
        struct process process;

        if (attempt(task, &failure)) {
            error_clear(&failure);
            return true;
        }
        error_clear(&failure);
        if (!engine_find(task->engine, &process))
            return engine_ended(task, err);
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, pause_ms);
        if (pause_ms < 20)
            pause_ms++;
    }
}
