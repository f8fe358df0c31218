#include "client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "daemon.h"
#include "dispatch.h"
#include "error.h"
#include "memory.h"
#include "message.h"
#include "request.h"
#include "scan.h"
#include "server.h"

#define TURN_BYTES ((size_t)8 * 1024)   /* read of a client in a turn of the loop: others wait */
#define CHUNK_BYTES ((size_t)64 * 1024) /* likewise, while a long line comes in */
#define SLOW_BYTES ((size_t)1024 * 1024)
#define DEAD_BYTES ((size_t)16 * 1024 * 1024)

/* One for all: what is read is worked off, or copied, before the next read. */
static char chunk[CHUNK_BYTES];
/* What a chunk's requests are answered at once goes out in one write. */
static struct text corked;
static struct client *corked_for;

struct write {
    uv_write_t handle;
    char bytes[];
};

static void work_off(struct client *client);

static size_t waiting_bytes(const struct client *client)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&client->pipe);
}

static void client_on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    text_done(&client->input);
    free(client->instance);
    free(client);
}

void client_close(struct client *client)
{
    if (client->closing)
        return;
    client->closing = true;
    if (corked_for == client)
        corked_for = NULL;
    while (client->calls != NULL) {
        struct request *request = client->calls;

        client->calls = request->next;
        request->client = NULL;
        if (request->gone != NULL)
            request->gone(request);
    }
    server_forget(client);
    if (client->input.bytes != NULL)
        explicit_bzero(client->input.bytes, client->input.length);
    uv_close((uv_handle_t *)&client->pipe, client_on_closed);
}

/* libuv reads one stream many times while there is more: without room it comes back in its turn. */
static void client_on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct client *client = handle->data;
    bool had_turn = client->turn == client->daemon->turn;

    (void)size;
    client->turn = client->daemon->turn;
    if (had_turn)
        *buffer = uv_buf_init(NULL, 0);
    else
        *buffer = uv_buf_init(chunk, client->input.length < TURN_BYTES ? TURN_BYTES : CHUNK_BYTES);
}

static bool may_read(const struct client *client)
{
    return !client->stalled && client->in_flight < client->daemon->config->requests_in_flight;
}

/* After half a close: once the last answer is out, there is nothing left to do. What has no end of
 * line never was a request. */
static void close_if_done(struct client *client)
{
    bool lines_left =
        client->input.length > 0 && memchr(client->input.bytes, '\n', client->input.length) != NULL;

    if (client->half_closed && client->calls == NULL && !lines_left && waiting_bytes(client) == 0)
        client_close(client);
}

static void client_on_written(uv_write_t *handle, int status)
{
    struct client *client = handle->data;

    free((char *)handle - offsetof(struct write, handle));
    if (client->closing)
        return;
    if (status < 0) {
        client_close(client);
        return;
    }
    if (client->stalled && waiting_bytes(client) < SLOW_BYTES / 2) {
        client->stalled = false;
        work_off(client);
    }
    if (!client->closing)
        close_if_done(client);
}

/* What the socket does not take at once is kept, within bounds. */
static void send_now(struct client *client, char *bytes, size_t length)
{
    uv_stream_t *stream = (uv_stream_t *)&client->pipe;
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned int)length);
    int sent = waiting_bytes(client) == 0 ? uv_try_write(stream, &buffer, 1) : 0;

    if (sent < 0 && sent != UV_EAGAIN) {
        client_close(client);
        return;
    }
    size_t left = length - (size_t)(sent > 0 ? sent : 0);
    if (left == 0)
        return;
    if (waiting_bytes(client) + left > DEAD_BYTES) {
        client_close(client);
        return;
    }

    struct write *write = xmalloc(sizeof(*write) + left);
    memcpy(write->bytes, bytes + length - left, left);
    write->handle.data = client;
    buffer = uv_buf_init(write->bytes, (unsigned int)left);
    if (uv_write(&write->handle, stream, &buffer, 1, client_on_written) != 0) {
        free(write);
        client_close(client);
        return;
    }
    client->stalled = client->stalled || waiting_bytes(client) > SLOW_BYTES;
}

static void flush(struct client *client)
{
    corked_for = NULL;
    if (corked.length > 0 && !client->closing)
        send_now(client, corked.bytes, corked.length);
    corked.length = 0;
    if (corked.room > 2 * CHUNK_BYTES) {
        text_done(&corked);
        corked = (struct text){ 0 };
    }
}

/* Returns whose answers were kept together so far: working off one client's lines may free another
 * to go on. */
static struct client *cork(struct client *client)
{
    struct client *outer = corked_for;

    if (outer != NULL)
        flush(outer);
    corked_for = client;
    return outer;
}

static void uncork(struct client *client, struct client *outer)
{
    flush(client);
    corked_for = outer;
}

