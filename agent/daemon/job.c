#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "error.h"
#include "follow.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "queue.h"
#include "request.h"
#include "rows.h"
#include "watch.h"

#define TELL_EVERY_S 0.1

static const char *const state_words[] = {
    [JOB_QUEUED] = "queued",
    [JOB_RUNNING] = "running",
    [JOB_RECOVERING] = "recovering",
    [JOB_ENDED] = "ended",
};

const char *job_state_word(const struct job *job)
{
    return state_words[job->state];
}

bool job_is_of(const struct job *job, const char *instance)
{
    return job->instance != NULL && instance != NULL && strcmp(job->instance, instance) == 0;
}

static char *copy_member(struct json_object *object, const char *name)
{
    return xstrdup(json_get_string(object, name));
}

static bool is_immediate(struct json_object *request)
{
    const char *method = json_get_string(request, "method");
    const char *mode = json_get_string(json_get(request, "params"), "mode");

    return method != NULL && strcmp(method, "instance.stop") == 0 && mode != NULL &&
           strcmp(mode, "immediate") == 0;
}

static struct run *run_new(struct json_object *request)
{
    struct run *run = xcalloc(1, sizeof(*run));

    queue_read_locks(json_get(request, "locks"), &run->locks);
    run->program = copy_member(request, "program");
    run->accepted_clock_s = json_get_double(request, "accepted_clock_s");
    run->deadline_s = json_get_int(request, "deadline_s");
    run->has_secrets = json_get_bool(request, "has_secrets");
    run->immediate = is_immediate(request);
    run->steps = json_object_new_array();
    return run;
}

struct job *job_new(struct daemon *daemon, int64_t number, struct json_object *request,
                    bool with_run)
{
    autoptr(json_object) owned = request;
    struct job *job = xcalloc(1, sizeof(*job));
    struct json_object *params = json_get(owned, "params");

    job->daemon = daemon;
    job->number = number;
    snprintf(job->id, sizeof(job->id), "j%lld", (long long)number);
    job->state = JOB_QUEUED;
    job->method_name = copy_member(owned, "method");
    if (job->method_name == NULL)
        job->method_name = xstrdup("unknown");
    job->method = method_find(job->method_name);
    job->object = copy_member(owned, "object");
    job->instance = copy_member(params, "instance");
    job->datastore = copy_member(owned, "datastore");
    job->asked_by = copy_member(owned, "asked_by");
    job->asked_at = rows_time_of(json_get_string(owned, "asked_at"));
    job->uid = (uid_t)json_get_int(owned, "uid");
    job->key = copy_member(owned, "key");
    job->params_hash = copy_member(owned, "params_hash");
    job->run = with_run ? run_new(owned) : NULL;
    if (with_run && job->method != NULL && job->method->status != NULL)
        job->run->params = json_object_get(params);
    return job;
}

static void run_free(struct run *run)
{
    if (run == NULL)
        return;
    watch_stop(run->watch);
    follow_stop(run->follower);
    if (run->made_password != NULL)
        explicit_bzero(run->made_password, strlen(run->made_password));
    free(run->made_password);
    json_object_put(run->params);
    json_object_put(run->steps);
    json_object_put(run->about);
    json_object_put(run->waiting_for);
    free(run->program);
    free(run->folder);
    free(run->step);
    free(run->recovered_at);
    free(run);
}

void job_leave(struct job *job)
{
    run_free(job->run);
    job->run = NULL;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    run_free(job->run);
    free(job->method_name);
    free(job->object);
    free(job->instance);
    free(job->datastore);
    free(job->asked_by);
    free(job->key);
    free(job->params_hash);
    free(job->outcome);
    free(job->note);
    json_object_put(job->end);
    free(job);
}

static void waiter_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Out of its job's list, and away; its request is somebody else's from now on. */
static void waiter_free(struct waiter *waiter)
{
    struct waiter **link = &waiter->job->run->waiters;

    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    waiter->request->gone = NULL;
    uv_close((uv_handle_t *)&waiter->timer, waiter_on_closed);
}

static void waiter_on_gone(struct request *request)
{
    waiter_free(request->context);
    request_drop(request);
}

static void waiter_on_deadline(uv_timer_t *timer)
{
    struct waiter *waiter = timer->data;
    struct job *job = waiter->job;
    struct request *request = waiter->request;
    struct error err = { 0 };

    error_set(&err, ERROR_DEADLINE, "%s has not ended yet", job->id);
    error_hint(&err, "it goes on: dbguestctl job show %s", job->id);
    waiter_free(waiter);
    request_error(request, &err, job->id);
}

