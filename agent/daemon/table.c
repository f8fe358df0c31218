#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "forget.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "queue.h"
#include "rows.h"
#include "run.h"
#include "settle.h"
#include "store.h"

#define NUMBERS_AT_ONCE 20

struct waiting {
    struct waiting *next;
    void (*then)(void *context);
    void *context;
};

struct jobs {
    struct job **jobs; /* by number */
    size_t count, room;
    int64_t last, reserved; /* numbers */
    bool all;               /* the ended ones have been read */
    struct waiting *waiting, **end;
    uv_timer_t timer;
};

size_t jobs_count(const struct daemon *daemon)
{
    return daemon->jobs->count;
}

struct job *jobs_at(const struct daemon *daemon, size_t index)
{
    return daemon->jobs->jobs[index];
}

uv_timer_t *table_timer(struct daemon *daemon)
{
    return &daemon->jobs->timer;
}

void jobs_add(struct daemon *daemon, struct job *job)
{
    struct jobs *jobs = daemon->jobs;

    if (jobs->count == jobs->room) {
        jobs->room = jobs->room * 2 + 32;
        jobs->jobs = xrealloc(jobs->jobs, jobs->room * sizeof(struct job *));
    }
    jobs->jobs[jobs->count++] = job;
    if (job->number > jobs->last)
        jobs->last = job->number;
}

void jobs_drop(struct job *job)
{
    struct jobs *jobs = job->daemon->jobs;
    size_t i = 0;

    while (jobs->jobs[i] != job)
        i++;
    memmove(jobs->jobs + i, jobs->jobs + i + 1, (--jobs->count - i) * sizeof(struct job *));
    job_free(job);
}

int64_t jobs_next_number(struct daemon *daemon, int64_t *reserve)
{
    struct jobs *jobs = daemon->jobs;

    *reserve = 0;
    if (jobs->last >= jobs->reserved) {
        jobs->reserved = jobs->last + NUMBERS_AT_ONCE;
        *reserve = jobs->reserved;
    }
    return ++jobs->last;
}

void jobs_give_back(struct daemon *daemon, int64_t number, int64_t reserve)
{
    daemon->jobs->last = number - 1;
    if (reserve > 0)
        daemon->jobs->reserved = number - 1;
}

void jobs_close(struct daemon *daemon)
{
    struct error err = { 0 };

    clock_close(&daemon->config->site);
    if (daemon->jobs->reserved > daemon->jobs->last &&
        !store_write_last(&daemon->config->site, daemon->jobs->last, &err))
        log_error("%s", err.message);
    error_clear(&err);
}

static int compare_numbers(const void *one, const void *other)
{
    int64_t a = (*(struct job *const *)one)->number;
    int64_t b = (*(struct job *const *)other)->number;

    return (a > b) - (a < b);
}

static void sort(struct jobs *jobs)
{
    if (jobs->count > 1)
        qsort(jobs->jobs, jobs->count, sizeof(struct job *), compare_numbers);
}

/* "j12"; 0 when it is no such name. */
static int64_t number_of(const char *id)
{
    char *end = NULL;
    long long number = id[0] == 'j' ? strtoll(id + 1, &end, 10) : 0;

    return end != NULL && *end == '\0' && number > 0 ? number : 0;
}

static double read_started(const char *folder)
{
    autofree char *path = xasprintf("%s/started", folder);
    struct error ignored = { 0 };
    autofree char *stamp = file_read(path, NULL, &ignored);
    double started_at = stamp != NULL ? rows_time_of(stamp) : 0;

    error_clear(&ignored);
    if (stamp != NULL && started_at <= 0)
        return process_time_s();
    return started_at;
}

static void load_open(struct daemon *daemon, const char *id)
{
    autofree char *folder = store_open_folder(&daemon->config->site, id);
    autofree char *path = xasprintf("%s/request.json", folder);
    struct error err = { 0 };
    struct json_object *request = json_read_file(path, &err);

    if (request == NULL || number_of(id) == 0) {
        log_error("cannot read '%s': %s", path, err.message);
        error_clear(&err);
        json_object_put(request);
        return;
    }
    struct job *job = job_new(daemon, number_of(id), request, true);
    job->run->folder = steal(folder);
    job->run->durable = true;
    job->started_at = read_started(job->run->folder);
    job->run->started = job->started_at > 0;
    /* It holds its locks from now on; what became of it is looked at once the loop runs. */
    if (job->run->started)
        job->state = JOB_RUNNING;
    jobs_add(daemon, job);
}

bool jobs_load(struct daemon *daemon, struct error *err)
{
    struct jobs *jobs = xcalloc(1, sizeof(*jobs));
    autofree char *folder = store_open_folder(&daemon->config->site, "");

    daemon->jobs = jobs;
    jobs->end = &jobs->waiting;
    clock_begin(&daemon->config->site);
    uv_timer_init(daemon->loop, &jobs->timer);
    if (!store_prepare(&daemon->config->site, err))
        return false;

    char **names = file_names(folder, err);
    if (names == NULL)
        return false;
    for (char **name = names; *name != NULL; name++)
        load_open(daemon, *name);
    file_free_names(names);
    sort(jobs);
    int64_t last = store_last(&daemon->config->site);
    if (last > jobs->last)
        jobs->last = last;
    jobs->reserved = jobs->last;
    return true;
}

