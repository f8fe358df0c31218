#include "instance.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "accept.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "events.h"
#include "file.h"
#include "jobs.h"
#include "json.h"
#include "log.h"
#include "look.h"
#include "memory.h"
#include "nearest.h"
#include "process.h"
#include "watch.h"

#define STEADY_S 60.0 /* an engine that ran this long has not failed to start */
#define PAUSE_MAX_S 60
#define NAMES_MAX 256

struct instance {
    struct instance *next;
    struct daemon *daemon;
    struct look look;       /* what the disk said */
    struct watch *watch;    /* of the engine's process */
    double watched_clock_s; /* since when */
    const char *status;     /* told last */
    int restarts;           /* in a row */
    uv_timer_t timer;       /* until the next one */
};

struct instances {
    struct instance *first;
};

struct looking {
    struct daemon *daemon;
    struct look look;
};

struct instance *instances_first(const struct daemon *daemon)
{
    return daemon->instances->first;
}

struct instance *instances_next(const struct instance *instance)
{
    return instance->next;
}

struct instance *instances_find(const struct daemon *daemon, const char *name)
{
    for (struct instance *instance = daemon->instances->first; instance != NULL;
         instance = instance->next)
        if (strcmp(instance->look.name, name) == 0)
            return instance;
    return NULL;
}

const char *instances_nearest(const struct daemon *daemon, const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;

    for (struct instance *instance = daemon->instances->first;
         instance != NULL && count < NAMES_MAX; instance = instance->next)
        names[count++] = instance->look.name;
    return nearest_word(name, names, count);
}

const char *instance_name(const struct instance *instance)
{
    return instance->look.name;
}

const char *instance_datastore(const struct instance *instance)
{
    return instance->look.datastore;
}

static bool is_wanted(const struct instance *instance)
{
    return instance->look.wanted != NULL && strcmp(instance->look.wanted, "running") == 0;
}

/* A job that stops and starts the engine, and closes it meanwhile, changes nothing before it ends.
 */
static const char *status_in_hands(const struct instance *instance)
{
    if (instance->status != NULL)
        return instance->status;
    if (instance->look.closed)
        return "ERROR";
    return is_wanted(instance) ? "ACTIVE" : "SHUTDOWN";
}

const char *instance_status(const struct instance *instance)
{
    const char *job = jobs_status_of(instance->daemon, instance->look.name);

    if (job != NULL)
        return job;
    if (jobs_hold_service(instance->daemon, instance->look.name))
        return status_in_hands(instance);
    if (instance->look.closed)
        return "ERROR";
    if (instance->look.lives)
        return "ACTIVE";
    return is_wanted(instance) ? "ERROR" : "SHUTDOWN";
}

