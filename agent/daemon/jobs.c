#include "jobs.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "events.h"
#include "forget.h"
#include "instance.h"
#include "job.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "queue.h"
#include "rows.h"
#include "settle.h"
#include "table.h"

struct job *jobs_find(const struct daemon *daemon, const char *id)
{
    for (size_t i = jobs_count(daemon); i > 0; i--)
        if (strcmp(jobs_at(daemon, i - 1)->id, id) == 0)
            return jobs_at(daemon, i - 1);
    return NULL;
}

static bool frees_key(const struct job *job)
{
    return job->state == JOB_ENDED && !job->attention && job->outcome != NULL &&
           error_retryable(error_from_word(job->outcome));
}

struct job *jobs_of_key(const struct daemon *daemon, uid_t uid, const char *key)
{
    for (size_t i = jobs_count(daemon); i > 0; i--) {
        struct job *job = jobs_at(daemon, i - 1);

        if (job->key != NULL && job->uid == uid && strcmp(job->key, key) == 0)
            return frees_key(job) ? NULL : job;
    }
    return NULL;
}

struct job *jobs_newest_of(const struct daemon *daemon, const char *instance)
{
    for (size_t i = jobs_count(daemon); i > 0; i--)
        if (job_is_of(jobs_at(daemon, i - 1), instance))
            return jobs_at(daemon, i - 1);
    return NULL;
}

static bool makes_instance(const struct job *job)
{
    return job->method != NULL && job->method->status != NULL &&
           strcmp(job->method->status, "BUILD") == 0;
}

const char *jobs_makes_instance(const struct daemon *daemon, const char *instance)
{
    for (size_t i = 0; i < jobs_count(daemon); i++) {
        const struct job *job = jobs_at(daemon, i);

        if (job->state != JOB_ENDED && makes_instance(job) && job_is_of(job, instance))
            return job->datastore;
    }
    return NULL;
}

static bool runs(const struct job *job)
{
    return job->state == JOB_RUNNING || job->state == JOB_RECOVERING;
}

/* instance.recover has no locks in the table: it takes those of the jobs that it may finish. */
static bool wants_service(const struct job *job)
{
    return job->method == NULL || job->method->locks == 0 ||
           (job->method->locks & LOCK_X(LOCK_SERVICE)) == LOCK_X(LOCK_SERVICE);
}

bool jobs_at_service(const struct daemon *daemon, const char *instance)
{
    for (size_t i = 0; i < jobs_count(daemon); i++) {
        const struct job *job = jobs_at(daemon, i);

        if (job->state != JOB_ENDED && job_is_of(job, instance) && wants_service(job))
            return true;
    }
    return false;
}

bool jobs_hold_service(const struct daemon *daemon, const char *instance)
{
    for (size_t i = 0; i < jobs_count(daemon); i++) {
        const struct job *job = jobs_at(daemon, i);

        if (runs(job) && job_is_of(job, instance) && wants_service(job))
            return true;
    }
    return false;
}

const char *jobs_status_of(const struct daemon *daemon, const char *instance)
{
    for (size_t i = 0; i < jobs_count(daemon); i++) {
        const struct job *job = jobs_at(daemon, i);

        if (runs(job) && job_is_of(job, instance) && job->method != NULL &&
            job->method->status != NULL)
            return job->method->status;
    }
    return NULL;
}

void jobs_began(struct job *job)
{
    events_job(job, "started");
    if (job->instance != NULL)
        instance_job_began(job->daemon, job->instance);
    job_tell(job, NULL, false);
}

/* An instance's recovery may have finished what needed attention; its end has. */
static void look_at_attention(const struct job *recovery)
{
    struct daemon *daemon = recovery->daemon;

    if (strcmp(recovery->method_name, "instance.recover") != 0 &&
        strcmp(recovery->method_name, "instance.delete") != 0)
        return;
    for (size_t i = 0; i < jobs_count(daemon); i++) {
        struct job *job = jobs_at(daemon, i);

        if (job->attention && job_is_of(job, recovery->instance))
            settle(job);
    }
}

static void keep_outcome(struct job *job, struct json_object *end)
{
    const char *outcome = json_get_string(end, "outcome");
    double ended_at = rows_time_of(json_get_string(end, "ended_at"));

    free(job->outcome);
    free(job->note);
    job->outcome = xstrdup(outcome != NULL ? outcome : "internal");
    job->note = rows_note(end);
    job->ended_at = ended_at > 0 ? ended_at : process_time_s();
    job->ended_running_s = clock_running_s();
    job->took_s = -1;
    if (job->started_clock_s > 0)
        job->took_s = process_clock_s() - job->started_clock_s;
    else if (job->started_at > 0)
        job->took_s = job->ended_at - job->started_at;
}

void jobs_ended(struct job *job, struct json_object *end)
{
    struct daemon *daemon = job->daemon;
    bool again = job->state == JOB_ENDED; /* it had needed attention */

    keep_outcome(job, end);
    if (again) {
        job->attention = false;
        json_object_put(job->end);
        job->end = NULL;
    }
    job->state = JOB_ENDED;
    if (!again)
        job_answer(job, end);
    events_job(job, "ended");
    job_leave(job);
    look_at_attention(job);
    settle_awaiting(job);
    if (job->instance != NULL)
        instance_job_ended(daemon, job->instance);
    queue_run(daemon);
    forget_old_jobs(daemon);
}

static void jobs_on_deadline(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    double now = process_clock_s();

    for (size_t i = 0; i < jobs_count(daemon); i++) {
        struct job *job = jobs_at(daemon, i);
        struct error err = { 0 };

        if (job->state != JOB_QUEUED || job->run == NULL || !job->run->durable ||
            job->run->deadline_s <= 0 ||
            now < job->run->accepted_clock_s + (double)job->run->deadline_s)
            continue;
        error_set(&err, ERROR_DEADLINE, "the deadline passed while %s waited its turn", job->id);
        settle_refused(job, &err);
    }
    queue_run(daemon);
    jobs_watch_deadlines(daemon);
}

void jobs_watch_deadlines(struct daemon *daemon)
{
    uv_timer_t *timer = table_timer(daemon);
    double first = 0;

    for (size_t i = 0; i < jobs_count(daemon); i++) {
        const struct job *job = jobs_at(daemon, i);

        if (job->state != JOB_QUEUED || job->run == NULL || job->run->deadline_s <= 0)
            continue;
        double at = job->run->accepted_clock_s + (double)job->run->deadline_s;
        if (first == 0 || at < first)
            first = at;
    }
    uv_timer_stop(timer);
    if (first == 0)
        return;
    double left_s = first - process_clock_s();
    timer->data = daemon;
    uv_timer_start(timer, jobs_on_deadline, left_s > 0 ? (uint64_t)(left_s * 1000) + 1 : 1, 0);
}
