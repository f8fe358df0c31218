#include "ended.h"

#include <stdlib.h>

#include "config.h"
#include "daemon.h"
#include "error.h"
#include "job.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "request.h"
#include "store.h"

struct reading {
    struct job *job;
    struct request *request;
    void (*then)(struct job *job, struct request *request, struct json_object *end);
    char *path;
    struct json_object *end;
};

static void read_on_pool(void *context)
{
    struct reading *reading = context;
    struct error err = { 0 };

    reading->end = json_read_file(reading->path, &err);
    if (reading->end == NULL)
        log_error("%s", err.message);
    error_clear(&err);
}

static void read_on_done(void *context)
{
    struct reading *reading = context;
    autoptr(json_object) end = reading->end != NULL ? reading->end : json_object_new_object();

    reading->then(reading->job, reading->request, end);
    reading->job->pending--;
    free(reading->path);
    free(reading);
}

void ended_read(struct job *job, struct request *request,
                void (*then)(struct job *job, struct request *request, struct json_object *end))
{
    if (job->state != JOB_ENDED || job->end != NULL) {
        autoptr(json_object) end =
            job->end != NULL ? json_object_get(job->end) : json_object_new_object();

        then(job, request, end);
        return;
    }
    struct reading *reading = xcalloc(1, sizeof(*reading));
    autofree char *folder = store_done_folder(&job->daemon->config->site, job->id);
    *reading = (struct reading){ .job = job, .request = request, .then = then };
    reading->path = xasprintf("%s/result", folder);
    job->pending++;
    work_queue(job->daemon, read_on_pool, read_on_done, reading);
}

static void answer_again(struct job *job, struct request *request, struct json_object *end)
{
    job_answer_call(job, request, end, NULL);
}

void ended_join(struct job *job, struct request *request, bool detach)
{
    if (detach)
        request_result(request, job_brief(job));
    else if (job->state != JOB_ENDED)
        job_add_waiter(job, request, WAITER_CALL);
    else
        ended_read(job, request, answer_again);
}
