#include "agent.h"

#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "ended.h"
#include "error.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "request.h"
#include "rows.h"
#include "run.h"
#include "text.h"

static bool is_wanted(const struct job *job, struct json_object *params)
{
    const char *instance = json_get_string(params, "instance");
    const char *state = json_get_string(params, "state");
    const char *method = json_get_string(params, "method");

    return (instance == NULL || (job->instance != NULL && strcmp(job->instance, instance) == 0)) &&
           (state == NULL || strcmp(job_state_word(job), state) == 0) &&
           (method == NULL || strcmp(job->method_name, method) == 0);
}

static int64_t marker_of(struct json_object *params)
{
    const char *marker = json_get_string(params, "marker");

    return marker != NULL && marker[0] == 'j' ? strtoll(marker + 1, NULL, 10) : INT64_MAX;
}

/* The newest first; marker is the last one seen. */
static void list_on_all(void *context)
{
    struct request *request = context;
    struct json_object *result = json_object_new_object();
    struct json_object *rows = json_add_array(result, "jobs");
    size_t limit = (size_t)json_get_int(request->params, "limit");
    int64_t marker = marker_of(request->params);
    const char *last = NULL;
    bool more = false;

    for (size_t i = jobs_count(request->daemon); i > 0 && !more; i--) {
        const struct job *job = jobs_at(request->daemon, i - 1);

        if (job->number >= marker || !is_wanted(job, request->params))
            continue;
        more = json_object_array_length(rows) == limit;
        if (more)
            break;
        json_object_array_add(rows, rows_brief(job));
        last = job->id;
    }
    json_add_string(result, "next_marker", more ? last : NULL);
    request_result(request, result);
}

void agent_job_list(struct request *request)
{
    jobs_need_all(request->daemon, list_on_all, request);
}

/* The job that the request names; NULL when it was answered with not_found. */
static struct job *find(struct request *request)
{
    const char *id = json_get_string(request->params, "job");
    struct job *job = jobs_find(request->daemon, id);
    struct error err = { 0 };

    if (job != NULL)
        return job;
    error_set(&err, ERROR_NOT_FOUND, "job '%s' does not exist, or is kept no more", id);
    error_hint(&err, "dbguestctl job list");
    request_error(request, &err, NULL);
    return NULL;
}

static void answer_row(struct job *job, struct request *request, struct json_object *end)
{
    request_result(request, rows_of(job, end));
}

static void show_on_all(void *context)
{
    struct request *request = context;
    struct job *job = find(request);

    if (job != NULL)
        ended_read(job, request, answer_row);
}

void agent_job_show(struct request *request)
{
    jobs_need_all(request->daemon, show_on_all, request);
}

static void answer_report(struct job *job, struct request *request, struct json_object *end)
{
    struct json_object *result = json_object_new_object();
    autotext struct text text = { 0 };

    rows_report(job, end, &text);
    json_add_string(result, "job", job->id);
    json_add_string(result, "text", text.bytes);
    request_result(request, result);
}

static void report_on_all(void *context)
{
    struct request *request = context;
    struct job *job = find(request);

    if (job != NULL)
        ended_read(job, request, answer_report);
}

void agent_job_report(struct request *request)
{
    jobs_need_all(request->daemon, report_on_all, request);
}

static void wait_on_all(void *context)
{
    struct request *request = context;
    struct job *job = find(request);

    if (job == NULL)
        return;
    if (job->state == JOB_ENDED) {
        ended_read(job, request, answer_row);
        return;
    }
    job_add_waiter(job, request, WAITER_JOB);
    job_tell(job, NULL, false);
}

void agent_job_wait(struct request *request)
{
    jobs_need_all(request->daemon, wait_on_all, request);
}

static void cancel_on_all(void *context)
{
    struct request *request = context;
    struct job *job = find(request);
    struct error err = { 0 };

    if (job == NULL)
        return;
    if (job->state == JOB_ENDED) {
        error_set(&err, ERROR_BUSY, "%s has ended already: %s", job->id, job->outcome);
        request_error(request, &err, job->id);
        return;
    }
    job_add_waiter(job, request, WAITER_CANCEL);
    if (job->run->durable)
        run_cancel(job);
    else
        job->run->cancel = true;
}

void agent_job_cancel(struct request *request)
{
    jobs_need_all(request->daemon, cancel_on_all, request);
}
