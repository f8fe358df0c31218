/*
 * instance.list, instance.show, instance.log.
 */
#include "command.h"

#include <string.h>

#include "catalogue.h"
#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "place.h"
#include "process.h"
#include "site.h"
#include "state.h"
#include "upgrade_check.h"
#include "version.h"

static void add_attention(struct json_object *row, const char *reason, const char *message,
                          const char *hint)
{
    struct json_object *attention = json_get(row, "attention");
    struct json_object *item = json_object_new_object();

    if (attention == NULL)
        attention = json_add_array(row, "attention");
    json_add_string(item, "reason", reason);
    json_add_string(item, "message", message);
    json_add_string(item, "hint", hint);
    json_object_array_add(attention, item);
}

static void move(struct json_object *row, const char *to, struct json_object *status,
                 const char *from)
{
    struct json_object *value = json_get(status, from);

    if (value != NULL)
        json_add(row, to, json_copy(value));
}

static void fill_clients(struct json_object *row, struct json_object *status)
{
    autofree char *clients = xasprintf("%lld/%lld", (long long)json_get_int(status, "clients"),
                                       (long long)json_get_int(status, "clients_max"));

    json_add_string(row, "clients", json_get(status, "clients") == NULL ? NULL : clients);
}

static void note_restart(struct task *task, struct json_object *row, struct json_object *names)
{
    const char *first = json_object_get_string(json_object_array_get_idx(names, 0));
    size_t count = json_object_array_length(names);
    autofree char *message =
        count == 1 ? xasprintf("%s waits for a restart", first)
                   : xasprintf("%s and %zu more wait for a restart", first, count - 1);
    autofree char *hint = xasprintf("dbguestctl instance restart %s", task->engine->instance);

    json_add_string(row, "status", "RESTART_REQUIRED");
    add_attention(row, "restart_required", message, hint);
}

/* What the serving engine says of itself. */
static void fill_from_engine(struct task *task, struct json_object *row)
{
    autoptr(json_object) status = json_object_new_object();
    struct error err = { 0 };

    json_add_string(row, "status", "ACTIVE");
    if (!task->store->status(task, status, &err)) {
        autofree char *hint = xasprintf("dbguestctl instance log %s", task->engine->instance);

        json_add_string(row, "status", "ERROR");
        add_attention(row, error_word(err.reason), err.message, hint);
        error_clear(&err);
        return;
    }
    move(row, "up_s", status, "uptime_s");
    move(row, "size_bytes", status, "size_bytes");
    move(row, "databases", status, "databases");
    move(row, "position", status, "position");
    move(row, "by_memory", status, "memory");
    fill_clients(row, status);
    struct json_object *waiting = json_get(status, "restart_needed");
    if (waiting != NULL && json_object_array_length(waiting) > 0)
        note_restart(task, row, waiting);
}

static void fill_when_down(struct task *task, struct json_object *row)
{
    const char *name = task->engine->instance;
    bool wanted = place_wanted(task->engine->folder);
    autofree char *hint = xasprintf("dbguestctl instance log %s", name);

    json_add_string(row, "status", wanted ? "ERROR" : "SHUTDOWN");
    json_add_int(row, "size_bytes", (int64_t)file_tree_bytes(task->engine->files));
    if (wanted)
        add_attention(row, "engine", "it should run and does not", hint);
}

static void fill_backup(struct task *task, struct json_object *row)
{
    autoptr(json_object) newest = catalogue_newest(task->site, task->engine->instance);

    if (newest == NULL)
        return;
    json_add_double(row, "backup_age_s",
                    process_time_s() - json_get_double(newest, "created_time"));
    json_add_string(row, "backup", json_get_string(newest, "backup"));
    json_add(row, "backup_verified_at", json_copy(json_get(newest, "verified_at")));
}

/* What check_upgrade would choose by itself. */
static void fill_newer(struct task *task, struct json_object *row)
{
    autofree char *newest = upgrade_newest(task);

    if (newest != NULL)
        json_add_string(row, "newer", newest);
}

