/*
 * bench-echo SOCKET - what libuv and json-c alone make of a request: a line is parsed, its id is
 * put into an answer, the answer is printed and sent. No validation, no limits.
 */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define ROOM ((size_t)64 * 1024)

struct peer {
    uv_pipe_t pipe;
    struct json_tokener *parser;
    size_t length;
    char line[ROOM];
};

struct answer {
    uv_write_t write;
    size_t length;
    char bytes[];
};

static void echo_on_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;

    json_tokener_free(peer->parser);
    free(peer);
}

static void echo_on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
}

static void send_line(struct peer *peer, const char *text, size_t length)
{
    uv_stream_t *stream = (uv_stream_t *)&peer->pipe;
    uv_buf_t bytes = uv_buf_init((char *)(uintptr_t)text, (unsigned int)length);
    int sent = uv_try_write(stream, &bytes, 1);

    if (sent == (int)length)
        return;
    sent = sent < 0 ? 0 : sent;
    struct answer *rest = malloc(sizeof(*rest) + length);
    rest->write.data = rest;
    rest->length = length - (size_t)sent;
    memcpy(rest->bytes, text + sent, rest->length);
    bytes = uv_buf_init(rest->bytes, (unsigned int)rest->length);
    uv_write(&rest->write, stream, &bytes, 1, echo_on_written);
}

static void answer(struct peer *peer, const char *line, size_t length)
{
    static char out[ROOM];
    struct json_object *reply = json_object_new_object();
    struct json_object *result = json_object_new_object();

    json_tokener_reset(peer->parser);
    struct json_object *request = json_tokener_parse_ex(peer->parser, line, (int)length);
    struct json_object *id = json_object_object_get(request, "id");
    struct json_object *method = json_object_object_get(request, "method");

    json_object_object_add(reply, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(reply, "id", json_object_get(id));
    json_object_object_add(
        result, "ok",
        json_object_new_boolean(method != NULL &&
                                strcmp(json_object_get_string(method), "agent.ping") == 0));
    json_object_object_add(reply, "result", result);
    size_t size = 0;
    const char *text = json_object_to_json_string_length(reply, JSON_C_TO_STRING_PLAIN, &size);
    if (size < ROOM) {
        memcpy(out, text, size);
        out[size] = '\n';
        send_line(peer, out, size + 1);
    }
    json_object_put(reply);
    json_object_put(request);
}

static void echo_on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct peer *peer = handle->data;

    (void)wanted;
    *buffer = uv_buf_init(peer->line + peer->length, (unsigned int)(ROOM - peer->length));
}

static void echo_on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;

    (void)buffer;
    if (count < 0) {
        uv_close((uv_handle_t *)stream, echo_on_closed);
        return;
    }
    peer->length += (size_t)count;
    char *from = peer->line;
    char *end = peer->line + peer->length;
    for (char *feed; (feed = memchr(from, '\n', (size_t)(end - from))) != NULL; from = feed + 1)
        answer(peer, from, (size_t)(feed - from));
    peer->length = (size_t)(end - from);
    memmove(peer->line, from, peer->length);
}

static void echo_on_connection(uv_stream_t *server, int status)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (status < 0 || peer == NULL)
        abort();
    peer->parser = json_tokener_new();
    uv_pipe_init(server->loop, &peer->pipe, 0);
    peer->pipe.data = peer;
    if (uv_accept(server, (uv_stream_t *)&peer->pipe) == 0)
        uv_read_start((uv_stream_t *)&peer->pipe, echo_on_alloc, echo_on_read);
    else
        uv_close((uv_handle_t *)&peer->pipe, echo_on_closed);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_pipe_t server;

    if (argc != 2)
        return 64;
    signal(SIGPIPE, SIG_IGN);
    uv_pipe_init(loop, &server, 0);
    if (uv_pipe_bind(&server, argv[1]) != 0 ||
        uv_listen((uv_stream_t *)&server, 512, echo_on_connection) != 0) {
        perror(argv[1]);
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
