#include "writing.h"

#include <stdlib.h>

#include "config.h"
#include "daemon.h"
#include "error.h"
#include "events.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "queue.h"
#include "request.h"
#include "run.h"
#include "store.h"
#include "wipe.h"

static void write_on_pool(void *context)
{
    struct writing *writing = context;
    const struct site *site = &writing->job->daemon->config->site;

    if (writing->reserve > 0 && !store_write_last(site, writing->reserve, &writing->err))
        return;
    const struct store_job job = { .id = writing->job->id,
                                   .request = writing->request,
                                   .secrets = writing->secrets,
                                   .started = writing->started };
    store_accept(site, &job, &writing->err);
}

static void writing_free(struct writing *writing)
{
    wipe_text(writing->secrets);
    free(writing->request);
    error_clear(&writing->err);
    free(writing);
}

/* It could not be written: it never was, for anybody who waits. */
static void forget(struct writing *writing)
{
    struct job *job = writing->job;
    autoptr(json_object) end = json_object_new_object();

    log_error("%s %s: %s", job->id, job->method_name, writing->err.message);
    json_add(end, "error", error_to_json(&writing->err));
    job->outcome = xstrdup(error_word(writing->err.reason));
    job->state = JOB_ENDED;
    job_answer(job, end);
    if (writing->detached != NULL)
        request_error(writing->detached, &writing->err, NULL);
    struct daemon *daemon = job->daemon;
    jobs_drop(job);
    queue_run(daemon);
}

static void write_on_done(void *context)
{
    struct writing *writing = context;
    struct job *job = writing->job;

    job->pending--;
    if (writing->err.reason != ERROR_NONE) {
        forget(writing);
        writing_free(writing);
        return;
    }
    job->run->durable = true;
    events_job(job, "accepted");
    /* The answer comes last: whoever has it may count on the worker. */
    if (writing->started)
        run_spawn(job);
    else
        jobs_watch_deadlines(job->daemon);
    if (writing->detached != NULL)
        request_result(writing->detached, job_brief(job));
    if (!writing->started)
        queue_run(job->daemon);
    if (job->run != NULL && job->run->cancel)
        run_cancel(job);
    writing_free(writing);
}

/* waits: whether it would have, had it been allowed to. */

void writing_start(struct writing *writing)
{
    writing->job->pending++;
    work_queue(writing->job->daemon, write_on_pool, write_on_done, writing);
}