static bool same_word(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static void tell_status(struct instance *instance)
{
    const char *status = instance_status(instance);

    if (same_word(status, instance->status))
        return;
    events_status(instance->daemon, instance->look.name, instance->status, status);
    instance->status = status;
}

static void instance_on_gone(void *context)
{
    struct instance *instance = context;

    instance->watch = NULL;
    if (process_clock_s() - instance->watched_clock_s > STEADY_S)
        instance->restarts = 0;
    instance_look(instance->daemon, instance->look.name);
}

static void set_watch(struct instance *instance)
{
    if (instance->watch != NULL || !instance->look.lives)
        return;
    instance->watched_clock_s = process_clock_s();
    instance->watch =
        watch_process(instance->daemon, &instance->look.process, instance_on_gone, instance);
    if (instance->watch == NULL)
        instance->look.lives = false;
}

/* Whether the engine should run, does not, and nobody else is at it. */
static bool needs_start(const struct instance *instance)
{
    return instance->daemon->config->site.supervisor == SUPERVISOR_DETACHED &&
           is_wanted(instance) && !instance->look.closed && !instance->look.lives &&
           !jobs_at_service(instance->daemon, instance->look.name);
}

static void instance_on_time(uv_timer_t *timer)
{
    struct instance *instance = timer->data;

    if (!needs_start(instance) || instance->daemon->stopping)
        return;
    log_info("%s should run and does not: it is started", instance->look.name);
    accept_own(instance->daemon, "instance.start", instance->look.name);
}

/* At once, then after 1 s, 2 s, 4 s ... */
static void start_later(struct instance *instance)
{
    int64_t pause_s = instance->restarts == 0 ? 0 : INT64_C(1) << (instance->restarts - 1);

    if (uv_is_active((uv_handle_t *)&instance->timer))
        return;
    if (instance->restarts < 8)
        instance->restarts++;
    if (pause_s > PAUSE_MAX_S)
        pause_s = PAUSE_MAX_S;
    uv_timer_start(&instance->timer, instance_on_time, (uint64_t)pause_s * 1000, 0);
}

static void instance_on_closed(uv_handle_t *handle)
{
    struct instance *instance = handle->data;

    look_done(&instance->look);
    free(instance);
}

static void forget(struct instance *instance)
{
    struct instance **link = &instance->daemon->instances->first;

    while (*link != instance)
        link = &(*link)->next;
    *link = instance->next;
    watch_stop(instance->watch);
    events_status(instance->daemon, instance->look.name, instance->status, NULL);
    uv_close((uv_handle_t *)&instance->timer, instance_on_closed);
}

/* By name, so that lists are sorted. */
static struct instance *add(struct daemon *daemon)
{
    struct instance *instance = xcalloc(1, sizeof(*instance));

    instance->daemon = daemon;
    uv_timer_init(daemon->loop, &instance->timer);
    instance->timer.data = instance;
    instance->next = daemon->instances->first;
    daemon->instances->first = instance;
    return instance;
}

/* It is as it is: tells so, and does what is missing. */
static void act(struct instance *instance)
{
    tell_status(instance);
    if (needs_start(instance))
        start_later(instance);
}

void instance_take(struct daemon *daemon, struct look *look)
{
    struct instance *instance = instances_find(daemon, look->name);

    if (!look->exists) {
        if (instance != NULL)
            forget(instance);
        look_done(look);
        return;
    }
    if (instance == NULL) {
        instance = add(daemon);
        /* Of one that is being made this was told when its job began. */
        if (jobs_makes_instance(daemon, look->name) != NULL)
            instance->status = jobs_status_of(daemon, look->name);
    }
    if (instance->watch != NULL && !look_same_process(&instance->look.process, &look->process)) {
        watch_stop(instance->watch);
        instance->watch = NULL;
    }
    look_done(&instance->look);
    instance->look = *look;
    set_watch(instance);
    *look = (struct look){ 0 };
    act(instance);
}

static void look_on_pool(void *context)
{
    struct looking *looking = context;

    look_at(looking->daemon->config->site.state_dir, &looking->look);
}

static void look_on_done(void *context)
{
    struct looking *looking = context;

    instance_take(looking->daemon, &looking->look);
    free(looking);
}

void instance_look(struct daemon *daemon, const char *name)
{
    struct looking *looking = xcalloc(1, sizeof(*looking));

    looking->daemon = daemon;
    looking->look.name = xstrdup(name);
    work_queue(daemon, look_on_pool, look_on_done, looking);
}

void instance_job_began(struct daemon *daemon, const char *name)
{
    struct instance *instance = instances_find(daemon, name);

    if (instance != NULL)
        tell_status(instance);
    else if (jobs_makes_instance(daemon, name) != NULL)
        events_status(daemon, name, "NEW", "BUILD");
}

void instance_job_ended(struct daemon *daemon, const char *name)
{
    struct instance *instance = instances_find(daemon, name);

    if (instance != NULL)
        act(instance);
}

void instances_load(struct daemon *daemon)
{
    autofree char *folder = xasprintf("%s/instances", daemon->config->site.state_dir);
    struct error err = { 0 };
    char **names = file_names(folder, &err);

    daemon->instances = xcalloc(1, sizeof(*daemon->instances));
    if (names == NULL)
        log_error("%s", err.message);
    error_clear(&err);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        struct look look = { .name = xstrdup(*name) };

        look_at(daemon->config->site.state_dir, &look);
        instance_take(daemon, &look);
    }
    file_free_names(names);
}
