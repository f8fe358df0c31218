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

#define WATCH_EVERY_S 0.25
#define MAY_WAIT_S 5.0

/* Beside the tool: looks whether its lock keeps clients waiting (C25). */
struct watch {
    struct task *task;
    struct connection *db;
    double looked_s;
    double free_s; /* when nobody waited for it */
};

/* The tool itself waits for the lock, too, behind writes that take long: that holds nobody up. One
 * that gives up and tries again waits as well, so it is not asked for how long each has waited. */
static const char waiting_sql[] =
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for backup "
    "lock%' AND COALESCE(INFO, '') NOT LIKE 'BACKUP STAGE%'";

static bool watch_tick(void *context, struct error *err)
{
    struct watch *watch = context;
    double now_s = process_clock_s();

    if (!task_goes_on(watch->task, err))
        return false;
    if (now_s - watch->looked_s < WATCH_EVERY_S)
        return true;

    int64_t count = my_number(watch->db, err, "%s", waiting_sql);
    if (count < 0)
        return false;
    watch->looked_s = now_s;
    if (count == 0)
        watch->free_s = now_s;
    if (now_s - watch->free_s < MAY_WAIT_S)
        return true;
    error_set(err, ERROR_BUSY,
              "the backup kept %lld session(s) waiting for its lock for %.0f s and was ended",
              (long long)count, now_s - watch->free_s);
    return error_hint(err, "see whether what the backup is written to is slow, then ask again");
}

static char *program(const struct task *task, const char *one, const char *other, struct error *err)
{
    const char *const candidates[] = { one, other, NULL };
    char *path = engine_tree_path(task->engine->tree, candidates);

    if (path == NULL)
        error_set(err, ERROR_UNSUPPORTED, "there is no /%s in the tree of version '%s'", one,
                  task->engine->version);
    return path;
}

bool mariadb_backup_form(struct task *task, struct backup_form *form, struct error *err)
{
    (void)task;
    (void)err;
    *form = (struct backup_form){ .file = "data.mbstream.zst",
                                  .by_hand = "zstd -d < %s | mbstream -x" };
    return true;
}

static bool add_position(struct task *task, struct connection *db, struct json_object *manifest,
                         const char *name, struct error *err)
{
    autofree char *position = my_position(task, db, err);

    if (position == NULL)
        return false;
    json_add_string(manifest, name, position);
    return true;
}

/* What lies elsewhere would be missing in it, or be refused when it is restored (C15). */
static bool holds_all(const struct task *task, struct error *err)
{
    autofree char *outside = my_find_outside(task->engine->files);

    if (outside == NULL)
        return true;
    error_set(err, ERROR_UNSUPPORTED, "'%s' leads out of the data folder: it cannot be backed up",
              outside);
    return error_hint(err, "move the table: ALTER TABLE ... without DATA DIRECTORY");
}

bool mariadb_backup(struct task *task, int output, struct json_object *manifest, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    autofree char *path = program(task, "usr/bin/mariadb-backup", "usr/bin/mariabackup", err);
    struct watch watch = { .task = task, .db = db, .free_s = process_clock_s() };
    const char *const argv[] = { path,
                                 MY_DEFAULTS,
                                 "--backup",
                                 "--stream=mbstream",
                                 "--user=root",
                                 MY_SOCKET,
                                 ("--datadir=" ENGINE_DATA),
                                 "--target-dir=/tmp/backup",
                                 NULL };
    const struct engine_tool tool = {
        .argv = argv, .output = output, .as_root = true, .tick = watch_tick, .context = &watch
    };
    autoresult struct process_result result = { 0 };

    return db != NULL && path != NULL && holds_all(task, err) &&
           add_position(task, db, manifest, "position_start", err) &&
           engine_check_tool(task->engine, &tool, &result, err) &&
           add_position(task, db, manifest, "position_end", err);
}

static bool unpack(struct task *task, int input, struct error *err)
{
    autofree char *path = program(task, "usr/bin/mbstream", "usr/bin/mbstream", err);
    const char *const argv[] = { path, "-x", "-C", ENGINE_DATA, NULL };
    const struct engine_tool tool = {
        .argv = argv, .input = input, .on_stopped_data = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    return path != NULL && (engine_check_tool(task->engine, &tool, &result, err) ||
                            error_prefix(err, "cannot unpack the backup"));
}

/* Applies what was logged while the files were copied. */
static bool prepare(struct task *task, struct error *err)
{
    autofree char *path = program(task, "usr/bin/mariadb-backup", "usr/bin/mariabackup", err);
    const char *const argv[] = { path, "--prepare", ("--target-dir=" ENGINE_DATA),
                                 "--use-memory=128M", NULL };
    const struct engine_tool tool = {
        .argv = argv, .on_stopped_data = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    return path != NULL && (engine_check_tool(task->engine, &tool, &result, err) ||
                            error_prefix(err, "cannot prepare the backup"));
}

/* The tool's notes, which would be wrong from the first start on. */
static bool remove_notes(const struct task *task, struct error *err)
{
    static const char *const prefixes[] = { "xtrabackup_", "mariadb_backup_", "backup-my.cnf" };
    char **names = file_names(task->engine->files, err);
    bool good = names != NULL;

    for (size_t i = 0; good && names[i] != NULL; i++)
        for (size_t k = 0; good && k < ARRAY_SIZE(prefixes); k++) {
            autofree char *path = xasprintf("%s/%s", task->engine->files, names[i]);
            if (text_starts(names[i], prefixes[k]))
                good = file_remove(path, err);
        }
    if (names != NULL)
        file_free_names(names);
    return good;
}

bool mariadb_restore(struct task *task, int input, struct json_object *manifest, struct error *err)
{
    (void)manifest;
    if (!unpack(task, input, err))
        return false;

    /* Before anything follows it (C15). The new server_id is in my.cnf already (C26). */
    autofree char *outside = my_find_outside(task->engine->files);
    if (outside != NULL)
        return error_set(err, ERROR_UNSUPPORTED,
                         "'%s' in the backup leads out of the data folder: refused", outside);
    return prepare(task, err) && remove_notes(task, err) &&
           file_sync_tree(task->engine->files, err);
}
