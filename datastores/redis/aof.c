#include "aof.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "redis.h"
#include "task.h"
#include "text.h"

#define FOLDER "appendonlydir"
#define SINGLE "appendonly.aof"

static char *path_of(const struct engine *engine, const char *name)
{
    return xasprintf("%s/%s", engine->files, name);
}

enum data_form aof_form(const struct engine *engine)
{
    autofree char *manifest = path_of(engine, FOLDER "/" SINGLE ".manifest");
    autofree char *single = path_of(engine, SINGLE);
    autofree char *dump = path_of(engine, "dump.rdb");

    if (file_exists(manifest) || file_exists(single))
        return DATA_APPENDED;
    return file_exists(dump) ? DATA_DUMP : DATA_EMPTY;
}

char *aof_base_path(struct task *task, bool appended)
{
    if (!appended)
        return path_of(task->engine, "dump.rdb");
    /* Before 7 the one file, which may begin with an RDB. */
    return path_of(task->engine,
                   redis_at_least(task, "7.0") ? FOLDER "/" SINGLE ".1.base.rdb" : SINGLE);
}

bool aof_prepare(struct task *task, bool appended, struct error *err)
{
    autofree char *folder = path_of(task->engine, FOLDER);

    return !appended || !redis_at_least(task, "7.0") || file_make_folder(folder, 0700, err);
}

bool aof_complete(struct task *task, bool appended, struct error *err)
{
    static const char manifest[] = "file " SINGLE ".1.base.rdb seq 1 type b\n"
                                   "file " SINGLE ".1.incr.aof seq 1 type i\n";
    autofree char *increment = path_of(task->engine, FOLDER "/" SINGLE ".1.incr.aof");
    autofree char *path = path_of(task->engine, FOLDER "/" SINGLE ".manifest");

    if (appended && redis_at_least(task, "7.0") &&
        (!file_write(increment, "", 0, 0600, err) ||
         !file_write(path, manifest, sizeof(manifest) - 1, 0600, err)))
        return false;
    return file_own_tree(task->engine->files, task->engine->uid, err) &&
           file_sync_tree(task->engine->files, err);
}

/* The increments that 7 began must hold nothing: else what they hold would be lost. */
static bool is_untouched(const struct engine *engine, struct error *err)
{
    autofree char *folder = path_of(engine, FOLDER);
    char **names = file_names(folder, err);
    bool untouched = names != NULL;

    for (char **name = names; untouched && *name != NULL; name++) {
        autofree char *path = xasprintf("%s/%s", folder, *name);
        struct stat status;
        if (text_ends(*name, ".incr.aof") && (lstat(path, &status) != 0 || status.st_size > 0))
            untouched = error_set(err, ERROR_INCOMPATIBLE,
                                  "a newer version has written '%s', which %s cannot read", path,
                                  engine->version);
    }
    if (names != NULL)
        file_free_names(names);
    return untouched;
}

bool aof_fit_version(struct task *task, struct error *err)
{
    autofree char *folder = path_of(task->engine, FOLDER);
    autofree char *moved = path_of(task->engine, FOLDER "/" SINGLE);
    autofree char *single = path_of(task->engine, SINGLE);

    if (redis_at_least(task, "7.0") || !file_exists(folder))
        return true;
    if (!is_untouched(task->engine, err))
        return false;
    if (file_exists(moved) && !file_move(moved, single, err))
        return false;
    if (!file_exists(single))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' holds a form that %s cannot read", folder,
                         task->engine->version);
    return file_remove_tree(folder, err);
}