void client_send(struct client *client, char *bytes, size_t length)
{
    if (client->closing)
        return;
    if (corked_for != client) {
        send_now(client, bytes, length);
        return;
    }
    text_add_bytes(&corked, bytes, length);
    if (corked.length < CHUNK_BYTES)
        return;
    flush(client);
    corked_for = client->closing ? NULL : client;
}

void client_notify(struct client *client, char *bytes, size_t length)
{
    if (waiting_bytes(client) <= SLOW_BYTES)
        client_send(client, bytes, length);
}

/* The last thing that this client hears. */
static void refuse(struct client *client, struct error *err)
{
    autotext struct text line = { 0 };

    message_error(&line, "null", CODE_REQUEST, err, NULL);
    error_clear(err);
    client_send(client, line.bytes, line.length);
    if (corked_for == client)
        flush(client);
    client_close(client);
}

/* Works off whole lines as long as there may be more calls; returns the bytes used. */
static size_t take_lines(struct client *client, char *bytes, size_t length)
{
    size_t used = 0;

    while (used < length && may_read(client) && !client->closing) {
        char *end = memchr(bytes + used, '\n', length - used);
        size_t line = end != NULL ? (size_t)(end - bytes) - used : length - used;

        if (line > (size_t)client->daemon->config->line_bytes) {
            struct error err = { 0 };
            error_set(&err, ERROR_INVALID, "a line has at most %lld bytes",
                      (long long)client->daemon->config->line_bytes);
            refuse(client, &err);
            return used;
        }
        if (end == NULL)
            break;
        dispatch_line(client, bytes + used, line);
        used += line + 1;
    }
    return used;
}

static void keep_rest(struct client *client, size_t used)
{
    struct text *input = &client->input;

    if (used == input->length) {
        text_done(input);
        *input = (struct text){ 0 };
        return;
    }
    memmove(input->bytes, input->bytes + used, input->length - used);
    input->length -= used;
}

static void set_reading(struct client *client);

static void work_off(struct client *client)
{
    struct client *outer = cork(client);
    size_t used = take_lines(client, client->input.bytes, client->input.length);

    if (used > 0 && !client->closing)
        keep_rest(client, used);
    uncork(client, outer);
    if (!client->closing)
        set_reading(client);
}

static void take_chunk(struct client *client, char *bytes, size_t length)
{
    if (client->input.length > 0) {
        text_add_bytes(&client->input, bytes, length);
        work_off(client);
        return;
    }

    struct client *outer = cork(client);
    size_t used = take_lines(client, bytes, length);

    if (used < length && !client->closing)
        text_add_bytes(&client->input, bytes + used, length - used);
    uncork(client, outer);
    if (!client->closing)
        set_reading(client);
}

/* Whether the peer has closed both ways: then nobody waits for an answer. */
static bool peer_is_gone(struct client *client)
{
    struct pollfd state = { .events = 0 };

    return uv_fileno((uv_handle_t *)&client->pipe, &state.fd) != 0 ||
           (poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0);
}

static void client_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct client *client = stream->data;

    if (length > 0)
        take_chunk(client, buffer->base, (size_t)length);
    if (length >= 0 || length == UV_ENOBUFS)
        return;
    if (length != UV_EOF || peer_is_gone(client)) {
        client_close(client);
        return;
    }
    client->half_closed = true;
    uv_read_stop(stream);
    close_if_done(client);
}

static void set_reading(struct client *client)
{
    uv_stream_t *stream = (uv_stream_t *)&client->pipe;

    if (client->half_closed)
        return;
    if (!may_read(client))
        uv_read_stop(stream);
    else
        (void)uv_read_start(stream, client_on_alloc, client_on_read);
}

void client_call_ended(struct client *client)
{
    client->in_flight--;
    if (client->closing || corked_for == client)
        return;
    if (client->in_flight == client->daemon->config->requests_in_flight - 1 || client->half_closed)
        work_off(client);
    if (!client->closing)
        close_if_done(client);
}

struct client *client_accept(struct daemon *daemon, uv_stream_t *listening)
{
    struct client *client = xcalloc(1, sizeof(*client));
    int fd = -1;

    client->daemon = daemon;
    uv_pipe_init(daemon->loop, &client->pipe, 0);
    client->pipe.data = client;
    if (uv_accept(listening, (uv_stream_t *)&client->pipe) != 0) {
        uv_close((uv_handle_t *)&client->pipe, client_on_closed);
        return NULL;
    }
    uv_fileno((uv_handle_t *)&client->pipe, &fd);
    peer_find(fd, daemon->config->socket_group, &client->peer);
    uv_read_start((uv_stream_t *)&client->pipe, client_on_alloc, client_on_read);
    return client;
}
