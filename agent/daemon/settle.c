#include "settle.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "follow.h"
#include "instance.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "log.h"
#include "look.h"
#include "memory.h"
#include "queue.h"
#include "run.h"
#include "store.h"
#include "watch.h"

#define RECOVERIES_MAX 3
#define LOOK_AGAIN_S 0.2
#define LOOKS_FOR_BIRTH 10

/* What the pool's thread finds out about a job, and writes down when it has ended. */
struct settling {
    struct job *job;
    const struct site *site;
    char id[24];
    enum verdict verdict;
    struct process process;
    struct json_object *record; /* of the journal; then the whole end */
    struct json_object *more;   /* what the daemon adds to the end */
    struct look look;           /* at its instance, if it has one */
    struct error err;           /* it could not be written */
};

static void settling_free(struct settling *settling)
{
    settling->job->pending--;
    json_object_put(settling->record);
    json_object_put(settling->more);
    look_done(&settling->look);
    error_clear(&settling->err);
    free(settling);
}

/* What the journal does not say: what its age counts from, when it began, who took over, and the
 * steps if they were cut. */
static struct json_object *more_of(const struct job *job)
{
    struct json_object *more = json_object_new_object();
    char stamp[32];

    json_add_double(more, "ended_running_s", clock_running_s());
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
    struct json_object_iter member;

    json_object_object_foreachC (more, member)
        if (json_get(end, member.key) == NULL)
            json_add(end, member.key, json_object_get(member.val));
}

static void finish_on_pool(struct settling *settling)
{
    add_missing(settling->record, settling->more);
    if (!store_finish(settling->site, settling->id, settling->record, &settling->err))
        log_error("%s; its journal is kept until the next start", settling->err.message);
}

static void settle_on_pool(void *context)
{
    struct settling *settling = context;
    autofree char *folder = store_open_folder(settling->site, settling->id);

    settling->verdict = store_judge(folder, &settling->record, &settling->process);
    if (settling->verdict == VERDICT_ENDED)
        finish_on_pool(settling);
    if (settling->look.name != NULL)
        look_at(settling->site->state_dir, &settling->look);
}

static void refuse_on_pool(void *context)
{
    finish_on_pool(context);
}

