#include <string.h>

#include "connection.h"
#include "engine.h"
#include "error.h"
#include "fake.h"
#include "json.h"
#include "memory.h"
#include "task.h"
#include "text.h"

bool fake_probe(struct task *task, struct json_object *manifest, struct error *err)
{
    const char *const argv[] = { FAKE_PROGRAM, "version", NULL };
    const struct engine_tool tool = { .argv = argv, .without_data = true };
    autoresult struct process_result result = { 0 };
    char version[32];

    if (!engine_check_tool(task->engine, &tool, &result, err)) {
        err->reason = ERROR_INCOMPATIBLE;
        return false;
    }
    if (sscanf(result.output.bytes, "fake-engine %31s", version) != 1)
        return error_set(err, ERROR_INCOMPATIBLE, "it does not say its version");
    json_add_string(manifest, "engine_version", version);
    return true;
}

enum edge fake_edge(const char *from, const char *to, const char **reason)
{
    *reason = NULL;
    if (text_compare_versions(from, to) > 0)
        return EDGE_DOWNGRADE;
    return from[0] == to[0] ? EDGE_SAME_FORMAT : EDGE_MIGRATE;
}

bool fake_check_upgrade(struct task *task, struct json_object *target, struct json_object *findings,
                        struct error *err)
{
    (void)task;
    (void)target;
    (void)findings;
    (void)err;
    return true;
}

static bool take_fact(const char *name, const char *value, void *context)
{
    json_add_string(context, name, value);
    return true;
}

bool fake_facts(struct task *task, struct json_object *facts, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);
    autofree char *info = connection == NULL ? NULL : connection_ask(connection, err, "INFO");
    autofree char *rows = info == NULL ? NULL : connection_ask(connection, err, "COUNT row");
    char version[32];
    char position[32];

    if (rows == NULL)
        return false;
    if (sscanf(info, "%31s %31s", version, position) != 2)
        return error_set(err, ERROR_ENGINE, "the engine speaks in riddles");
    json_add_string(facts, "version", version);
    json_add_string(facts, "position", position);
    json_add_string(json_add_object(facts, "objects"), "rows", rows);
    return connection_list(connection, "d:", take_fact, json_add_object(facts, "databases"), err) &&
           connection_list(connection, "u:", take_fact, json_add_object(facts, "users"), err);
}

bool fake_position_follows(const char *before, const char *after)
{
    return strtoull(before, NULL, 10) <= strtoull(after, NULL, 10);
}

bool fake_backup_form(struct task *task, struct backup_form *form, struct error *err)
{
    (void)task;
    (void)err;
    *form = (struct backup_form){ .file = "data.zst", .by_hand = "zstd -d < %s" };
    return true;
}

/* While it runs the engine is in another mood, which must be taken back whatever dies. */
bool fake_backup(struct task *task, int output, struct json_object *manifest, struct error *err)
{
    const char *const argv[] = { FAKE_PROGRAM, "dump", NULL };
    const struct engine_tool tool = {
        .argv = argv, .output = output, .as_root = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };
    autoptr(connection) connection = connection_open(task, err);

    if (connection == NULL || !connection_run(connection, err, "SET s:backup yes"))
        return false;
    bool good = engine_check_tool(task->engine, &tool, &result, err);
    struct error failure = { 0 };
    bool undone = connection_run(connection, &failure, "DEL s:backup");
    if (good && !undone)
        error_move(err, &failure);
    error_clear(&failure);
    json_add_string(manifest, "position_end", "-");
    return good && undone;
}

bool fake_backup_undo(struct task *task, struct error *err)
{
    autoptr(connection) connection = connection_open(task, err);

    return connection != NULL && connection_run(connection, err, "DEL s:backup");
}
