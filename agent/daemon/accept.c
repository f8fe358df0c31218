#include "accept.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "daemon.h"
#include "digest.h"
#include "ended.h"
#include "error.h"
#include "job.h"
#include "jobs.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "peer.h"
#include "queue.h"
#include "request.h"
#include "route.h"
#include "store.h"
#include "text.h"
#include "wipe.h"
#include "writing.h"

#define PASSWORD_GROUPS 4

/* A call on its way to becoming a job. */
struct accepting {
    struct request *request;
    char *datastore, *version, *program;
    char *key;
    bool detach, queue;
    int64_t deadline_s;
    char digest[33];
    char *made_password;
    struct json_object *secrets;
};

static void accepting_free(struct accepting *accepting)
{
    wipe_json(accepting->secrets);
    json_object_put(accepting->secrets);
    wipe_text(accepting->made_password);
    free(accepting->datastore);
    free(accepting->version);
    free(accepting->program);
    free(accepting->key);
    free(accepting);
}

static void fail(struct accepting *accepting, struct error *err)
{
    request_error(accepting->request, err, NULL);
    accepting_free(accepting);
}

/* A password that nobody gave is made here, so that it is told once, to the caller, and is on no
 * disk: the worker gets it as any other. */
static void make_password(struct accepting *accepting)
{
    const struct method *method = accepting->request->method;
    struct json_object *params = accepting->request->params;
    size_t i = 0;

    while (method_param(method, i) != NULL && (method_param(method, i)->flags & PARAM_MADE) == 0)
        i++;
    if (method_param(method, i) == NULL || accepting->secrets != NULL)
        return;
    accepting->made_password = text_make_password(PASSWORD_GROUPS);
    json_add_string(params, method_param(method, i)->name, accepting->made_password);
    accepting->secrets = method_take_secrets(method, params);
}

static void take_common(struct accepting *accepting)
{
    static const char *const common[] = { "detach", "queue", "deadline_s", "idempotency_key" };
    struct json_object *params = accepting->request->params;

    accepting->detach = json_get_bool(params, "detach");
    accepting->queue = json_get(params, "queue") == NULL || json_get_bool(params, "queue");
    accepting->deadline_s = json_get_int(params, "deadline_s");
    accepting->key = xstrdup(json_get_string(params, "idempotency_key"));
    for (size_t i = 0; i < ARRAY_SIZE(common); i++)
        json_object_object_del(params, common[i]);
}

/* What the job is about, for people. */
static char *object_of(struct json_object *params)
{
    const char *instance = json_get_string(params, "instance");
    const char *backup = json_get_string(params, "backup");
    const char *datastore = json_get_string(params, "datastore");
    const char *version = json_get_string(params, "version");
    const char *source = json_get_string(params, "source");

    if (instance != NULL || backup != NULL)
        return xstrdup(instance != NULL ? instance : backup);
    if (datastore == NULL)
        return NULL;
    return xasprintf("%s %s", datastore, version != NULL ? version : source != NULL ? source : "");
}

static struct json_object *request_json(const struct accepting *accepting, int64_t number)
{
    const struct request *request = accepting->request;
    struct json_object *object = json_object_new_object();
    autofree char *id = xasprintf("j%lld", (long long)number);
    autofree char *about = object_of(request->params);
    autofree char *peer = request->own ? xstrdup("dbguestd") : peer_name(request->uid);
    char stamp[32];

    process_stamp(stamp);
    json_add_string(object, "job", id);
    json_add_string(object, "method", request->method->name);
    json_add(object, "params", json_copy(request->params));
    json_add_bool(object, "has_secrets", accepting->secrets != NULL);
    json_add(object, "site", site_to_json(&request->daemon->config->site));
    json_add_int(object, "uid", request->uid);
    json_add_string(object, "asked_by", peer);
    json_add_string(object, "asked_at", stamp);
    json_add_string(object, "key", accepting->key);
    json_add_string(object, "params_hash", accepting->digest);
    json_add_bool(object, "detached", accepting->detach);
    json_add_int(object, "deadline_s", accepting->deadline_s);
    json_add_double(object, "accepted_clock_s", process_clock_s());
    json_add_string(object, "boot_id", process_boot_id());
    json_add_string(object, "program", accepting->program);
    json_add_string(object, "datastore", accepting->datastore);
    json_add_string(object, "object", about);
    json_add(
        object, "locks",
        queue_locks(request->method, request->params, accepting->datastore, accepting->version));
    return object;
}

static bool blame_busy(const struct job *job, struct json_object *waiting_for, bool waits,
                       struct error *err)
{
    const char *id = json_object_array_length(waiting_for) > 0
                         ? json_object_get_string(json_object_array_get_idx(waiting_for, 0))
                         : NULL;
    const struct job *holder = id != NULL ? jobs_find(job->daemon, id) : NULL;

