#include "request.h"

#include <stdlib.h>

#include "client.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "message.h"

struct request *request_new(struct client *client, const char *id, size_t id_length)
{
    struct request *request = xcalloc(1, sizeof(*request));

    request->daemon = client->daemon;
    request->client = client;
    request->uid = client->peer.uid;
    request->id = id != NULL ? xstrndup(id, id_length) : NULL;
    request->next = client->calls;
    request->link = &client->calls;
    if (request->next != NULL)
        request->next->link = &request->next;
    client->calls = request;
    client->in_flight++;
    return request;
}

void request_drop(struct request *request)
{
    struct client *client = request->client;

    if (client != NULL) {
        *request->link = request->next;
        if (request->next != NULL)
            request->next->link = request->link;
    }
    json_object_put(request->params);
    free(request->id);
    free(request);
    if (client != NULL)
        client_call_ended(client);
}

void request_result_text(struct request *request, const char *result)
{
    autotext struct text line = { 0 };

    if (request->client != NULL && request->id != NULL) {
        message_result(&line, request->id, result);
        client_send(request->client, line.bytes, line.length);
    }
    request_drop(request);
}

void request_result(struct request *request, struct json_object *result)
{
    autoptr(json_object) owned = result;

    request_result_text(request, json_line(owned));
}

static void answer_error(struct request *request, int code, struct error *err, const char *job)
{
    autotext struct text line = { 0 };

    if (request->client != NULL && request->id != NULL) {
        message_error(&line, request->id, code, err, job);
        client_send(request->client, line.bytes, line.length);
    }
    error_clear(err);
    request_drop(request);
}

void request_error(struct request *request, struct error *err, const char *job)
{
    answer_error(request, 0, err, job);
}

void request_error_code(struct request *request, int code, struct error *err)
{
    answer_error(request, code, err, NULL);
}

void request_progress(struct request *request, struct json_object *params)
{
    autoptr(json_object) owned = params;
    autotext struct text line = { 0 };

    if (request->client == NULL || request->id == NULL)
        return;
    message_note(&line, "job.progress", json_line(owned));
    client_notify(request->client, line.bytes, line.length);
}