void job_add_waiter(struct job *job, struct request *request, enum waiter_kind kind)
{
    struct waiter *waiter = xcalloc(1, sizeof(*waiter));
    int64_t deadline_s = json_get_int(request->params, "deadline_s");

    waiter->job = job;
    waiter->request = request;
    waiter->kind = kind;
    waiter->next = job->run->waiters;
    job->run->waiters = waiter;
    request->context = waiter;
    request->gone = waiter_on_gone;
    uv_timer_init(job->daemon->loop, &waiter->timer);
    waiter->timer.data = waiter;
    /* A call's deadline is the job's own. */
    if (kind != WAITER_CALL && deadline_s > 0)
        uv_timer_start(&waiter->timer, waiter_on_deadline, (uint64_t)deadline_s * 1000, 0);
}

struct json_object *job_brief(const struct job *job)
{
    struct json_object *brief = json_object_new_object();

    json_add_string(brief, "job", job->id);
    json_add_string(brief, "state", job_state_word(job));
    return brief;
}

/* "job" first, as the screens have it. */
static struct json_object *with_job(const struct job *job, struct json_object *result)
{
    struct json_object *out = json_object_new_object();

    json_add_string(out, "job", job->id);
    if (!json_object_is_type(result, json_type_object))
        return out;
    struct json_object_iter member;
    json_object_object_foreachC (result, member)
        if (strcmp(member.key, "job") != 0)
            json_add(out, member.key, json_object_get(member.val));
    return out;
}

void job_answer_call(struct job *job, struct request *request, struct json_object *end,
                     const char *made_password)
{
    struct json_object *error = json_get(end, "error");
    struct error err = { 0 };

    if (error != NULL) {
        error_from_json(&err, error);
        request_error(request, &err, job->id);
        return;
    }
    struct json_object *result = with_job(job, json_get(end, "result"));
    if (made_password != NULL)
        json_add_string(result, "password", made_password);
    request_result(request, result);
}

static void answer_cancel(struct job *job, struct request *request, struct json_object *row)
{
    struct error err = { 0 };

    if (strcmp(job->outcome, "cancelled") == 0 || strcmp(job->outcome, "rolled_back") == 0) {
        request_result(request, json_object_get(row));
        return;
    }
    error_set(&err, ERROR_BUSY, "it was too late to cancel %s: it ended %s", job->id, job->outcome);
    request_error(request, &err, job->id);
}

void job_answer(struct job *job, struct json_object *end)
{
    autoptr(json_object) row = rows_of(job, end);

    while (job->run->waiters != NULL) {
        struct waiter *waiter = job->run->waiters;
        struct request *request = waiter->request;
        enum waiter_kind kind = waiter->kind;

        waiter_free(waiter);
        if (kind == WAITER_CALL)
            job_answer_call(job, request, end, job->run->made_password);
        else if (kind == WAITER_CANCEL)
            answer_cancel(job, request, row);
        else
            request_result(request, json_object_get(row));
    }
}

static struct json_object *progress_of(const struct job *job, const struct request *request,
                                       struct json_object *finished)
{
    struct json_object *params = json_object_new_object();
    const struct run *run = job->run;
    double now = process_clock_s();

    json_add_string(params, "job", job->id);
    /* Printed as it is: an id is never read as a number. */
    json_add(params, "id", json_object_new_double_s(0, request->id));
    json_add_string(params, "state", job_state_word(job));
    if (job->state == JOB_QUEUED) {
        json_add_int(params, "position", run->position);
        json_add(params, "waiting_for", json_copy(run->waiting_for));
        return params;
    }
    if (run->about != NULL)
        json_add(params, "about", json_object_get(run->about));
    json_add_string(params, "step", run->step);
    json_add_int(params, "step_number", run->number);
    json_add_int(params, "step_count", run->count);
    json_add(params, "done_bytes",
             run->done_bytes > 0 ? json_object_new_int64(run->done_bytes) : NULL);
    json_add(params, "total_bytes",
             run->total_bytes > 0 ? json_object_new_int64(run->total_bytes) : NULL);
    json_add_double(params, "elapsed_s", now - job->started_clock_s);
    rows_add_left(params, run);
    if (finished != NULL)
        json_add(params, "finished", json_object_get(finished));
    return params;
}

void job_tell(struct job *job, struct json_object *finished, bool often)
{
    double now = process_clock_s();

    for (struct waiter *waiter = job->run->waiters; waiter != NULL; waiter = waiter->next) {
        if (waiter->request->id == NULL || (often && now - waiter->told_at < TELL_EVERY_S))
            continue;
        waiter->told_at = now;
        request_progress(waiter->request, progress_of(job, waiter->request, finished));
    }
}
