#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "connection.h"
#include "engine.h"
#include "error.h"
#include "fake.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "task.h"
#include "text.h"

static bool run_tool(struct task *task, const char *verb, int input, bool on_data,
                     struct error *err)
{
    const char *const argv[] = { FAKE_PROGRAM, verb, NULL };
    const struct engine_tool tool = {
        .argv = argv, .input = input, .on_stopped_data = on_data, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    return engine_check_tool(task->engine, &tool, &result, err);
}

static bool write_gate(struct task *task, enum gate gate, struct error *err)
{
    autofree char *path = xasprintf("%s/gate", task->engine->conf);
    const char *word = gate == GATE_CLOSED ? "closed\n" : "open\n";

    return file_write(path, word, strlen(word), 0644, err);
}

static bool write_launch(struct task *task, struct error *err)
{
    const char *const argv[] = { FAKE_PROGRAM, "serve", NULL };
    const char *const env[] = { NULL };
    const struct launch launch = {
        .argv = argv, .env = env, .stop_signal = SIGTERM, .immediate_signal = SIGKILL
    };

    return engine_write_launch(task->engine, &launch, err);
}

bool fake_configure(struct task *task, struct json_object *settings, enum gate gate,
                    struct error *err)
{
    autofree char *path = xasprintf("%s/fake.conf", task->engine->conf);
    autotext struct text text = { 0 };
    struct json_object_iter setting;

    text_add(&text, "");
    json_object_object_foreachC (settings, setting) {
        if (strcmp(setting.key, "port") == 0)
            return error_set(err, ERROR_INVALID, "port is not a setting");
        text_printf(&text, "%s=%s\n", setting.key, json_object_get_string(setting.val));
    }
    if (task->engine->port > 0)
        text_printf(&text, "port=%d\n", task->engine->port);
    return file_make_folder(task->engine->conf, 0755, err) &&
           file_write(path, text.bytes, text.length, 0644, err) && write_gate(task, gate, err) &&
           write_launch(task, err);
}

bool fake_check_settings(struct task *task, struct error *err)
{
    return run_tool(task, "check", 0, false, err);
}

bool fake_reload(struct task *task, struct json_object *restart_needed, struct error *err)
{
    autoptr(json_object) settings = NULL;
    autofree char *path = xasprintf("%s/settings.json", task->engine->generation);

    settings = json_read_file(path, err);
    if (settings == NULL)
        return false;
    if (json_get(settings, "memory") != NULL)
        json_object_array_add(restart_needed, json_object_new_string("memory"));
    return true;
}

bool fake_initialize(struct task *task, struct error *err)
{
    return run_tool(task, "init", 0, true, err);
}

static bool answers(struct task *task, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    return connection != NULL;
}

bool fake_start(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process) && !engine_start(task->engine, true, &process, err))
        return false;
    return task_await_engine(task, answers, err);
}

/* Settling leaves a mark, so that a test sees whether it was taken back. */
bool fake_settle(struct task *task, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    return connection != NULL && connection_run(connection, err, "SET s:settled yes");
}

bool fake_unsettle(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;
    autoptr(connection) connection = connection_open(task, err);
    return connection != NULL && connection_run(connection, err, "DEL s:settled");
}

bool fake_before_stop(struct task *task, bool thorough, struct error *err)
{
    (void)thorough;
    return fake_unsettle(task, err);
}

/* The format is a digit behind the "F " that the data begins with. */
bool fake_migrate(struct task *task, struct engine *from, enum file_copy how, struct error *err)
{
    const struct file_copying copying = { .how = how };
    const struct engine *engine = task->engine;
    autofree char *path = xasprintf("%s/log", engine->files);

    if (!file_copy_tree(from->files, engine->files, &copying, err))
        return false;
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    return (fd >= 0 && pwrite(fd, engine->version, 1, 2) == 1 && fsync(fd) == 0) ||
           error_errno(err, "cannot migrate '%s'", path);
}

/* There is nothing to adapt; that it is called while the new version runs is what counts. */
bool fake_adapt(struct task *task, struct json_object *noted, bool migrated, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *info = connection == NULL ? NULL : connection_ask(connection, err, "INFO");

    (void)noted;
    if (info == NULL)
        return false;
    task_what(task, migrated ? "adapted" : "nothing to do");
    return true;
}

/* The engine reads its gate when it is signalled: whether it has is asked, not assumed. */
static bool move_running(struct task *task, struct connection *connection, enum gate gate,
                         struct error *err)
{
    struct process process;

    for (;;) {
        autofree char *now = connection_ask(connection, err, "GATE");

        if (now == NULL)
            return false;
        if ((strcmp(now, "closed") == 0) == (gate == GATE_CLOSED))
            return true;
        if (!engine_find(task->engine, &process))
            return error_set(err, ERROR_ENGINE, "the engine has gone");
        if (!process_signal(&process, SIGHUP, err) || !task_goes_on(task, err))
            return false;
        task_sleep_ms(task, 1);
    }
}

bool fake_gate(struct task *task, enum gate gate, int *ended, struct error *err)
{
    struct process process;

    if (ended != NULL)
        *ended = 0;
    if (!write_gate(task, gate, err))
        return false;
    if (!engine_find(task->engine, &process))
        return true;
    autoptr(connection) connection = connection_open(task, err);
    if (connection == NULL || !move_running(task, connection, gate, err))
        return false;
    if (gate == GATE_OPEN)
        return true;
    autofree char *kicked = connection_ask(connection, err, "KICK");
    if (kicked != NULL && ended != NULL)
        *ended = (int)strtol(kicked, NULL, 10);
    return kicked != NULL;
}

bool fake_strangers(struct task *task, int64_t before, int64_t *count, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *said = connection == NULL ? NULL : connection_ask(connection, err, "STRANGERS");

    (void)before;
    if (said != NULL)
        *count = strtol(said, NULL, 10);
    return said != NULL;
}

bool fake_evict(struct task *task, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    return connection != NULL && connection_run(connection, err, "EVICT dbguest.%s", task->job);
}

bool fake_status(struct task *task, struct json_object *status, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *info = connection == NULL ? NULL : connection_ask(connection, err, "INFO");
    autofree char *databases = info == NULL ? NULL : connection_ask(connection, err, "COUNT d:");
    char version[32];
    unsigned long long position = 0;
    unsigned long long bytes = 0;
    int clients = 0;

    if (databases == NULL)
        return false;
    if (sscanf(info, "%31s %llu %d %llu", version, &position, &clients, &bytes) != 4)
        return error_set(err, ERROR_ENGINE, "the engine speaks in riddles");
    autofree char *text = xasprintf("%llu", position);
    json_add_string(status, "version", version);
    json_add_string(status, "position", text);
    json_add_int(status, "clients", clients);
    json_add_int(status, "clients_max", 100);
    json_add_int(status, "size_bytes", (int64_t)bytes);
    json_add_int(status, "databases", strtol(databases, NULL, 10));
    json_add_array(status, "restart_needed");
    return true;
}

bool fake_restore(struct task *task, int input, struct json_object *manifest, struct error *err)
{
    (void)manifest;
    return run_tool(task, "load", input, true, err);
}
