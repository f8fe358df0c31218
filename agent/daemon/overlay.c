#include "overlay.h"

#include <string.h>

#include "daemon.h"
#include "instance.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "method.h"
#include "process.h"
#include "request.h"

#define RESTART_STATUS "RESTART_REQUIRED"
#define RESTART_REASON "restart_required"

static bool is_method(const struct request *request, const char *name)
{
    return strcmp(request->method->name, name) == 0;
}

static void add_last_job(struct daemon *daemon, const char *name, struct json_object *row)
{
    const struct job *job = jobs_newest_of(daemon, name);
    struct json_object *last = NULL;

    if (job == NULL)
        return;
    last = json_add_object(row, "last_job");
    json_add_string(last, "job", job->id);
    json_add_string(last, "method", job->method_name);
    json_add_string(last, "state", job_state_word(job));
    json_add_string(last, "outcome", job->outcome);
    json_add_double(last, "age_s", process_time_s() - job->asked_at);
}

/* What waits for a restart waits for it still; all else is what the job has brought about. */
static void keep_attention(struct json_object *row)
{
    struct json_object *attention = json_get(row, "attention");
    size_t count =
        json_object_is_type(attention, json_type_array) ? json_object_array_length(attention) : 0;
    struct json_object *kept = json_object_new_array();

    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(attention, i);
        const char *reason = json_get_string(item, "reason");

        if (reason != NULL && strcmp(reason, RESTART_REASON) == 0)
            json_object_array_add(kept, json_object_get(item));
    }
    json_add(row, "attention", kept);
}

/* A worker sees an engine that is closed, or gone; the job that holds it knows why. */
static void overlay_status(struct daemon *daemon, const char *name, struct json_object *row)
{
    const struct instance *instance = instances_find(daemon, name);
    const char *status = jobs_status_of(daemon, name);
    const char *seen = json_get_string(row, "status");

    if (jobs_hold_service(daemon, name)) {
        keep_attention(row);
        if (status == NULL && instance != NULL &&
            (seen == NULL || strcmp(seen, RESTART_STATUS) != 0))
            status = instance_status(instance);
    }
    if (status != NULL)
        json_add_string(row, "status", status);
}

static void overlay_row(struct daemon *daemon, struct json_object *row)
{
    const char *name = json_get_string(row, "instance");

    if (name == NULL)
        return;
    overlay_status(daemon, name, row);
    add_last_job(daemon, name, row);
}

bool overlay_changes(const struct request *request)
{
    return is_method(request, "instance.show") || is_method(request, "instance.list");
}

void overlay_result(const struct request *request, struct json_object *result)
{
    struct json_object *rows = json_get(result, "instances");

    if (is_method(request, "instance.show"))
        overlay_row(request->daemon, result);
    if (!is_method(request, "instance.list") || rows == NULL)
        return;
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        overlay_row(request->daemon, json_object_array_get_idx(rows, i));
}

static struct json_object *new_row(const struct job *job)
{
    struct json_object *row = json_object_new_object();
    struct json_object *params = job->run->params;

    json_add_string(row, "instance", job->instance);
    json_add_string(row, "datastore", job->datastore);
    json_add_string(row, "version", json_get_string(params, "version"));
    json_add_string(row, "status", job->state == JOB_QUEUED ? "NEW" : "BUILD");
    json_add(row, "up_s", NULL);
    json_add(row, "port", json_object_get(json_get(params, "port")));
    json_add(row, "attention", json_object_new_array());
    return row;
}

static bool has_row(struct json_object *rows, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        const char *there = json_get_string(json_object_array_get_idx(rows, i), "instance");
        if (there != NULL && strcmp(there, name) == 0)
            return true;
    }
    return false;
}

void overlay_new_rows(const struct request *request, struct json_object *rows)
{
    struct daemon *daemon = request->daemon;
    const char *datastore = json_get_string(request->params, "datastore");
    const char *marker = json_get_string(request->params, "marker");

    for (size_t i = 0; i < jobs_count(daemon); i++) {
        const struct job *job = jobs_at(daemon, i);

        if (job->state == JOB_ENDED || job->instance == NULL || job->datastore == NULL ||
            jobs_makes_instance(daemon, job->instance) == NULL || has_row(rows, job->instance))
            continue;
        if ((datastore != NULL && strcmp(datastore, job->datastore) != 0) ||
            (marker != NULL && strcmp(job->instance, marker) <= 0))
            continue;
        json_object_array_add(rows, new_row(job));
    }
}

bool overlay_answers(struct request *request)
{
    const char *name = json_get_string(request->params, "instance");

    if (!is_method(request, "instance.show") || instances_find(request->daemon, name) != NULL)
        return false;
    for (size_t i = 0; i < jobs_count(request->daemon); i++) {
        const struct job *job = jobs_at(request->daemon, i);

        if (job->state == JOB_ENDED || job->instance == NULL || strcmp(job->instance, name) != 0 ||
            jobs_makes_instance(request->daemon, name) == NULL)
            continue;
        struct json_object *row = new_row(job);
        add_last_job(request->daemon, name, row);
        request_result(request, row);
        return true;
    }
    return false;
}
