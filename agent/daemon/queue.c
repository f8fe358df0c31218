#include "queue.h"

#include <string.h>

#include "config.h"
#include "daemon.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "run.h"

/* How many of those that a job waits for are named. */
#define NAMED_MAX 10

/* Of an instance, each by the instance's name. */
static const enum lock instance_locks[] = { LOCK_SERVICE, LOCK_CATALOG, LOCK_DATA };

static void add_lock(struct json_object *locks, const char *object, bool exclusive)
{
    autofree char *text = xasprintf("%s%s", object, exclusive ? "!" : "");

    json_object_array_add(locks, json_object_new_string(text));
}

static bool is_exclusive(unsigned int locks, enum lock lock)
{
    return (locks & ((unsigned int)lock << LOCK_EXCLUSIVE_SHIFT)) != 0;
}

/* One version, what a source is going to give, or all there are. */
static void add_version_locks(struct json_object *locks, bool exclusive, const char *datastore,
                              const char *version, const char *source)
{
    autofree char *object = version != NULL ? xasprintf("version:%s/%s", datastore, version)
                                            : xasprintf("version:%s/pull:%s", datastore, source);

    if (version == NULL && source == NULL) {
        add_lock(locks, "versions", exclusive);
        return;
    }
    add_lock(locks, object, exclusive);
    /* Whoever prunes waits until nobody is at any of them; a pull's is none of them yet. */
    if (version != NULL)
        add_lock(locks, "versions", false);
}

static void add_instance_locks(struct json_object *locks, unsigned int wanted, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(instance_locks) && name != NULL; i++) {
        autofree char *object = xasprintf("%s:%s", lock_word(instance_locks[i]), name);

        if ((wanted & instance_locks[i]) != 0)
            add_lock(locks, object, is_exclusive(wanted, instance_locks[i]));
    }
}

/* instance.recover has no locks in the table: it takes those of the jobs that it may finish. */
static unsigned int locks_of(const struct method *method)
{
    return strcmp(method->name, "instance.recover") == 0 ? LOCK_NAME_X : method->locks;
}

struct json_object *queue_locks(const struct method *method, struct json_object *params,
                                const char *datastore, const char *version)
{
    struct json_object *locks = json_object_new_array();
    unsigned int wanted = locks_of(method);
    const char *source = json_get_string(params, "source");
    const char *backup = json_get_string(params, "backup");

    add_instance_locks(locks, wanted, json_get_string(params, "instance"));
    if ((wanted & LOCK_VERSION) != 0)
        add_version_locks(locks, is_exclusive(wanted, LOCK_VERSION), datastore, version, source);
    if ((wanted & LOCK_BACKUP) != 0 && backup != NULL) {
        autofree char *object = xasprintf("backup:%s", backup);
        add_lock(locks, object, is_exclusive(wanted, LOCK_BACKUP));
    }
    return locks;
}

static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void queue_read_locks(struct json_object *locks, struct lock_set *out)
{
    size_t count =
        json_object_is_type(locks, json_type_array) ? json_object_array_length(locks) : 0;

    out->count = 0;
    for (size_t i = 0; i < count && i < ARRAY_SIZE(out->objects); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(locks, i));
        size_t length = strcspn(text, "!");

        out->objects[i] = hash_of(text, length);
        out->exclusive[i] = text[length] == '!';
        out->count++;
    }
}

/* Many wait while each is compared with all before it: numbers, not names. */
bool queue_meet(const struct job *one, const struct job *other)
{
    const struct lock_set *mine = &one->run->locks;
    const struct lock_set *theirs = &other->run->locks;

    for (size_t i = 0; i < mine->count; i++)
        for (size_t j = 0; j < theirs->count; j++)
            if (mine->objects[i] == theirs->objects[j] &&
                (mine->exclusive[i] || theirs->exclusive[j]))
                return true;
    return false;
}

static bool holds(const struct job *job)
{
    return job->state == JOB_RUNNING || job->state == JOB_RECOVERING;
}

/* *before is how many of those it waits for are waiting themselves. */
static struct json_object *waits_for(const struct job *job, int64_t *before, bool *full)
{
    struct json_object *ids = json_object_new_array();
    int64_t running = 0;

    *before = 0;
    for (size_t i = 0; i < jobs_count(job->daemon); i++) {
        const struct job *other = jobs_at(job->daemon, i);

        if (other->run == NULL || other->state == JOB_ENDED || other == job)
            continue;
        running += holds(other);
        if ((!holds(other) && other->number > job->number) || !queue_meet(job, other))
            continue;
        if (json_object_array_length(ids) < NAMED_MAX)
            json_object_array_add(ids, json_object_new_string(other->id));
        *before += other->state == JOB_QUEUED;
    }
    *full = running >= job->daemon->config->jobs_running;
    return ids;
}

struct json_object *queue_waits_for(const struct job *job, bool *full)
{
    int64_t before = 0;

    return waits_for(job, &before, full);
}

/* Keeps a job's place, and tells it when it has changed. */
static void set_place(struct job *job, int64_t position, struct json_object *waiting_for)
{
    struct run *run = job->run;
    bool same = run->position == position && run->waiting_for != NULL &&
                json_object_equal(run->waiting_for, waiting_for);

    json_object_put(run->waiting_for);
    run->waiting_for = waiting_for;
    run->position = position;
    if (!same)
        job_tell(job, NULL, false);
}

static bool ends_engine(const struct job *job)
{
    return strcmp(job->method_name, "instance.stop") == 0 ||
           strcmp(job->method_name, "instance.restart") == 0;
}

/* A clean stop may take as long as the engine likes, and is not waited for by one that may not. */
static void hurry_those_before(const struct job *job)
{
    for (size_t i = 0; i < jobs_count(job->daemon); i++) {
        struct job *other = jobs_at(job->daemon, i);

        if (holds(other) && !other->run->hurried && ends_engine(other) && queue_meet(job, other))
            run_hurry(other, job->id);
    }
}

void queue_run(struct daemon *daemon)
{
    /* Whatever starts or ends here may change the table: each is looked at as it is by then. */
    for (size_t i = 0; i < jobs_count(daemon) && !daemon->stopping; i++) {
        struct job *job = jobs_at(daemon, i);
        int64_t before = 0;
        bool full = false;

        if (job->state != JOB_QUEUED || job->run == NULL || !job->run->durable)
            continue;
        struct json_object *waiting_for = waits_for(job, &before, &full);
        if (json_object_array_length(waiting_for) > 0 || full) {
            set_place(job, before + 1, waiting_for);
            if (job->run->immediate)
                hurry_those_before(job);
            continue;
        }
        json_object_put(waiting_for);
        run_start(job);
    }
}
