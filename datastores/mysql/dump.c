#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "text.h"

static char *program(const struct task *task, const char *name, struct error *err)
{
    const char *const candidates[] = { name, NULL };
    char *path = engine_tree_path(task->engine->tree, candidates);

    if (path == NULL)
        error_set(err, ERROR_UNSUPPORTED, "there is no /%s in the tree of version '%s'", name,
                  task->engine->version);
    return path;
}

bool mysql_backup_form(struct task *task, struct backup_form *form, struct error *err)
{
    (void)task;
    (void)err;
    *form = (struct backup_form){ .file = "data.sql.zst", .by_hand = "zstd -d < %s | mysql" };
    return true;
}

static bool add_position(struct task *task, struct json_object *manifest, const char *name,
                         struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    autofree char *position = db == NULL ? NULL : my_position(task, db, err);

    if (position == NULL)
        return false;
    json_add_string(manifest, name, position);
    return true;
}

/* The tables of mysql.* are in it, and with them users and grants as they are. */
bool mysql_backup(struct task *task, int output, struct json_object *manifest, struct error *err)
{
    autofree char *path = program(task, "usr/bin/mysqldump", err);
    const char *const argv[] = { path, "--no-defaults", "--user=root", MY_SOCKET,
                                 "--default-character-set=utf8mb4", "--single-transaction",
                                 "--quick",
                                 /* In them, names could break out of their lines. */
                                 "--skip-comments", "--all-databases", "--routines", "--events",
                                 "--triggers", "--hex-blob", "--flush-privileges",
                                 "--set-gtid-purged=OFF", "--ignore-table=mysql.innodb_index_stats",
                                 "--ignore-table=mysql.innodb_table_stats", NULL };
    const struct engine_tool tool = {
        .argv = argv, .output = output, .as_root = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    return path != NULL && add_position(task, manifest, "position_start", err) &&
           engine_check_tool(task->engine, &tool, &result, err) &&
           add_position(task, manifest, "position_end", err);
}

static bool load(struct task *task, int input, struct error *err)
{
    autofree char *path = program(task, "usr/bin/mysql", err);
    const char *const argv[] = { path,
                                 "--no-defaults",
                                 "--user=root",
                                 MY_SOCKET,
                                 "--default-character-set=utf8mb4",
                                 "--binary-mode",
                                 "--batch",
                                 NULL };
    const struct engine_tool tool = {
        .argv = argv, .input = input, .as_root = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    return path != NULL && (engine_check_tool(task->engine, &tool, &result, err) ||
                            error_prefix(err, "cannot load the backup"));
}

/* Whatever became of the loading, the server must not stay. */
static bool stop(struct task *task, struct error *err)
{
    return engine_signal_stop(task->engine, false, err) &&
           engine_wait_stopped(task->engine, NULL, NULL, err);
}

/* A new server (and a new uuid: C26) that only the agent reaches reads the statements. */
bool mysql_restore(struct task *task, int input, struct json_object *manifest, struct error *err)
{
    struct error stopping = { 0 };

    (void)manifest;
    if (!mysql_initialize(task, err))
        return false;

    bool loaded = mysql_start(task, err) && load(task, input, err);
    bool stopped = stop(task, &stopping);
    if (loaded && !stopped)
        error_move(err, &stopping);
    error_clear(&stopping);
    return loaded && stopped && file_sync_tree(task->engine->files, err);
}