static void fill_details(struct task *task, struct json_object *row)
{
    const struct engine *engine = task->engine;
    struct error ignored = { 0 };
    autofree char *path = xasprintf("%s/instance.json", engine->folder);
    autoptr(json_object) facts = json_read_file(path, &ignored);
    autoptr(json_object) manifest =
        version_find(task->site, engine->datastore, engine->version, &ignored);

    error_clear(&ignored);
    json_add_string(row, "wanted", json_get_string(facts, "wanted"));
    json_add_string(row, "socket", engine->sockets);
    json_add_string(row, "digest", json_get_string(manifest, "digest"));
    json_add_int(row, "generation", engine->number);
    json_add(row, "generation_at", json_copy(json_get(facts, "generation_at")));
    json_add_string(row, "created_at", json_get_string(facts, "created_at"));
    json_add_int(row, "free_bytes", (int64_t)file_free_bytes(engine->folder));
    json_add(row, "settings", place_settings(engine));
    fill_newer(task, row);
}

void command_fill_instance(struct task *task, struct json_object *row, bool all)
{
    const struct engine *engine = task->engine;
    autofree char *hint = xasprintf("dbguestctl instance recover %s", engine->instance);
    struct error ignored = { 0 };
    autoclose int look = place_look(engine, &ignored);
    struct process process;

    error_clear(&ignored);
    json_add_string(row, "instance", engine->instance);
    json_add_string(row, "datastore", engine->datastore);
    json_add_string(row, "version", engine->version);
    json_add(row, "port", engine->port == 0 ? NULL : json_object_new_int(engine->port));
    if (look >= 0 && engine_find(engine, &process))
        fill_from_engine(task, row);
    else if (look >= 0)
        fill_when_down(task, row);
    if (look < 0) {
        json_add_string(row, "status", "ERROR");
        add_attention(row, "needs_attention", "it is closed until it is recovered", hint);
    }
    fill_backup(task, row);
    if (all)
        fill_details(task, row);
}

bool command_instance_show(struct task *task, struct json_object *result, struct error *err)
{
    if (task->engine == NULL)
        return error_set(err, ERROR_NOT_FOUND, "instance '%s' is being made or removed",
                         json_get_string(task->params, "instance"));
    command_fill_instance(task, result, true);
    return true;
}

/* A row of another instance than the task's own: the task is pointed there for it. */
static void add_row(struct task *task, const char *name, struct json_object *rows)
{
    struct error ignored = { 0 };
    autofree char *folder = place_folder(task->site, name);
    autoptr(json_object) facts = place_read(task->site, name, &ignored);
    const char *wanted_datastore = json_get_string(task->params, "datastore");
    const char *datastore = json_get_string(facts, "datastore");

    task->store = command_store(datastore);
    if (task->store != NULL && place_current(folder) != 0 &&
        (wanted_datastore == NULL || strcmp(wanted_datastore, datastore) == 0)) {
        task->engine = place_engine(task->site, task->store, folder, 0, &ignored);
        if (task->engine != NULL) {
            struct json_object *row = json_object_new_object();

            command_fill_instance(task, row, false);
            json_object_array_add(rows, row);
            engine_free(task->engine);
            task->engine = NULL;
        }
    }
    error_clear(&ignored);
}

bool command_instance_list(struct task *task, struct json_object *result, struct error *err)
{
    const char *marker = json_get_string(task->params, "marker");
    size_t limit = (size_t)json_get_int(task->params, "limit");
    autofree char *folder = xasprintf("%s/instances", task->site->state_dir);
    struct json_object *rows = json_add_array(result, "instances");
    char **names = file_names(folder, err);

    if (names == NULL)
        return false;
    /* One more than asked for, so that whoever merges sees that more follow. */
    for (size_t i = 0; names[i] != NULL && json_object_array_length(rows) <= limit; i++)
        if (marker == NULL || strcmp(names[i], marker) > 0)
            add_row(task, names[i], rows);
    file_free_names(names);
    return true;
}

bool command_instance_log(struct task *task, struct json_object *result, struct error *err)
{
    struct json_object *lines = json_add_array(result, "lines");

    if (task->engine == NULL)
        return error_set(err, ERROR_NOT_FOUND, "instance '%s' has no log yet",
                         json_get_string(task->params, "instance"));

    autofree char *log = engine_log_tail(task->engine, (size_t)json_get_int(task->params, "lines"));
    char *rest = log;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '\0')
            continue;
        struct json_object *row = json_object_new_object();
        json_add(row, "time", NULL); /* each engine writes it in its own form, within the text */
        json_add_string(row, "text", line);
        json_object_array_add(lines, row);
    }
    return true;
}
