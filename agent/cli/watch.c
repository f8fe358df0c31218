#include "watch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cell.h"
#include "cli.h"
#include "client.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "report.h"
#include "screen.h"
#include "show.h"
#include "text.h"
#include "units.h"

#define RECONNECT_S 60.0
#define RECONNECT_EVERY_NS 200000000L

/* "ACTIVE -> UPGRADE", "instance.upgrade ok, outage 0.19 s", or what else there is. */
static void add_story(struct json_object *event, struct text *out)
{
    static const char *const told[] = { "object",   "seq",     "boot_id", "time", "kind",
                                        "instance", "job",     "status",  "was",  "method",
                                        "state",    "outcome", "note" };
    autofree char *status = show_member(event, "status");
    autofree char *was = show_member(event, "was");
    autofree char *method = show_member(event, "method");
    autofree char *state = show_member(event, show_has(event, "outcome") ? "outcome" : "state");
    struct json_object_iter member;

    if (show_has(event, "status"))
        text_printf(out, "%s -> %s", was, status);
    if (show_has(event, "method"))
        text_printf(out, "%s %s", method, state);
    json_object_object_foreachC (event, member) {
        bool said = member.val == NULL;
        for (size_t i = 0; i < ARRAY_SIZE(told) && !said; i++)
            said = strcmp(told[i], member.key) == 0;
        if (said)
            continue;
        autofree char *value = cell_text(member.key, member.val, false);
        autofree char *title = cell_title(member.key);
        for (char *at = title; *at != '\0'; at++)
            *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
        text_printf(out, "%s%s %s", out->length > 0 ? ", " : "", title, value);
    }
    autofree char *note = show_member(event, "note");
    if (show_has(event, "note"))
        text_printf(out, ": %s", note);
}

static void print_event(const struct cli *cli, struct json_object *event)
{
    const char *stamp = json_get_string(event, "time");
    autofree char *clock = units_clock(stamp != NULL ? stamp : "-");
    autofree char *kind = show_member(event, "kind");
    autofree char *instance = show_member(event, "instance");
    autofree char *job = show_member(event, "job");
    autotext struct text story = { 0 };

    if (cli->json) {
        (void)printf("%s\n", json_line(event));
        (void)fflush(stdout);
        return;
    }
    text_add(&story, "");
    add_story(event, &story);
    (void)printf("%s  %-9s  %-8s  %-38s%s%s\n", clock, kind, instance, story.bytes,
                 show_has(event, "job") ? "  " : "", show_has(event, "job") ? job : "");
    (void)fflush(stdout);
}

/* Where to go on after the connection was lost. */
static void remember_place(struct json_object *params, struct json_object *from)
{
    struct json_object *since = NULL;
    const char *boot = json_get_string(from, "boot_id");

    if (boot == NULL || json_get(from, "seq") == NULL)
        return;
    since = json_add_object(params, "since");
    json_add_string(since, "boot_id", boot);
    json_add_int(since, "seq", json_get_int(from, "seq"));
}

/* Until the connection is lost (-1) or it is over: the exit code. */
static int listen(const struct cli *cli, struct client *client, struct json_object *params)
{
    int64_t id = client_send(client, "agent.subscribe", params);

    for (;;) {
        autoptr(json_object) message = NULL;
        enum client_state state = client_next(client, -1, &message);

        if (state == CLIENT_INTERRUPTED)
            return EXIT_INTERRUPTED;
        if (state == CLIENT_GONE || id == 0)
            return -1;
        if (json_get(message, "error") != NULL)
            return report_answer(cli, json_get(message, "error"));
        if (json_get_string(message, "method") != NULL) {
            struct json_object *event = json_get(message, "params");
            print_event(cli, event);
            remember_place(params, event);
            continue;
        }
        struct json_object *result = json_get(message, "result");
        if (json_get_bool(result, "missed"))
            (void)fputs("some events were missed; read the lists again\n", stderr);
        if (json_get(params, "since") == NULL)
            remember_place(params, result);
    }
}

static struct client *connect_again(const struct cli *cli, struct error *err)
{
    const struct timespec pause = { 0, RECONNECT_EVERY_NS };
    double until = process_clock_s() + RECONNECT_S;
    struct client *client = NULL;

    while (client == NULL && !client_interrupted() && process_clock_s() < until) {
        error_clear(err);
        nanosleep(&pause, NULL);
        client = client_open(cli->socket, err);
    }
    return client;
}

int watch_run(const struct cli *cli, struct json_object *params)
{
    struct error err = { 0 };
    struct client *client = client_open(cli->socket, &err);
    int code = -1;

    while (client != NULL) {
        code = listen(cli, client, params);
        client_free(client);
        if (code >= 0)
            return code;
        client = connect_again(cli, &err);
    }
    code = client_interrupted() ? (int)EXIT_INTERRUPTED : report_no_daemon(cli, &err);
    error_clear(&err);
    return code;
}
