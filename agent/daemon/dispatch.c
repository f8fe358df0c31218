#include "dispatch.h"

#include <limits.h>
#include <string.h>

#include "accept.h"
#include "agent.h"
#include "client.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "json.h"
#include "message.h"
#include "method.h"
#include "nearest.h"
#include "peer.h"
#include "read.h"
#include "request.h"
#include "scan.h"

#define METHOD_BYTES 64
#define METHODS_MAX 256

static const struct {
    const char *method;
    void (*answer)(struct request *request);
} own[] = {
    { "agent.info", agent_info },       { "agent.ping", agent_ping },
    { "agent.metrics", agent_metrics }, { "agent.subscribe", agent_subscribe },
    { "rpc.discover", agent_discover }, { "job.list", agent_job_list },
    { "job.show", agent_job_show },     { "job.wait", agent_job_wait },
    { "job.cancel", agent_job_cancel }, { "job.report", agent_job_report },
};

static bool span_is(const struct span *span, const char *word)
{
    return span->length == strlen(word) && memcmp(span->bytes, word, span->length) == 0;
}

/* What most callers ask most often needs no table, no JSON and no memory. */
static bool answer_ping(struct client *client, const struct scan *scan)
{
    static struct text line;

    if (!span_is(&scan->method, "agent.ping") || scan->id.bytes == NULL || !client->peer.allowed)
        return false;
    if (scan->params.bytes != NULL && !span_is(&scan->params, "{}"))
        return false;
    line.length = 0;
    message_pong(&line, scan->id.bytes, scan->id.length);
    client_send(client, line.bytes, line.length);
    return true;
}

static bool blame_method(const char *name, struct error *err)
{
    const char *names[METHODS_MAX];
    size_t count = 0;

    for (const struct method *method = methods; method->name != NULL && count < METHODS_MAX;
         method++)
        names[count++] = method->name;
    error_set(err, ERROR_UNSUPPORTED, "there is no method '%s'", name);
    const char *nearest = nearest_word(name, names, count);
    if (nearest != NULL)
        return error_hint(err, "did you mean '%s'?", nearest);
    return error_hint(err, "rpc.discover tells all methods");
}

static bool blame_peer(const struct client *client, const struct method *method, struct error *err)
{
    autofree char *name = peer_name(client->peer.uid);

    error_set(err, ERROR_DENIED, "%s may not call %s", name, method->name);
    return error_hint(err, "root and members of group '%s' may",
                      client->daemon->config->socket_group);
}

static void dispatch(struct request *request)
{
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (strcmp(own[i].method, request->method->name) == 0) {
            own[i].answer(request);
            return;
        }
    }
    if (method_is_job(request->method))
        accept_job(request);
    else
        read_start(request);
}

static void take_request(struct client *client, struct request *request, const struct scan *scan,
                         char *bytes, size_t length)
{
    struct error err = { 0 };
    char name[METHOD_BYTES];

    if (scan->method.length >= sizeof(name)) {
        error_set(&err, ERROR_UNSUPPORTED, "there is no method of such a long name");
        request_error_code(request, CODE_METHOD, &err);
        return;
    }
    memcpy(name, scan->method.bytes, scan->method.length);
    name[scan->method.length] = '\0';
    request->method = method_find(name);
    if (request->method == NULL) {
        blame_method(name, &err);
        request_error_code(request, CODE_METHOD, &err);
        return;
    }
    if (!client->peer.allowed) {
        blame_peer(client, request->method, &err);
        request_error(request, &err, NULL);
        return;
    }

    request->params = scan_params(scan, (size_t)client->daemon->config->depth);
    bool good = method_check_params(request->method, request->params, &err);
    /* It may have carried a secret. */
    if (method_is_job(request->method))
        explicit_bzero(bytes, length);
    if (good)
        dispatch(request);
    else
        request_error(request, &err, NULL);
}

static bool is_blank(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(" \t\r", bytes[i]) == NULL || bytes[i] == '\0')
            return false;
    return true;
}

void dispatch_line(struct client *client, char *bytes, size_t length)
{
    struct error err = { 0 };
    struct scan scan;
    bool good = scan_request(bytes, length, (size_t)client->daemon->config->depth, &scan, &err);

    if (good && answer_ping(client, &scan))
        return;
    if (!good && is_blank(bytes, length)) {
        error_clear(&err);
        return;
    }
    if (!good && scan.id.bytes == NULL)
        scan.id = (struct span){ "null", 4 };

    struct request *request = request_new(client, scan.id.bytes, scan.id.length);
    if (good)
        take_request(client, request, &scan, bytes, length);
    else
        request_error_code(request, scan.code, &err);
}
