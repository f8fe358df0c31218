#include "run.h"

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
#include "queue.h"
#include "store.h"
#include "watch.h"

#define RECOVERIES_MAX 3
#define LOOK_AGAIN_S 0.2

/* What the pool's thread finds out about a job, and writes down when it has ended. */
struct settling {
    struct job *job;
    const struct site *site;
    char id[24];
    enum verdict verdict;
    struct process process;
    struct json_object *record; /* of the journal; then the whole end */
    struct json_object *more;   /* what the daemon adds to the end */
    struct error err;
    uv_timer_t timer;
};

static void settle(struct job *job);
static void recover(struct job *job, const char *why);

static void settling_free(struct settling *settling)
{
    settling->job->pending--;
    json_object_put(settling->record);
    json_object_put(settling->more);
    error_clear(&settling->err);
    free(settling);
}

/* What the journal does not say: when it began, who took over, and the steps if they were cut. */
static struct json_object *more_of(const struct job *job)
{
    struct json_object *more = json_object_new_object();
    char stamp[32];

    if (job->started_at > 0) {
        process_stamp_of(job->started_at, stamp);
        json_add_string(more, "started_at", stamp);
    }
    if (job->run != NULL) {
        json_add_string(more, "recovered_at", job->run->recovered_at);
        json_add(more, "steps", json_copy(job->run->steps));
    }
    return more;
}

static void add_missing(struct json_object *end, struct json_object *more)
{
    json_object_object_foreach (more, name, value)
        if (json_get(end, name) == NULL)
            json_add(end, name, json_object_get(value));
}

static void finish_on_pool(struct settling *settling)
{
    add_missing(settling->record, settling->more);
    if (!store_finish(settling->site, settling->id, settling->record, &settling->err))
        log_error("%s; it is in the journal, and tried again at the next start",
                  settling->err.message);
}

static void settle_on_pool(void *context)
{
    struct settling *settling = context;
    autofree char *folder = store_open_folder(settling->site, settling->id);

    settling->verdict = store_judge(folder, &settling->record, &settling->process);
    if (settling->verdict == VERDICT_ENDED)
        finish_on_pool(settling);
}

static void refuse_on_pool(void *context)
{
    finish_on_pool(context);
}

/* Needs attention: over for its callers, but its folder stays, and its instance closed. */
static void end_with_attention(struct job *job, struct json_object *error)
{
    autoptr(json_object) end = more_of(job);

    json_add_string(end, "outcome", "needs_attention");
    json_add(end, "error", json_object_get(error));
    job->attention = true;
    json_object_put(job->end);
    job->end = json_object_get(end);
    jobs_ended(job, end);
}

static void give_up(struct job *job)
{
    struct error err = { 0 };

    error_set(&err, ERROR_NEEDS_ATTENTION, "%s could not be recovered: its worker died %d times",
              job->id, job->run->recoveries);
    if (job->instance != NULL)
        error_hint(&err, "see its log, then: dbguestctl instance recover %s", job->instance);
    else
        error_hint(&err, "see its log; it is tried again when dbguestd starts");
    autoptr(json_object) error = error_to_json(&err);
    error_clear(&err);
    end_with_attention(job, error);
}

static void run_on_gone(void *context)
{
    struct job *job = context;

    job->run->watch = NULL;
    follow_read(job->run->follower);
    settle(job);
}

static void run_on_time_closed(uv_handle_t *handle)
{
    free(handle);
}

static void run_on_time(uv_timer_t *timer)
{
    struct job *job = timer->data;

    uv_close((uv_handle_t *)timer, run_on_time_closed);
    job->pending--;
    settle(job);
}

/* Looks again a little later. */
static void settle_later(struct job *job, double seconds)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));

    job->pending++;
    uv_timer_init(job->daemon->loop, timer);
    timer->data = job;
    uv_timer_start(timer, run_on_time, (uint64_t)(seconds * 1000), 0);
}

static void join(struct job *job, const struct process *process)
{
    struct run *run = job->run;

    if (run->watch != NULL)
        return;
    if (process->pid > 0)
        run->watch = watch_process(job->daemon, process, run_on_gone, job);
    if (run->watch == NULL)
        settle_later(job, LOOK_AGAIN_S);
    else
        log_info("%s goes on under process %d", job->id, process->pid);
}

/* Attention found at the start of a daemon may have been mended: that one is tried once more. */
static bool needs_person(const struct job *job, const struct settling *settling)
{
    return settling->verdict == VERDICT_ATTENTION &&
           (job->run->recoveries > 0 || !job->run->resumed);
}

