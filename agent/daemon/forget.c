#include "forget.h"

#include <malloc.h>
#include <stdlib.h>

#include "clock.h"
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
#define TRIM_EVERY_S 1.0

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
    double age_s = clock_running_s() - job->ended_running_s;
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
    static double trimmed_at;
    double now = process_clock_s();
    size_t count = jobs_count(daemon);

    if (count > 0 && jobs_at(daemon, count - 1)->state != JOB_ENDED)
        return;
    if (now - trimmed_at < TRIM_EVERY_S)
        return;
    trimmed_at = now;
    malloc_trim(0);
}

void forget_old_jobs(struct daemon *daemon)
{
    bool sound = clock_is_sound();
    size_t ended = 0;

    give_memory_back(daemon);
    clock_keep(daemon);
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
