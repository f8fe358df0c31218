#include "events.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "client.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "job.h"
#include "jobs.h"
#include "journald.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "process.h"
#include "request.h"
#include "server.h"

#define KEPT 1000
#define SEQ_AT_ONCE 1000
#define HEARTBEAT_MS 30000

struct kept {
    int64_t seq;
    enum event_kind kind;
    char *instance;
    char *line; /* the notification's params */
};

struct events {
    int64_t seq, reserved;
    struct kept kept[KEPT]; /* by seq % KEPT */
    uv_timer_t heartbeat;
    bool beating;
};

static const struct {
    enum event_kind kind;
    const char *word;
} kinds[] = {
    { EVENT_STATUS, "status" },
    { EVENT_JOB, "job" },
    { EVENT_BACKUP, "backup" },
    { EVENT_HEARTBEAT, "heartbeat" },
};

static const char *word_of(enum event_kind kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].word;
    return "status";
}

int64_t events_seq(const struct daemon *daemon)
{
    return daemon->events->seq;
}

struct reserving {
    char *path, *text;
};

/* In memory, and of this boot only: nothing needs to be durable. */
static void reserve_on_pool(void *context)
{
    struct reserving *reserving = context;
    struct error err = { 0 };

    if (!file_write(reserving->path, reserving->text, strlen(reserving->text), 0600, &err))
        log_error("%s", err.message);
    error_clear(&err);
    free(reserving->path);
    free(reserving->text);
    free(reserving);
}

static void reserve(struct daemon *daemon)
{
    struct reserving *reserving = xcalloc(1, sizeof(*reserving));
    autoptr(json_object) object = json_object_new_object();

    daemon->events->reserved = daemon->events->seq + SEQ_AT_ONCE;
    json_add_string(object, "boot_id", process_boot_id());
    json_add_int(object, "seq", daemon->events->reserved);
    reserving->path = xasprintf("%s/seq", daemon->config->site.run_dir);
    reserving->text = xasprintf("%s\n", json_line(object));
    work_queue(daemon, reserve_on_pool, NULL, reserving);
}

void events_load(struct daemon *daemon)
{
    autofree char *path = xasprintf("%s/seq", daemon->config->site.run_dir);
    struct error ignored = { 0 };
    autoptr(json_object) object = json_read_file(path, &ignored);
    const char *boot_id = json_get_string(object, "boot_id");

    error_clear(&ignored);
    daemon->events = xcalloc(1, sizeof(*daemon->events));
    if (boot_id != NULL && strcmp(boot_id, process_boot_id()) == 0)
        daemon->events->seq = json_get_int(object, "seq");
    daemon->events->reserved = daemon->events->seq;
    uv_timer_init(daemon->loop, &daemon->events->heartbeat);
    uv_unref((uv_handle_t *)&daemon->events->heartbeat);
    daemon->events->heartbeat.data = daemon;
}

static void send_to(struct client *client, const struct kept *event)
{
    autotext struct text line = { 0 };

    if ((client->kinds & event->kind) == 0)
        return;
    if (client->instance != NULL &&
        (event->instance == NULL || strcmp(client->instance, event->instance) != 0))
        return;
    message_note(&line, "agent.event", event->line);
    client_notify(client, line.bytes, line.length);
}

static void send_to_all(struct daemon *daemon, const struct kept *event)
{
    struct client *next = NULL;

    for (struct client *client = server_clients(daemon); client != NULL; client = next) {
        next = client->next;
        if (client->kinds != 0)
            send_to(client, event);
    }
}

/* {"seq","boot_id","time","kind","instance"}, to be completed. */
static struct json_object *head(int64_t seq, enum event_kind kind, const char *instance)
{
    struct json_object *object = json_object_new_object();
    char stamp[32];

    process_stamp(stamp);
    json_add_int(object, "seq", seq);
    json_add_string(object, "boot_id", process_boot_id());
    json_add_string(object, "time", stamp);
    json_add_string(object, "kind", word_of(kind));
    json_add_string(object, "instance", instance);
    return object;
}

static int64_t next_seq(struct daemon *daemon)
{
    if (daemon->events->seq >= daemon->events->reserved)
        reserve(daemon);
    return ++daemon->events->seq;
}

/* Takes over object. That a backup has ended its job's event has told the log already. */
static void keep(struct daemon *daemon, enum event_kind kind, const char *instance,
                 struct json_object *object)
{
    int64_t seq = daemon->events->seq;
    struct kept *place = &daemon->events->kept[seq % KEPT];

    free(place->instance);
    free(place->line);
    *place = (struct kept){
        .seq = seq, .kind = kind, .instance = xstrdup(instance), .line = xstrdup(json_line(object))
    };
    if (kind != EVENT_BACKUP)
        journald_tell(object);
    json_object_put(object);
    send_to_all(daemon, place);
}

