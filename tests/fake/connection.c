#include "connection.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "engine.h"
#include "error.h"
#include "memory.h"
#include "task.h"
#include "text.h"

struct connection *connection_open(struct task *task, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/fake.sock", task->engine->sockets);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        cleanup_close(&fd);
        error_set(err, ERROR_ENGINE, "'%s' does not answer", task->engine->instance);
        return NULL;
    }
    autoptr(connection) connection = xcalloc(1, sizeof(*connection));
    connection->file = fdopen(fd, "r+");
    if (!connection_run(connection, err, "AGENT dbguest.%s", task->job))
        return NULL;
    return steal(connection);
}

void connection_free(struct connection *connection)
{
    if (connection == NULL)
        return;
    fclose(connection->file);
    free(connection);
}

static char *hear(struct connection *connection, struct error *err)
{
    char line[8192];

    if (fgets(line, sizeof(line), connection->file) == NULL) {
        error_set(err, ERROR_ENGINE, "the engine has gone");
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    if (text_starts(line, "ERR ")) {
        error_set(err, ERROR_ENGINE, "the engine refuses");
        error_native(err, line + strlen("ERR "));
        return NULL;
    }
    return xstrdup(text_starts(line, "OK ") ? line + strlen("OK ") : "");
}

__attribute__((format(printf, 2, 0))) static bool say(struct connection *connection,
                                                      const char *format, va_list arguments)
{
    vfprintf(connection->file, format, arguments);
    fputc('\n', connection->file);
    return fflush(connection->file) == 0;
}

char *connection_ask(struct connection *connection, struct error *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    bool said = say(connection, format, arguments);
    va_end(arguments);
    if (!said) {
        error_set(err, ERROR_ENGINE, "the engine has gone");
        return NULL;
    }
    return hear(connection, err);
}

bool connection_run(struct connection *connection, struct error *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    bool said = say(connection, format, arguments);
    va_end(arguments);
    if (!said)
        return error_set(err, ERROR_ENGINE, "the engine has gone");
    autofree char *answer = hear(connection, err);
    return answer != NULL;
}

bool connection_list(struct connection *connection, const char *prefix,
                     bool (*row)(const char *name, const char *value, void *context), void *context,
                     struct error *err)
{
    autofree char *count = connection_ask(connection, err, "LIST %s", prefix);
    bool wanted = true;

    if (count == NULL)
        return false;
    for (size_t left = strtoul(count, NULL, 10); left > 0; left--) {
        char line[8192];

        if (fgets(line, sizeof(line), connection->file) == NULL)
            return error_set(err, ERROR_ENGINE, "the engine has gone");
        line[strcspn(line, "\n")] = '\0';
        char *value = strchr(line, ' ');
        if (value != NULL)
            *value++ = '\0';
        wanted = wanted && row(line + strlen(prefix), value == NULL ? "" : value, context);
    }
    return true;
}
