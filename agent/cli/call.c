#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli.h"
#include "client.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "progress.h"

#define LOOK_EVERY_MS 100
#define RECONNECT_S 60.0
#define RECONNECT_QUIET_S 1.0
#define RECONNECT_EVERY_NS 200000000L

/* What stays while connections come and go. */
struct conversation {
    struct call *call;
    struct client *client;
    struct progress progress;
    int64_t id;       /* of the request */
    int64_t steps_id; /* of a job.show that was sent to hear of steps; 0: none is under way */
    int64_t other_id; /* the same for the job that this one waits for */
    char waited[64];  /* the place in the queue that was told last */
};

/* A random UUID: the same request, sent again, joins the same job. */
static void add_key(struct json_object *params)
{
    unsigned char bytes[16];
    char key[37];
    char *at = key;

    if (json_get(params, "idempotency_key") != NULL)
        return;
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        abort();
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        (void)snprintf(at, 3, "%02x", bytes[i]);
        at += 2;
    }
    *at = '\0';
    json_add_string(params, "idempotency_key", key);
}

static void ask_steps(struct conversation *talk)
{
    autoptr(json_object) params = json_object_new_object();

    if (talk->steps_id != 0 || talk->progress.job[0] == '\0')
        return;
    json_add_string(params, "job", talk->progress.job);
    talk->steps_id = client_send(talk->client, "job.show", params);
}

/* Who is waited for is asked before it is told, once for each place in the queue. */
static void ask_other(struct conversation *talk)
{
    const char *other = progress_waits_for(&talk->progress);
    char place[sizeof(talk->waited)];

    if (other == NULL)
        return;
    (void)snprintf(place, sizeof(place), "%s %lld", other,
                   (long long)json_get_int(talk->progress.last, "position"));
    if (strcmp(place, talk->waited) == 0)
        return;
    memcpy(talk->waited, place, sizeof(place));

    autoptr(json_object) params = json_object_new_object();
    json_add_string(params, "job", other);
    talk->other_id = client_send(talk->client, "job.show", params);
}

static void take_note(struct conversation *talk, struct json_object *message)
{
    const char *method = json_get_string(message, "method");
    struct json_object *params = json_get(message, "params");

    if (strcmp(method, "job.progress") != 0 || json_get_int(params, "id") != talk->id)
        return;
    if (progress_note(&talk->progress, params))
        ask_steps(talk);
    ask_other(talk);
}

/* Whether it was the answer. */
static bool take_message(struct conversation *talk, struct json_object *message)
{
    int64_t id = json_get_int(message, "id");

    if (json_get_string(message, "method") != NULL) {
        take_note(talk, message);
        return false;
    }
    if (id == talk->steps_id && id != 0) {
        talk->steps_id = 0;
        progress_steps(&talk->progress, json_get(json_get(message, "result"), "steps"));
        return false;
    }
    if (id == talk->other_id && id != 0) {
        talk->other_id = 0;
        progress_say_queued(&talk->progress, json_get(message, "result"));
        return false;
    }
    /* Without an id: the daemon could not make out which request it was, and this is the only one.
     */
    return id == talk->id ||
           (json_get(message, "id") == NULL && json_get(message, "error") != NULL);
}

/* The last steps, which ended with the job. */
static void show_last_steps(struct conversation *talk)
{
    struct error err = { 0 };
    autoptr(json_object) params = json_object_new_object();

    if (!progress_shows_steps(&talk->progress) || talk->progress.job[0] == '\0')
        return;
    json_add_string(params, "job", talk->progress.job);
    autoptr(json_object) job = client_call(talk->client, "job.show", params, &err);
    progress_steps(&talk->progress, json_get(job, "steps"));
    error_clear(&err);
}

static enum call_end take_answer(struct conversation *talk, struct json_object *message)
{
    struct json_object *error = json_get(message, "error");

    show_last_steps(talk);
    talk->call->answer = json_object_get(error != NULL ? error : json_get(message, "result"));
    return error != NULL ? CALL_ERROR : CALL_RESULT;
}

/* The job that is waited for; "" when it has no name yet. */
static const char *job_of(const struct conversation *talk)
{
    const char *job = json_get_string(talk->call->params, "job");
    bool waits = strcmp(talk->call->method, "job.wait") == 0 && job != NULL;

    return waits ? job : talk->progress.job;
}