/* A reboot took the secrets of work that had not begun (C28). */
static bool lost_secrets(const struct job *job)
{
    autofree char *path = store_secrets_path(&job->daemon->config->site, job->id);

    return job->run->has_secrets && !file_exists(path);
}

static void resume(struct job *job)
{
    struct error err = { 0 };

    if (job->run->started) {
        run_resume(job);
        return;
    }
    if (!lost_secrets(job))
        return;
    error_set(&err, ERROR_INTERRUPTED, "%s had not begun when a reboot took its secret", job->id);
    error_hint(&err, "nothing was changed; try it again");
    settle_refused(job, &err);
}

struct loading {
    struct daemon *daemon;
    struct job **jobs;
    size_t count;
};

static struct job *load_done(struct daemon *daemon, const char *id)
{
    autofree char *folder = store_done_folder(&daemon->config->site, id);
    autofree char *request_path = xasprintf("%s/request.json", folder);
    autofree char *result_path = xasprintf("%s/result", folder);
    struct error err = { 0 };
    autoptr(json_object) request = json_read_file(request_path, &err);
    autoptr(json_object) end = json_read_file(result_path, &err);

    error_clear(&err);
    if (request == NULL || end == NULL || number_of(id) == 0)
        return NULL;

    struct job *job = job_new(daemon, number_of(id), steal(request), false);
    const char *outcome = json_get_string(end, "outcome");
    job->state = JOB_ENDED;
    job->outcome = xstrdup(outcome != NULL ? outcome : "internal");
    job->note = rows_note(end);
    job->started_at = rows_time_of(json_get_string(end, "started_at"));
    job->ended_at = rows_time_of(json_get_string(end, "ended_at"));
    job->ended_running_s = json_get(end, "ended_running_s") != NULL
                               ? json_get_double(end, "ended_running_s")
                               : clock_running_s();
    job->took_s = job->started_at > 0 ? job->ended_at - job->started_at : -1;
    return job;
}

static void load_on_pool(void *context)
{
    struct loading *loading = context;
    autofree char *folder = store_done_folder(&loading->daemon->config->site, "");
    struct error err = { 0 };
    char **names = file_names(folder, &err);
    size_t room = 0;

    error_clear(&err);
    for (char **name = names; name != NULL && *name != NULL; name++)
        room++;
    loading->jobs = xcalloc(room + 1, sizeof(struct job *));
    for (size_t i = 0; i < room; i++) {
        struct job *job = load_done(loading->daemon, names[i]);
        if (job != NULL)
            loading->jobs[loading->count++] = job;
    }
    file_free_names(names);
}

static bool has_number(const struct jobs *jobs, int64_t number)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->jobs[i]->number == number)
            return true;
    return false;
}

static void load_on_done(void *context)
{
    struct loading *loading = context;
    struct daemon *daemon = loading->daemon;
    struct jobs *jobs = daemon->jobs;
    size_t before = jobs->count;

    /* One that ended while we were reading is in the table already. */
    for (size_t i = 0; i < loading->count; i++) {
        if (before > 0 && has_number(jobs, loading->jobs[i]->number))
            job_free(loading->jobs[i]);
        else
            jobs_add(daemon, loading->jobs[i]);
    }
    sort(jobs);
    jobs->all = true;
    free(loading->jobs);
    free(loading);
    while (jobs->waiting != NULL) {
        struct waiting *waiting = jobs->waiting;

        jobs->waiting = waiting->next;
        if (jobs->waiting == NULL)
            jobs->end = &jobs->waiting;
        waiting->then(waiting->context);
        free(waiting);
    }
    forget_old_jobs(daemon);
}

void jobs_resume(struct daemon *daemon)
{
    struct loading *loading = xcalloc(1, sizeof(*loading));

    for (size_t i = 0; i < jobs_count(daemon); i++)
        resume(jobs_at(daemon, i));
    loading->daemon = daemon;
    work_queue(daemon, load_on_pool, load_on_done, loading);
    jobs_watch_deadlines(daemon);
    queue_run(daemon);
}

bool table_is_whole(const struct daemon *daemon)
{
    return daemon->jobs->all;
}

void jobs_need_all(struct daemon *daemon, void (*then)(void *context), void *context)
{
    struct jobs *jobs = daemon->jobs;

    if (jobs->all) {
        then(context);
        return;
    }
    struct waiting *waiting = xcalloc(1, sizeof(*waiting));
    *waiting = (struct waiting){ .then = then, .context = context };
    *jobs->end = waiting;
    jobs->end = &waiting->next;
}