/* What the disk did not take is told from memory. */
static void end_with_outcome(struct job *job, struct settling *settling)
{
    jobs_ended(job, settling->record);
    if (settling->err.reason != ERROR_NONE)
        job->end = json_object_get(settling->record);
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

static void give_up_on_pool(void *context)
{
    struct settling *settling = context;
    autofree char *folder = store_open_folder(settling->site, settling->id);

    if (!store_attention(folder, settling->record, &settling->err))
        log_error("%s", settling->err.message);
}

static void give_up_on_done(void *context)
{
    struct settling *settling = context;

    settling->job->settling = false;
    end_with_attention(settling->job, settling->record);
    settling_free(settling);
}

/* On the disk first, so that whoever looks later knows it, too. */
static void give_up(struct job *job)
{
    struct settling *settling = settling_new(job);
    struct error err = { 0 };

    error_set(&err, ERROR_NEEDS_ATTENTION, "%s could not be recovered: its worker died %d times",
              job->id, job->run->recoveries);
    if (job->instance != NULL)
        error_hint(&err, "see its log, then: dbguestctl instance recover %s", job->instance);
    else
        error_hint(&err, "see its log; it is tried again when dbguestd starts");
    settling->record = error_to_json(&err);
    error_clear(&err);
    job->settling = true;
    work_queue(job->daemon, give_up_on_pool, give_up_on_done, settling);
}

void settle_on_gone(void *context)
{
    struct job *job = context;

    job->run->watch = NULL;
    follow_read(job->run->follower);
    settle(job);
}

static void settle_on_time_closed(uv_handle_t *handle)
{
    free(handle);
}

static void settle_on_time(uv_timer_t *timer)
{
    struct job *job = timer->data;

    uv_close((uv_handle_t *)timer, settle_on_time_closed);
    job->pending--;
    settle(job);
}

/* Looks again a little later. */
void settle_later(struct job *job, double seconds)
{
    uv_timer_t *timer = xcalloc(1, sizeof(*timer));

    job->pending++;
    uv_timer_init(job->daemon->loop, timer);
    timer->data = job;
    uv_timer_start(timer, settle_on_time, (uint64_t)(seconds * 1000), 0);
}

void settle_awaiting(const struct job *settled)
{
    for (size_t i = 0; i < jobs_count(settled->daemon); i++) {
        struct job *job = jobs_at(settled->daemon, i);

        if (job->run == NULL || !job->run->awaits || job == settled ||
            !job_is_of(job, settled->instance))
            continue;
        job->run->awaits = false;
        settle(job);
    }
}

/* A worker lives: ours to watch from now on, whoever started it (C7). */
static void join(struct job *job, const struct process *process)
{
    struct run *run = job->run;

    if (run->watch != NULL)
        return;
    if (process->pid > 0)
        run->watch = watch_process(job->daemon, process, settle_on_gone, job);
    if (run->watch == NULL) {
        settle_later(job, LOOK_AGAIN_S);
        return;
    }
    log_info("%s goes on under process %d", job->id, process->pid);
    settle_awaiting(job);
}

/*
 * Whether an earlier job of the same instance must be brought to its end first: a later one was
 * done upon what that one left. One whose living worker was never in its way keeps it from nothing.
 */
static bool must_wait(const struct job *job)
{
    for (size_t i = 0; i < jobs_count(job->daemon); i++) {
        const struct job *other = jobs_at(job->daemon, i);

        if (other->number >= job->number)
            break;
        if (other->state == JOB_ENDED || !other->run->started || !job_is_of(other, job->instance))
            continue;
        if (other->run->watch == NULL || other->state == JOB_RECOVERING || queue_meet(job, other))
            return true;
    }
    return false;
}

static void wait_for_earlier(struct job *job)
{
    job->state = JOB_RECOVERING;
    job->run->awaits = true;
}

/* Attention found at the start of a daemon may have been mended: that one is tried once more. */
static bool needs_person(const struct job *job, const struct settling *settling)
{
    return settling->verdict == VERDICT_ATTENTION &&
           (job->run->recoveries > 0 || !job->run->resumed);
}

/* The daemon before us died right after it had spawned: that worker may not have taken its lock
 * yet, and is joined when it has (C7). */
static bool may_be_starting(struct job *job, const struct settling *settling)
{
    return settling->verdict == VERDICT_UNBORN && job->run->resumed && job->run->recoveries == 0 &&
           job->run->looks++ < LOOKS_FOR_BIRTH;
}

static void act_on(struct job *job, struct settling *settling)
{
    if (settling->verdict == VERDICT_ENDED)
        end_with_outcome(job, settling);
    else if (job->attention)
        log_info("%s still needs attention", job->id);
    else if (settling->verdict == VERDICT_LIVES)
        join(job, &settling->process);
    else if (job->run->watch != NULL || job->run->spawning)
        return; /* somebody is at it again */
    else if (may_be_starting(job, settling))
        settle_later(job, LOOK_AGAIN_S);
    else if (needs_person(job, settling))
        end_with_attention(job, settling->record);
    else if (job->run->recoveries >= RECOVERIES_MAX)
        give_up(job);
    else if (must_wait(job))
        wait_for_earlier(job);
    else
        run_recover(job, "its worker is gone");
}

static void settle_on_done(void *context)
{
    struct settling *settling = context;
    struct job *job = settling->job;

    job->settling = false;
    /* Before anybody hears of the end: what the job made is there for his next call. */
    if (settling->look.name != NULL && settling->verdict != VERDICT_LIVES)
        instance_take(job->daemon, &settling->look);
    act_on(job, settling);
    if (job->settle_again && job->state != JOB_ENDED)
        settle_later(job, LOOK_AGAIN_S);
    job->settle_again = false;
    settling_free(settling);
}

void settle(struct job *job)
{
    if (job->state == JOB_ENDED && !job->attention)
        return;
    if (job->settling) {
        job->settle_again = true;
        return;
    }
    struct settling *settling = settling_new(job);

    job->settling = true;
    settling->look.name = xstrdup(job->instance);
    work_queue(job->daemon, settle_on_pool, settle_on_done, settling);
}

static void refuse_on_done(void *context)
{
    struct settling *settling = context;

    end_with_outcome(settling->job, settling);
    settling_free(settling);
}

void settle_refused(struct job *job, struct error *err)
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