static void act_on(struct job *job, struct settling *settling)
{
    if (settling->verdict == VERDICT_ENDED)
        jobs_ended(job, settling->record);
    else if (job->attention)
        log_info("%s still needs attention", job->id);
    else if (settling->verdict == VERDICT_LIVES)
        join(job, &settling->process);
    else if (job->run->watch != NULL || job->run->spawning)
        return; /* somebody is at it again */
    else if (needs_person(job, settling))
        end_with_attention(job, settling->record);
    else if (job->run->recoveries >= RECOVERIES_MAX)
        give_up(job);
    else
        recover(job, "its worker is gone");
}

static void settle_on_done(void *context)
{
    struct settling *settling = context;
    struct job *job = settling->job;

    job->settling = false;
    act_on(job, settling);
    if (job->settle_again && job->state != JOB_ENDED)
        settle_later(job, LOOK_AGAIN_S);
    job->settle_again = false;
    settling_free(settling);
}

static struct settling *settling_new(struct job *job)
{
    struct settling *settling = xcalloc(1, sizeof(*settling));

    settling->job = job;
    settling->site = &job->daemon->config->site;
    memcpy(settling->id, job->id, sizeof(job->id));
    settling->more = more_of(job);
    job->pending++;
    return settling;
}

static void settle(struct job *job)
{
    if (job->state == JOB_ENDED && !job->attention)
        return;
    if (job->settling) {
        job->settle_again = true;
        return;
    }
    job->settling = true;
    work_queue(job->daemon, settle_on_pool, settle_on_done, settling_new(job));
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

/* A transient unit of its own, outside of our sandbox and our cgroup. */
static bool spawn_unit(struct job *job, const char *verb, struct error *err)
{
    autofree char *unit = xasprintf("--unit=%s-job-%s", job->daemon->config->site.name, job->id);
    const char *const argv[] = { "/usr/bin/systemd-run",
                                 "--quiet",
                                 "--collect",
                                 unit,
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

    job->run->watch = watch_spawn(job->daemon, argv, run_on_gone, job, err);
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

    uv_close((uv_handle_t *)timer, run_on_time_closed);
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

static void recover(struct job *job, const char *why)
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
    uv_timer_start(timer, run_on_recover, tries == 0 ? 0 : 500U << tries, 0);
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
    log_info("%s %s %s starts", job->id, job->method_name, job->object != NULL ? job->object : "-");
    jobs_began(job);
    spawn(job, "run");
}

static void start_on_pool(void *context)
{
    struct settling *settling = context;

    autofree char *folder = store_open_folder(settling->site, settling->id);

    store_started(folder, &settling->err);
}

static void start_on_done(void *context)
{
    struct settling *settling = context;
    struct job *job = settling->job;

    if (settling->err.reason == ERROR_NONE)
        run_spawn(job);
    else
        run_refuse(job, &settling->err);
    settling_free(settling);
}

void run_start(struct job *job)
{
    job->state = JOB_RUNNING;
    job->started_at = process_time_s();
    job->started_clock_s = process_clock_s();
    work_queue(job->daemon, start_on_pool, start_on_done, settling_new(job));
}

static void refuse_on_done(void *context)
{
    struct settling *settling = context;

    jobs_ended(settling->job, settling->record);
    settling_free(settling);
}

void run_refuse(struct job *job, struct error *err)
{
    struct settling *settling = settling_new(job);
    char stamp[32];

    process_stamp(stamp);
    settling->record = json_object_new_object();
    json_add_string(settling->record, "outcome", error_word(err->reason));
    json_add(settling->record, "error", error_to_json(err));
    json_add_string(settling->record, "ended_at", stamp);
    error_clear(err);
    /* From here on it neither starts nor is refused again. */
    job->state = JOB_RUNNING;
    work_queue(job->daemon, refuse_on_pool, refuse_on_done, settling);
}

static void cancel_on_pool(void *context)
{
    struct settling *settling = context;

    autofree char *folder = store_open_folder(settling->site, settling->id);

    /* It may have ended meanwhile. */
    if (file_exists(folder) && !store_cancel(folder, &settling->err))
        log_error("%s: %s", settling->id, settling->err.message);
}

static void cancel_on_done(void *context)
{
    settling_free(context);
}

void run_cancel(struct job *job)
{
    struct error err = { 0 };

    log_info("%s is to be cancelled", job->id);
    if (job->state == JOB_QUEUED) {
        error_set(&err, ERROR_CANCELLED, "%s was cancelled before it began", job->id);
        run_refuse(job, &err);
        queue_run(job->daemon);
        return;
    }
    work_queue(job->daemon, cancel_on_pool, cancel_on_done, settling_new(job));
}

void run_look_again(struct job *job)
{
    settle(job);
}
