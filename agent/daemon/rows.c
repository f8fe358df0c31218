#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "job.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "text.h"

double rows_time_of(const char *stamp)
{
    struct tm parts = { 0 };
    const char *rest = stamp != NULL ? strptime(stamp, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;

    if (rest == NULL)
        return 0;
    return (double)timegm(&parts) + (*rest == '.' ? strtod(rest, NULL) : 0);
}

static void add_time(struct json_object *row, const char *name, double time_s)
{
    char stamp[32];

    if (time_s > 0)
        process_stamp_of(time_s, stamp);
    json_add_string(row, name, time_s > 0 ? stamp : NULL);
}

static double left_s(const struct run *run)
{
    double past_s = process_clock_s() - run->step_clock_s;

    if (run->done_bytes <= 0 || run->total_bytes < run->done_bytes || past_s <= 0)
        return -1;
    return past_s * (double)(run->total_bytes - run->done_bytes) / (double)run->done_bytes;
}

void rows_add_left(struct json_object *object, const struct run *run)
{
    double seconds = left_s(run);

    if (seconds >= 0)
        json_add_double(object, "left_s", seconds);
    else
        json_add(object, "left_s", NULL);
}

static char *queued_note(const struct run *run)
{
    struct text note = { 0 };
    size_t count = run->waiting_for != NULL ? json_object_array_length(run->waiting_for) : 0;

    text_printf(&note, "place %lld", (long long)run->position);
    for (size_t i = 0; i < count; i++)
        text_printf(&note, "%s%s", i == 0 ? ", waits for " : " ",
                    json_object_get_string(json_object_array_get_idx(run->waiting_for, i)));
    return note.bytes;
}

static char *running_note(const struct run *run)
{
    struct text note = { 0 };
    double left = left_s(run);

    if (run->step == NULL)
        return NULL;
    text_printf(&note, "%lld/%lld %s", (long long)run->number, (long long)run->count, run->step);
    if (left >= 0 && run->total_bytes > 0)
        text_printf(&note, " %d %%, %.0f s left", (int)(run->done_bytes * 100 / run->total_bytes),
                    left);
    return note.bytes;
}

char *rows_note(struct json_object *end)
{
    struct json_object *result = json_get(end, "result");
    const char *from = json_get_string(result, "from_version");
    const char *version = json_get_string(result, "version");
    const char *backup = json_get_string(result, "backup");
    const char *message = json_get_string(json_get(end, "error"), "message");

    if (message != NULL)
        return xstrdup(message);
    if (json_get_string(end, "note") != NULL)
        return xstrdup(json_get_string(end, "note"));
    if (from != NULL && version != NULL)
        return xasprintf("%s -> %s", from, version);
    return xstrdup(backup != NULL ? backup : version);
}

static char *note_of(const struct job *job)
{
    if (job->run == NULL || job->state == JOB_ENDED)
        return xstrdup(job->note);
    return job->state == JOB_QUEUED ? queued_note(job->run) : running_note(job->run);
}

static double took_of(const struct job *job)
{
    if (job->state == JOB_ENDED)
        return job->took_s;
    return job->started_clock_s > 0 ? process_clock_s() - job->started_clock_s : -1;
}

struct json_object *rows_brief(const struct job *job)
{
    struct json_object *row = json_object_new_object();
    autofree char *note = note_of(job);
    double took_s = took_of(job);

    json_add_string(row, "job", job->id);
    json_add_string(row, "method", job->method_name);
    json_add_string(row, "object", job->object);
    json_add_string(row, "state", job_state_word(job));
    json_add_double(row, "age_s", process_time_s() - job->asked_at);
    if (took_s >= 0)
        json_add_double(row, "took_s", took_s);
    else
        json_add(row, "took_s", NULL);
    json_add_string(row, "note", note);
    json_add_string(row, "outcome", job->outcome);
    return row;
}

static void add_queue(struct json_object *row, const struct run *run)
{
    json_add_int(row, "position", run->position);
    json_add(row, "waiting_for", json_copy(run->waiting_for));
}

struct json_object *rows_of(const struct job *job, struct json_object *end)
{
    struct json_object *row = rows_brief(job);
    struct json_object *steps = json_get(end, "steps");
    const char *recovered_at = json_get_string(end, "recovered_at");

    if (job->run != NULL && job->state == JOB_QUEUED)
        add_queue(row, job->run);
    if (job->run != NULL && job->run->about != NULL)
        json_add(row, "about", json_object_get(job->run->about));
    if (steps == NULL && job->run != NULL)
        steps = job->run->steps;
    if (recovered_at == NULL && job->run != NULL)
        recovered_at = job->run->recovered_at;

    json_add(row, "steps", steps != NULL ? json_object_get(steps) : json_object_new_array());
    add_time(row, "asked_at", job->asked_at);
    json_add_string(row, "asked_by", job->asked_by);
    add_time(row, "started_at", job->started_at);
    add_time(row, "ended_at", job->ended_at);
    json_add_string(row, "recovered_at", recovered_at);
    json_add_string(row, "idempotency_key", job->key);
    if (json_get(end, "result") != NULL)
        json_add(row, "result", json_object_get(json_get(end, "result")));
    if (json_get(end, "error") != NULL)
        json_add(row, "error", json_object_get(json_get(end, "error")));
    return row;
}

static void report_step(struct json_object *step, struct text *out)
{
    const char *name = json_get_string(step, "step");
    const char *what = json_get_string(step, "what");

    autofree char *whole =
        xasprintf("%s%s", json_get_bool(step, "undone") ? "undo " : "", name != NULL ? name : "");
    text_printf(out, "  %-12s %7.2f s", whole, json_get_double(step, "took_s"));
    if (what != NULL && what[0] != '\0')
        text_printf(out, "  %s", what);
    text_add(out, "\n");
}

void rows_report(const struct job *job, struct json_object *end, struct text *out)
{
    const char *written = json_get_string(json_get(end, "result"), "report");
    struct json_object *steps = json_get(end, "steps");

    if (written == NULL)
        written = json_get_string(end, "report");
    if (written != NULL) {
        text_add(out, written);
        return;
    }
    if (steps == NULL && job->run != NULL)
        steps = job->run->steps;

    text_printf(out, "%s %s %s: %s\n", job->id, job->method_name,
                job->object != NULL ? job->object : "-",
                job->outcome != NULL ? job->outcome : job_state_word(job));
    size_t count = steps != NULL ? json_object_array_length(steps) : 0;
    for (size_t i = 0; i < count; i++)
        report_step(json_object_array_get_idx(steps, i), out);
    if (job->note != NULL)
        text_printf(out, "%s\n", job->note);
}
