#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <uv.h>

#include "client.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "scan.h"

#define BACKLOG 1024

struct server {
    uv_pipe_t listening;
    uv_check_t turns;
    struct client *clients;
    int64_t count;
};

static void add(struct server *server, struct client *client)
{
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->clients = client;
    server->count++;
}

void server_forget(struct client *client)
{
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    client->daemon->server->count--;
}

static void refuse(struct client *client)
{
    struct error err = { 0 };
    autotext struct text line = { 0 };

    error_set(&err, ERROR_BUSY, "there are %lld connections already",
              (long long)client->daemon->config->connections);
    message_error(&line, "null", 0, &err, NULL);
    client_send(client, line.bytes, line.length);
    client_close(client);
}

static void server_on_connection(uv_stream_t *stream, int status)
{
    struct daemon *daemon = stream->data;

    if (status < 0) {
        log_error("cannot accept a connection: %s", uv_strerror(status));
        return;
    }

    struct client *client = client_accept(daemon, stream);
    if (client == NULL)
        return;
    add(daemon->server, client);
    if (daemon->server->count > daemon->config->connections)
        refuse(client);
}

static void server_on_turn(uv_check_t *turns)
{
    struct daemon *daemon = turns->data;

    daemon->turn++;
}

static void count_turns(struct daemon *daemon, uv_check_t *turns)
{
    daemon->turn = 1;
    turns->data = daemon;
    uv_check_init(daemon->loop, turns);
    uv_check_start(turns, server_on_turn);
    uv_unref((uv_handle_t *)turns);
}

/* Made with no rights at first, so that nobody connects before its group is right. */
static bool make_socket(struct server *server, const struct config *config, struct error *err)
{
    gid_t group = peer_group(config->socket_group);

    if (unlink(config->socket) != 0 && errno != ENOENT)
        return error_errno(err, "cannot remove '%s'", config->socket);
    mode_t mask = umask(0777);
    int failure = uv_pipe_bind(&server->listening, config->socket);
    umask(mask);
    if (failure != 0)
        return error_set(err, ERROR_INTERNAL, "cannot make '%s': %s", config->socket,
                         uv_strerror(failure));
    if (group != (gid_t)-1 && lchown(config->socket, (uid_t)-1, group) != 0)
        return error_errno(err, "cannot give '%s' to its group", config->socket);
    if (chmod(config->socket, (mode_t)config->socket_mode) != 0)
        return error_errno(err, "cannot set the mode of '%s'", config->socket);
    return true;
}

bool server_start(struct daemon *daemon, struct error *err)
{
    struct server *server = xcalloc(1, sizeof(*server));
    int handed_over = sd_listen_fds(1);

    daemon->server = server;
    count_turns(daemon, &server->turns);
    uv_pipe_init(daemon->loop, &server->listening, 0);
    server->listening.data = daemon;
    if (handed_over == 1) {
        int failure = uv_pipe_open(&server->listening, SD_LISTEN_FDS_START);
        if (failure != 0)
            return error_set(err, ERROR_INTERNAL, "cannot use the socket handed over: %s",
                             uv_strerror(failure));
    } else if (!make_socket(server, daemon->config, err)) {
        return false;
    }

    int failure = uv_listen((uv_stream_t *)&server->listening, BACKLOG, server_on_connection);
    if (failure != 0)
        return error_set(err, ERROR_INTERNAL, "cannot listen on '%s': %s", daemon->config->socket,
                         uv_strerror(failure));
    return true;
}

void server_stop(struct daemon *daemon)
{
    if (daemon->server != NULL && !uv_is_closing((uv_handle_t *)&daemon->server->listening))
        uv_close((uv_handle_t *)&daemon->server->listening, NULL);
}

struct client *server_clients(const struct daemon *daemon)
{
    return daemon->server != NULL ? daemon->server->clients : NULL;
}

size_t server_client_count(const struct daemon *daemon)
{
    return daemon->server != NULL ? (size_t)daemon->server->count : 0;
}
