#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

/* The tree's own tar, as the engine's user, who sees nothing but the empty folder. */
static bool unpack(struct task *task, int input, struct error *err)
{
    static const char *const places[] = { "usr/bin/tar", "bin/tar", NULL };
    autofree char *program = engine_tree_path(task->engine->tree, places);
    const char *const argv[] = { program,           "-x", "-f", "-", "-C", ENGINE_DATA,
                                 "--no-same-owner", NULL };
    const struct engine_tool tool = {
        .argv = argv,
        .input = input,
        .on_stopped_data = true,
        .tick = task_tick,
        .context = task,
    };
    autoresult struct process_result result = { 0 };

    if (program == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "the version's tree holds no tar");
    if (engine_check_tool(task->engine, &tool, &result, err))
        return true;
    if (err->reason == ERROR_ENGINE)
        err->reason = strstr(err->native, "No space left") != NULL ? ERROR_NO_SPACE : ERROR_CORRUPT;
    return false;
}

/* Whether the folder holds files and folders only: no link that leads out, no device (C15). */
static bool holds_no_links(const char *folder, struct error *err)
{
    autofree char *root = xstrdup(folder);
    char *const roots[] = { root, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    bool good = true;

    if (walk == NULL)
        return error_errno(err, "cannot look through '%s'", folder);
    for (FTSENT *entry = fts_read(walk); good && entry != NULL; entry = fts_read(walk)) {
        int kind = entry->fts_info;

        if (kind == FTS_ERR || kind == FTS_DNR || kind == FTS_NS)
            good = error_set(err, ERROR_INTERNAL, "cannot read '%s': %s", entry->fts_path,
                             strerror(entry->fts_errno));
        else if ((kind != FTS_F && kind != FTS_D && kind != FTS_DP) ||
                 (kind == FTS_F && entry->fts_statp->st_nlink > 1))
            good = error_set(err, ERROR_UNSUPPORTED, "the backup holds a link: '%s'",
                             entry->fts_path + strlen(folder));
    }
    fts_close(walk);
    return good;
}

/* What would make the server follow somebody, or be what it was when the backup was taken. */
static bool remove_leftovers(const char *files, struct error *err)
{
    static const char *const leftovers[] = { "standby.signal",  "recovery.signal",
                                             "recovery.conf",   "postmaster.pid",
                                             "postmaster.opts", "postgresql.auto.conf",
                                             "backup_manifest" };

    for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
        autofree char *path = xasprintf("%s/%s", files, leftovers[i]);
        if (!file_remove(path, err))
            return false;
    }
    autofree char *map = xasprintf("%s/tablespace_map", files);
    struct stat status;
    if (stat(map, &status) == 0 && status.st_size > 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "the backup was taken of a server with tablespaces");
    return file_remove(map, err);
}

/*
 * The backup's own log is all there is to replay (restore_command is false). As an archive recovery
 * it ends on a new timeline: what this server writes can never be taken for the old one's (C26).
 */
static bool begin_history(const struct engine *engine, struct error *err)
{
    autofree char *signal = xasprintf("%s/recovery.signal", engine->files);
    autofree char *empty = xasprintf("%s/postgresql.auto.conf", engine->files);

    return file_write_owned(empty, "", 0, 0600, engine->uid, err) &&
           file_write_owned(signal, "", 0, 0600, engine->uid, err);
}

static bool is_complete(const char *files, struct error *err)
{
    static const char *const needed[] = { "PG_VERSION", "global/pg_control", "backup_label" };

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        autofree char *path = xasprintf("%s/%s", files, needed[i]);
        if (!file_exists(path))
            return error_set(err, ERROR_CORRUPT, "the backup holds no '%s'", needed[i]);
    }
    return true;
}

bool postgresql_restore(struct task *task, int input, struct json_object *manifest,
                        struct error *err)
{
    const struct engine *engine = task->engine;

    (void)manifest;
    if (chown(engine->files, engine->uid, engine->uid) < 0 || chmod(engine->files, 0700) < 0)
        return error_errno(err, "cannot prepare '%s'", engine->files);
    if (!unpack(task, input, err) || !holds_no_links(engine->files, err) ||
        !is_complete(engine->files, err) || !remove_leftovers(engine->files, err) ||
        !begin_history(engine, err))
        return error_prefix(err, "cannot restore");

    return file_sync_tree(engine->files, err);
}
