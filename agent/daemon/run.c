#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "follow.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "method.h"
#include "queue.h"
#include "settle.h"
#include "store.h"
#include "watch.h"

#define FULL_WEIGHT 100 /* what systemd gives a unit that says nothing */
#define LOOK_AGAIN_S 0.2
#define RECOVER_PAUSE_MS 500U

/* A mark that the pool's thread makes in a job's folder. */
struct errand {
    struct job *job;
    const struct site *site;
    char id[24];
    char by[24]; /* of a hurry */
    struct error err;
};

static struct errand *errand_new(struct job *job)
{
    struct errand *errand = xcalloc(1, sizeof(*errand));

    errand->job = job;
    errand->site = &job->daemon->config->site;
    memcpy(errand->id, job->id, sizeof(job->id));
    job->pending++;
    return errand;
}

static void errand_free(struct errand *errand)
{
    errand->job->pending--;
    error_clear(&errand->err);
    free(errand);
}

static void run_on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void run_on_appeared(struct job *job)
{
    /* A worker that systemd started: it is ours to watch from now on. */
    if (job->run->watch == NULL && job->run->started)
        settle(job);
}

static void run_on_unit(void *context, const struct captured *captured)
{
    struct job *job = context;

    job->run->spawning = false;
    if (captured->status != 0)
        log_error("%s: systemd-run ended with status %d", job->id, captured->status);
    settle_later(job, LOOK_AGAIN_S);
}

/*
 * A transient unit of its own, outside of our sandbox and our cgroup. A machine that shuts down
 * ends us first, then the job, then its engine (C8).
 */
static bool spawn_unit(struct job *job, const char *verb, struct error *err)
{
    const char *name = job->daemon->config->site.name;
    autofree char *unit = xasprintf("--unit=%s-job-%s", name, job->id);
    autofree char *before = xasprintf("--property=Before=%sd.service", name);
    autofree char *after = job->instance != NULL
                               ? xasprintf("--property=After=%s@%s.service", name, job->instance)
                               : xstrdup("--property=After=network.target");
    autofree char *of_job = xasprintf("--property=LogExtraFields=DBGUEST_JOB=%s", job->id);
    autofree char *of_instance =
        job->instance != NULL
            ? xasprintf("--property=LogExtraFields=DBGUEST_INSTANCE=%s", job->instance)
            : xasprintf("--property=LogExtraFields=DBGUEST_METHOD=%s", job->method_name);
    bool gives_way = job->method != NULL && (job->method->flags & METHOD_GIVES_WAY) != 0;
    int weight = gives_way ? job->daemon->config->site.pull_weight : FULL_WEIGHT;
    autofree char *cpu = xasprintf("--property=CPUWeight=%d", weight);
    autofree char *io = xasprintf("--property=IOWeight=%d", weight);
    const char *const argv[] = { "/usr/bin/systemd-run",
                                 "--quiet",
                                 "--collect",
                                 unit,
                                 before,
                                 after,
                                 of_job,
                                 of_instance,
                                 cpu,
                                 io,
                                 "--property=Type=exec",
                                 "--property=KillMode=mixed",
                                 "--property=LimitCORE=0",
                                 "--property=TimeoutStopSec=10min",
                                 job->run->program,
                                 verb,
                                 job->run->folder,
                                 NULL };
    struct capture *capture = capture_start(job->daemon, argv, "", 60, err);

    if (capture == NULL)
        return false;
    job->run->spawning = true;
    capture_then(capture, true, run_on_unit, job);
    return true;
}

static bool spawn_detached(struct job *job, const char *verb, struct error *err)
{
    const char *const argv[] = { job->run->program, verb, job->run->folder, NULL };

    job->run->watch = watch_spawn(job->daemon, argv, settle_on_gone, job, err);
    return job->run->watch != NULL;
}