static enum call_end interrupted(struct conversation *talk)
{
    const char *job = job_of(talk);

    progress_clear(&talk->progress);
    if (job[0] == '\0' && !talk->call->job)
        (void)fputc('\n', stderr);
    else if (job[0] != '\0')
        (void)fprintf(stderr,
                      "\n%s goes on: dbguestctl job show %s     to end it: dbguestctl job cancel "
                      "%s\n",
                      job, job, job);
    else
        (void)fputs("\nthe request may have been accepted: dbguestctl job list\n", stderr);
    return CALL_INTERRUPTED;
}

static bool send_request(struct conversation *talk)
{
    talk->steps_id = 0;
    talk->other_id = 0;
    talk->id = client_send(talk->client, talk->call->method, talk->call->params);
    return talk->id != 0;
}

static double reconnect_s(const struct call *call)
{
    double deadline = json_get_double(call->params, "deadline_s");

    return deadline > 0 && deadline < RECONNECT_S ? deadline : RECONNECT_S;
}

static void say_lost(struct conversation *talk)
{
    const char *job = job_of(talk);

    progress_clear(&talk->progress);
    if (talk->progress.kind == PROGRESS_NONE || talk->progress.kind == PROGRESS_JSON)
        return;
    (void)fprintf(stderr, "the daemon went away%s%s%s; waiting for the next one, at most %.0f s\n",
                  job[0] != '\0' ? ", " : "", job, job[0] != '\0' ? " goes on" : "",
                  reconnect_s(talk->call));
}

/* The daemon is restarted: the instances and the job go on meanwhile. */
static bool reconnect(struct conversation *talk, struct error *err)
{
    const struct timespec pause = { 0, RECONNECT_EVERY_NS };
    double since = process_clock_s();
    bool said = false;

    client_free(talk->client);
    talk->client = NULL;
    while (!client_interrupted() && process_clock_s() - since < reconnect_s(talk->call)) {
        if (!said && process_clock_s() - since > RECONNECT_QUIET_S) {
            say_lost(talk);
            said = true;
        }
        error_clear(err);
        talk->client = client_open(talk->call->cli->socket, err);
        if (talk->client != NULL && send_request(talk))
            return true;
        client_free(talk->client);
        talk->client = NULL;
        nanosleep(&pause, NULL);
    }
    return false;
}

static enum call_end lost(struct conversation *talk, struct error *err)
{
    const char *job = job_of(talk);

    if (client_interrupted())
        return interrupted(talk);
    progress_clear(&talk->progress);
    if (err->reason == ERROR_NONE)
        error_set(err, ERROR_INTERNAL, "the daemon went away");
    if (job[0] == '\0')
        return CALL_NO_DAEMON;
    error_prefix(err, "%s may go on without it", job);
    error_hint(err, "then: dbguestctl job wait %s", job);
    return CALL_NO_DAEMON;
}

static enum call_end talk_until_answer(struct conversation *talk, struct error *err)
{
    for (;;) {
        autoptr(json_object) message = NULL;

        switch (client_next(talk->client, LOOK_EVERY_MS, &message)) {
        case CLIENT_MESSAGE:
            if (take_message(talk, message))
                return take_answer(talk, message);
            break;
        case CLIENT_GONE:
            if (!reconnect(talk, err))
                return lost(talk, err);
            break;
        case CLIENT_INTERRUPTED:
            return interrupted(talk);
        case CLIENT_TIMEOUT:
            break;
        }
        progress_tick(&talk->progress);
    }
}

enum call_end call_run(struct call *call, struct error *err)
{
    struct conversation talk = { .call = call };
    double started = process_clock_s();
    enum call_end end = CALL_NO_DAEMON;

    if (call->job)
        add_key(call->params);
    progress_init(&talk.progress, call->cli, call->title, call->steps);
    talk.client = client_open(call->cli->socket, err);
    if (talk.client != NULL && (send_request(&talk) || reconnect(&talk, err)))
        end = talk_until_answer(&talk, err);
    progress_done(&talk.progress);
    client_free(talk.client);
    call->took_s = process_clock_s() - started;
    return end;
}
