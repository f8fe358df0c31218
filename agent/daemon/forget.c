#include "forget.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>

#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "job.h"
#include "jobs.h"
#include "log.h"
#include "process.h"
#include "store.h"
#include "table.h"

#define DAY_S 86400.0
#define JUMP_S 3600.0
#define TRIM_EVERY_S 1.0

static struct {
    double clock_offset; /* CLOCK_REALTIME less CLOCK_BOOTTIME at the start */
    double trimmed_at;
    bool suspended; /* the clock has jumped: nothing is removed by age */
} state;

void forget_begin(void)
{
    state.clock_offset = process_time_s() - process_clock_s();
}

/* C27: a clock that jumped makes nothing old. */
static bool clock_is_sound(void)
{
    double jumped_s = process_time_s() - process_clock_s() - state.clock_offset;

    if (fabs(jumped_s) < JUMP_S)
        return true;
    if (!state.suspended)
        log_error("the clock jumped by %.0f s: jobs are not removed by age until a restart",
                  jumped_s);
    state.suspended = true;
    return false;
}

static void forget_on_pool(void *context)
{
    struct error err = { 0 };

    if (!file_remove_tree(context, &err))
        log_error("%s", err.message);
    error_clear(&err);
    free(context);
}

static bool is_old(const struct daemon *daemon, const struct job *job, size_t newer, bool sound)
{
    double age_s = process_time_s() - job->ended_at;
    bool too_many = newer >= (size_t)daemon->config->keep_count;
    bool too_old = sound && age_s > (double)daemon->config->keep_s;

    /* Who repeats a call by its key within a day must find it. */
    if (job->key != NULL && !(sound && age_s > DAY_S))
        return false;
    return too_many || too_old;
}

/* After work, what it took is given back. */
static void give_memory_back(const struct daemon *daemon)
{
    double now = process_clock_s();
    size_t count = jobs_count(daemon);

    if (count > 0 && jobs_at(daemon, count - 1)->state != JOB_ENDED)
        return;
    if (now - state.trimmed_at < TRIM_EVERY_S)
        return;
    state.trimmed_at = now;
    malloc_trim(0);
}

void forget_old_jobs(struct daemon *daemon)
{
    bool sound = clock_is_sound();
    size_t ended = 0;

    give_memory_back(daemon);
    if (!table_is_whole(daemon))
        return;
    for (size_t i = jobs_count(daemon); i > 0; i--) {
        struct job *job = jobs_at(daemon, i - 1);

        if (job->state != JOB_ENDED || job->attention)
            continue;
        if (!is_old(daemon, job, ended++, sound) || job->pending > 0)
            continue;
        work_queue(daemon, forget_on_pool, NULL, store_done_folder(&daemon->config->site, job->id));
        jobs_drop(job);
    }
}