/* A failure to spawn is as good as a worker that died at once. */
static void spawn(struct job *job, const char *verb)
{
    struct error err = { 0 };
    bool systemd = job->daemon->config->site.supervisor == SUPERVISOR_SYSTEMD;

    if (job->run->follower == NULL)
        job->run->follower = follow_start(job, systemd ? run_on_appeared : NULL);
    bool good = systemd ? spawn_unit(job, verb, &err) : spawn_detached(job, verb, &err);
    if (good)
        return;
    log_error("%s: %s", job->id, err.message);
    error_clear(&err);
    settle_later(job, LOOK_AGAIN_S);
}

static void run_on_recover(uv_timer_t *timer)
{
    struct job *job = timer->data;

    uv_close((uv_handle_t *)timer, run_on_timer_closed);
    job->run->spawning = false;
    spawn(job, "recover");
}

static void note_recovery(struct job *job)
{
    char stamp[32];

    process_stamp(stamp);
    free(job->run->recovered_at);
    job->run->recovered_at = xstrdup(stamp);
}

void run_recover(struct job *job, const char *why)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));
    int tries = job->run->recoveries++;

    log_info("%s: %s; recovering", job->id, why);
    job->state = JOB_RECOVERING;
    job->run->spawning = true;
    note_recovery(job);
    job_tell(job, NULL, false);
    uv_timer_init(job->daemon->loop, timer);
    timer->data = job;
    uv_timer_start(timer, run_on_recover, tries == 0 ? 0 : RECOVER_PAUSE_MS << tries, 0);
}

void run_resume(struct job *job)
{
    job->state = JOB_RUNNING;
    job->run->started = true;
    job->run->resumed = true;
    job->started_clock_s = process_clock_s() - (process_time_s() - job->started_at);
    note_recovery(job);
    job->run->follower = follow_start(job, run_on_appeared);
    follow_read(job->run->follower);
    settle(job);
}

void run_spawn(struct job *job)
{
    job->run->started = true;
    jobs_began(job);
    spawn(job, "run");
}

static void start_on_pool(void *context)
{
    struct errand *errand = context;

    autofree char *folder = store_open_folder(errand->site, errand->id);

    store_started(folder, &errand->err);
}

static void start_on_done(void *context)
{
    struct errand *errand = context;
    struct job *job = errand->job;

    if (errand->err.reason == ERROR_NONE)
        run_spawn(job);
    else
        settle_refused(job, &errand->err);
    errand_free(errand);
}

void run_start(struct job *job)
{
    job->state = JOB_RUNNING;
    job->started_at = process_time_s();
    job->started_clock_s = process_clock_s();
    work_queue(job->daemon, start_on_pool, start_on_done, errand_new(job));
}

static void cancel_on_pool(void *context)
{
    struct errand *errand = context;

    autofree char *folder = store_open_folder(errand->site, errand->id);

    /* It may have ended meanwhile. */
    if (file_exists(folder) && !store_cancel(folder, &errand->err))
        log_error("%s: %s", errand->id, errand->err.message);
}

static void errand_on_done(void *context)
{
    errand_free(context);
}

void run_cancel(struct job *job)
{
    struct error err = { 0 };

    log_info("%s is to be cancelled", job->id);
    if (job->state == JOB_QUEUED) {
        error_set(&err, ERROR_CANCELLED, "%s was cancelled before it began", job->id);
        settle_refused(job, &err);
        queue_run(job->daemon);
        return;
    }
    work_queue(job->daemon, cancel_on_pool, errand_on_done, errand_new(job));
}

static void hurry_on_pool(void *context)
{
    struct errand *errand = context;

    autofree char *folder = store_open_folder(errand->site, errand->id);

    if (file_exists(folder) && !store_hurry(folder, errand->by, &errand->err))
        log_error("%s: %s", errand->id, errand->err.message);
}

void run_hurry(struct job *job, const char *by)
{
    struct errand *errand = errand_new(job);

    log_info("%s is to end its engine at once: %s waits for it", job->id, by);
    job->run->hurried = true;
    snprintf(errand->by, sizeof(errand->by), "%s", by);
    work_queue(job->daemon, hurry_on_pool, errand_on_done, errand);
}
