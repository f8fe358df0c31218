#include "client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "text.h"

#define READ_BYTES 65536
#define CALL_TIMEOUT_MS 10000

struct client {
    int fd;
    int64_t last_id;
    struct text in;  /* what was read and not yet taken */
    size_t searched; /* so much of it holds no newline */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void client_catch_interrupt(void)
{
    /* Without SA_RESTART: poll() is to come back. */
    struct sigaction action = { .sa_handler = on_interrupt };

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool client_interrupted(void)
{
    return interrupted != 0;
}

/* strerror() in lower case, as messages are. */
static bool no_daemon(struct error *err, const char *path, int number)
{
    autofree char *why = xstrdup(strerror(number));

    if (why[0] >= 'A' && why[0] <= 'Z')
        why[0] = (char)(why[0] - 'A' + 'a');
    return error_set(err, ERROR_INTERNAL, "no dbguestd at %s: %s", path, why);
}

struct client *client_open(const char *path, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        no_daemon(err, path, ENAMETOOLONG);
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);

    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        no_daemon(err, path, errno);
        return NULL;
    }

    struct client *client = xcalloc(1, sizeof(*client));
    client->fd = steal_fd(&fd);
    return client;
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    close(client->fd);
    if (client->in.bytes != NULL)
        explicit_bzero(client->in.bytes, client->in.length);
    text_done(&client->in);
    free(client);
}

static bool send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

int64_t client_send(struct client *client, const char *method, struct json_object *params)
{
    autotext struct text line = { 0 };
    autoptr(json_object) name = json_object_new_string(method);

    client->last_id++;
    text_printf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":%s,\"params\":",
                (long long)client->last_id, json_line(name));
    text_add(&line, params != NULL ? json_line(params) : "{}");
    text_add(&line, "}\n");
    bool sent = send_all(client->fd, line.bytes, line.length);
    /* There may be a password in it. */
    explicit_bzero(line.bytes, line.length);
    return sent ? client->last_id : 0;
}

/* Takes the first whole line; NULL when there is none yet, or it is no JSON. */
static struct json_object *take_line(struct client *client)
{
    struct text *in = &client->in;
    struct error err = { 0 };
    struct json_object *message = NULL;
    const char *end = NULL;

    while (message == NULL && in->length > client->searched &&
           (end = memchr(in->bytes + client->searched, '\n', in->length - client->searched)) !=
               NULL) {
        size_t length = (size_t)(end - in->bytes);
        message = json_parse(in->bytes, length, &err);
        error_clear(&err);
        in->length -= length + 1;
        memmove(in->bytes, end + 1, in->length);
        client->searched = 0;
    }
    if (message == NULL)
        client->searched = in->length;
    return message;
}

static enum client_state read_more(struct client *client, int timeout_ms)
{
    struct pollfd wait = { .fd = client->fd, .events = POLLIN };
    char bytes[READ_BYTES];

    if (interrupted)
        return CLIENT_INTERRUPTED;
    int ready = poll(&wait, 1, timeout_ms);
    if (ready < 0)
        return interrupted ? CLIENT_INTERRUPTED : CLIENT_TIMEOUT;
    if (ready == 0)
        return CLIENT_TIMEOUT;

    ssize_t got = read(client->fd, bytes, sizeof(bytes));
    if (got <= 0)
        return CLIENT_GONE;
    text_add_bytes(&client->in, bytes, (size_t)got);
    return CLIENT_MESSAGE;
}

enum client_state client_next(struct client *client, int timeout_ms, struct json_object **out)
{
    double until = process_clock_s() + timeout_ms / 1000.0;

    for (;;) {
        *out = take_line(client);
        if (*out != NULL)
            return CLIENT_MESSAGE;

        int left_ms = timeout_ms;
        if (timeout_ms >= 0) {
            double left_s = until - process_clock_s();
            left_ms = left_s > 0 ? (int)(left_s * 1000) + 1 : 0;
        }
        enum client_state state = read_more(client, left_ms);
        if (state != CLIENT_MESSAGE)
            return state;
    }
}

void client_read_error(struct json_object *error, struct error *err)
{
    autoptr(json_object) data = json_copy(json_get(error, "data"));

    if (data == NULL)
        data = json_object_new_object();
    json_add_string(data, "message", json_get_string(error, "message"));
    error_from_json(err, data);
}

struct json_object *client_call(struct client *client, const char *method,
                                struct json_object *params, struct error *err)
{
    int64_t id = client_send(client, method, params);

    while (id != 0) {
        autoptr(json_object) message = NULL;
        if (client_next(client, CALL_TIMEOUT_MS, &message) != CLIENT_MESSAGE)
            break;
        if (json_get(message, "method") != NULL || json_get_int(message, "id") != id)
            continue;
        struct json_object *error = json_get(message, "error");
        if (error == NULL)
            return json_object_get(json_get(message, "result"));
        client_read_error(error, err);
        return NULL;
    }
    error_set(err, ERROR_INTERNAL, "the daemon did not answer %s", method);
    return NULL;
}