    if (holder != NULL)
        error_set(err, ERROR_BUSY, "'%s' is held by %s (%s)",
                  job->object != NULL ? job->object : job->method_name, id, holder->method_name);
    else
        error_set(err, ERROR_BUSY, "%lld jobs are running already",
                  (long long)job->daemon->config->jobs_running);
    error_add(err, "waiting_for", json_object_get(waiting_for));
    if (!waits && holder != NULL)
        return error_hint(err, "dbguestctl job wait %s", id);
    return error_hint(err, "without --no-queue it waits its turn");
}

/* Writes job down; it holds its locks, or its place, from now on. */
static void write_down(struct accepting *accepting, struct job *job, struct writing *writing)
{
    struct request *request = accepting->request;

    if (writing->started) {
        job->state = JOB_RUNNING;
        job->started_at = process_time_s();
        job->started_clock_s = process_clock_s();
    }
    job->run->folder = store_open_folder(&request->daemon->config->site, job->id);
    writing->job = job;
    writing->secrets = accepting->secrets != NULL ? xstrdup(json_line(accepting->secrets)) : NULL;
    if (accepting->detach || request->own) {
        writing->detached = request;
    } else {
        job->run->made_password = steal(accepting->made_password);
        job_add_waiter(job, request, WAITER_CALL);
    }
    jobs_add(request->daemon, job);
    writing_start(writing);
}

static void make_job(struct accepting *accepting)
{
    struct request *request = accepting->request;
    int64_t reserve = 0;
    int64_t number = jobs_next_number(request->daemon, &reserve);
    struct json_object *stored = request_json(accepting, number);
    autofree char *text = xstrdup(json_line(stored));
    struct job *job = job_new(request->daemon, number, stored, true);
    struct error err = { 0 };
    bool full = false;
    bool recovery = strcmp(request->method->name, "instance.recover") == 0;
    autoptr(json_object) waiting_for = queue_waits_for(job, &full);
    bool waits = full || json_object_array_length(waiting_for) > 0;

    /* A recovery never waits: while somebody is at the instance there is nothing to recover. */
    if (waits && (!accepting->queue || recovery)) {
        blame_busy(job, waiting_for, !recovery, &err);
        jobs_give_back(request->daemon, number, reserve);
        job_free(job);
        fail(accepting, &err);
        return;
    }

    struct writing *writing = xcalloc(1, sizeof(*writing));
    *writing = (struct writing){ .reserve = reserve, .started = !waits, .request = steal(text) };
    write_down(accepting, job, writing);
    accepting_free(accepting);
}

/* Of this key already: the same call joins it, another call may not have it. */
static bool answered_by_key(struct accepting *accepting)
{
    struct request *request = accepting->request;
    struct error err = { 0 };
    struct job *known =
        accepting->key != NULL ? jobs_of_key(request->daemon, request->uid, accepting->key) : NULL;

    if (known == NULL)
        return false;
    if (strcmp(known->method_name, request->method->name) == 0 && known->params_hash != NULL &&
        strcmp(known->params_hash, accepting->digest) == 0) {
        bool detach = accepting->detach;

        accepting_free(accepting);
        ended_join(known, request, detach);
        return true;
    }
    error_set(&err, ERROR_INVALID, "idempotency_key '%s' is that of %s, another call",
              accepting->key, known->id);
    fail(accepting, &err);
    return true;
}

static void accept_on_route(struct request *request, struct route *route)
{
    struct accepting *accepting = request->context;
    struct error err = { 0 };

    request->context = NULL;
    if (route->err.reason != ERROR_NONE) {
        fail(accepting, &route->err);
        return;
    }
    /* Its twin may have come in the meantime. */
    if (answered_by_key(accepting))
        return;
    accepting->datastore = xstrdup(route->datastore);
    accepting->version = xstrdup(route->version);
    accepting->program = xstrdup(route->program);
    make_password(accepting);
    if (accepting->secrets != NULL && !request->daemon->secrets_safe) {
        error_set(&err, ERROR_BUSY, "'%s/secrets' is not in memory: no secret is taken",
                  request->daemon->config->site.run_dir);
        error_hint(&err, "mount a tmpfs there and restart dbguestd");
        fail(accepting, &err);
        return;
    }
    make_job(accepting);
}

/* A known key is looked for before anything else: its job may have changed what the call names. */
static void accept_on_all(void *context)
{
    struct accepting *accepting = context;

    if (answered_by_key(accepting))
        return;
    accepting->request->context = accepting;
    route_find(accepting->request, accept_on_route);
}

void accept_job(struct request *request)
{
    struct accepting *accepting = xcalloc(1, sizeof(*accepting));

    accepting->request = request;
    take_common(accepting);
    accepting->secrets = method_take_secrets(request->method, request->params);
    digest_json(request->params, accepting->digest);
    if (accepting->key != NULL)
        jobs_need_all(request->daemon, accept_on_all, accepting);
    else
        accept_on_all(accepting);
}

void accept_own(struct daemon *daemon, const char *method, const char *instance)
{
    struct request *request = xcalloc(1, sizeof(*request));

    request->daemon = daemon;
    request->own = true;
    request->method = method_find(method);
    request->params = json_object_new_object();
    json_add_string(request->params, "instance", instance);
    accept_job(request);
}