void events_status(struct daemon *daemon, const char *instance, const char *was, const char *status)
{
    struct json_object *object = head(next_seq(daemon), EVENT_STATUS, instance);
    const struct job *job = jobs_newest_of(daemon, instance);

    json_add_string(object, "status", status);
    json_add_string(object, "was", was);
    json_add_string(object, "job", job != NULL ? job->id : NULL);
    keep(daemon, EVENT_STATUS, instance, object);
}

static void tell_backup(const struct job *job)
{
    struct json_object *object = NULL;

    if (strncmp(job->method_name, "backup.", 7) != 0 || job->outcome == NULL)
        return;
    object = head(next_seq(job->daemon), EVENT_BACKUP, job->instance);
    json_add_string(object, "job", job->id);
    json_add_string(object, "method", job->method_name);
    json_add_string(object, "backup", job->note);
    json_add_string(object, "outcome", job->outcome);
    keep(job->daemon, EVENT_BACKUP, job->instance, object);
}

void events_job(const struct job *job, const char *what)
{
    struct json_object *object = head(next_seq(job->daemon), EVENT_JOB, job->instance);

    json_add_string(object, "job", job->id);
    json_add_string(object, "method", job->method_name);
    json_add_string(object, "object", job->object);
    json_add_string(object, "state", what);
    json_add_string(object, "outcome", job->outcome);
    if (job->state == JOB_ENDED) {
        json_add_string(object, "note", job->note);
        if (job->took_s >= 0)
            json_add_double(object, "took_s", job->took_s);
    }
    keep(job->daemon, EVENT_JOB, job->instance, object);
    if (job->state == JOB_ENDED)
        tell_backup(job);
}

/* Beats only while somebody listens. */
static void events_on_beat(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    struct kept beat = { .kind = EVENT_HEARTBEAT };
    autoptr(json_object) object = head(daemon->events->seq, EVENT_HEARTBEAT, NULL);
    bool heard = false;

    for (struct client *client = server_clients(daemon); client != NULL; client = client->next)
        heard = heard || (client->kinds & EVENT_HEARTBEAT) != 0;
    if (!heard) {
        uv_timer_stop(timer);
        daemon->events->beating = false;
        return;
    }
    beat.line = xstrdup(json_line(object));
    send_to_all(daemon, &beat);
    free(beat.line);
}

static unsigned int kinds_of(struct json_object *array)
{
    size_t count = array != NULL ? json_object_array_length(array) : 0;
    unsigned int wanted = 0;

    for (size_t i = 0; i < count; i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(array, i));
        for (size_t j = 0; j < ARRAY_SIZE(kinds); j++)
            if (strcmp(kinds[j].word, word) == 0)
                wanted |= kinds[j].kind;
    }
    /* Heartbeats only for those who ask for them. */
    return array != NULL ? wanted : EVENT_STATUS | EVENT_JOB | EVENT_BACKUP;
}

/* Whether events after since are kept no more, or are of another boot. */
static bool has_missed(const struct events *events, struct json_object *since)
{
    const char *boot_id = json_get_string(since, "boot_id");
    int64_t seq = json_get_int(since, "seq");

    if (since == NULL)
        return false;
    if (boot_id == NULL || strcmp(boot_id, process_boot_id()) != 0 || seq > events->seq)
        return true;
    for (int64_t i = seq + 1; i <= events->seq; i++)
        if (i <= events->seq - KEPT || events->kept[i % KEPT].seq != i)
            return true;
    return false;
}

static void start_beating(struct daemon *daemon)
{
    if (daemon->events->beating)
        return;
    daemon->events->beating = true;
    uv_timer_start(&daemon->events->heartbeat, events_on_beat, HEARTBEAT_MS, HEARTBEAT_MS);
}

void events_subscribe(struct request *request)
{
    struct events *events = request->daemon->events;
    struct client *client = request->client;
    struct json_object *since = json_get(request->params, "since");
    struct json_object *result = json_object_new_object();
    bool missed = has_missed(events, since);
    int64_t from = since != NULL && !missed ? json_get_int(since, "seq") + 1 : events->seq + 1;

    client->kinds = kinds_of(json_get(request->params, "kinds"));
    free(client->instance);
    client->instance = xstrdup(json_get_string(request->params, "instance"));
    if ((client->kinds & EVENT_HEARTBEAT) != 0)
        start_beating(request->daemon);

    json_add_string(result, "boot_id", process_boot_id());
    json_add_int(result, "seq", events->seq);
    json_add_bool(result, "missed", missed);
    request_result(request, result);
    for (int64_t i = from; i <= events->seq && !client->closing; i++)
        send_to(client, &events->kept[i % KEPT]);
}
