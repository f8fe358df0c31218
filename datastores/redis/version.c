#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "finding.h"
#include "json.h"
#include "memory.h"
#include "redis.h"
#include "task.h"
#include "text.h"

static const char *const redis_programs[] = { "usr/bin/redis-server", "usr/local/bin/redis-server",
                                              NULL };
static const char *const valkey_programs[] = { "usr/bin/valkey-server",
                                               "usr/local/bin/valkey-server", NULL };

static const struct flavour flavours[] = {
    { "redis", "Redis server v=", "redis_version", redis_programs },
    { "valkey", "Valkey server v=", "valkey_version", valkey_programs },
};

/*
 * The RDB format each version writes, oldest first; each reads its own and all older ones, but for
 * Valkey, which left the line after 11: it reads nothing of Redis 7.4 and newer, nor they of it.
 */
static const struct {
    const char *datastore;
    const char *since;
    int format;
} formats[] = {
    { "redis", "5.0", 9 },   { "redis", "7.0", 10 }, { "redis", "7.2", 11 },
    { "redis", "7.4", 12 },  { "redis", "8.4", 13 }, { "valkey", "7.2", 11 },
    { "valkey", "9.0", 80 },
};

const struct flavour *flavour_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(flavours); i++)
        if (strcmp(flavours[i].name, name) == 0)
            return &flavours[i];
    return &flavours[0];
}

bool redis_at_least(const struct task *task, const char *version)
{
    /* Every Valkey is newer than the Redis 7.2 that it came from. */
    return strcmp(task->store->name, "valkey") == 0 ||
           text_compare_versions(task->engine->version, version) >= 0;
}

int redis_rdb_format(const char *datastore, const char *version)
{
    int format = 0;

    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (strcmp(formats[i].datastore, datastore) == 0 &&
            text_compare_versions(version, formats[i].since) >= 0)
            format = formats[i].format;
    return format;
}

bool redis_probe(struct task *task, struct json_object *manifest, struct error *err)
{
    const struct flavour *flavour = flavour_find(task->store->name);
    autofree char *program = engine_tree_path(task->engine->tree, flavour->programs);
    const char *argv[] = { program, "--version", NULL };
    struct engine_tool tool = {
        .argv = argv, .without_data = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    if (program == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "the tree holds no %s-server", flavour->name);
    if (!engine_check_tool(task->engine, &tool, &result, err))
        return false;

    const char *said = result.output.bytes == NULL ? "" : result.output.bytes;
    if (!text_starts(said, flavour->said))
        return error_set(err, ERROR_INCOMPATIBLE, "%s in the tree is not %s: '%.60s'", program,
                         flavour->name, said);
    said += strlen(flavour->said);
    autofree char *version = xstrndup(said, strcspn(said, " \n"));
    json_add_string(manifest, "engine_version", version);
    json_add_int(manifest, "format", redis_rdb_format(flavour->name, version));
    return true;
}

static enum edge judge(const char *datastore, const char *from, const char *to, const char **reason)
{
    *reason = NULL;
    if (redis_rdb_format(datastore, from) == 0 || redis_rdb_format(datastore, to) == 0) {
        *reason = "one of the versions is too old to be known";
        return EDGE_NONE;
    }
    if (text_compare_versions(to, from) < 0) {
        *reason = "an older version may not read what a newer one wrote";
        return EDGE_DOWNGRADE;
    }
    return EDGE_SAME_FORMAT;
}

/*
 * Every version reads the data of those before it. Until commit no client writes and nothing is
 * rewritten, so the old one still reads it too.
 */
enum edge redis_edge(const char *from, const char *to, const char **reason)
{
    return judge("redis", from, to, reason);
}

enum edge valkey_edge(const char *from, const char *to, const char **reason)
{
    return judge("valkey", from, to, reason);
}

/* Types of a module's own are in the data: without the module the data does not load. */
static bool look_at_modules(redisContext *db, struct json_object *findings, struct error *err)
{
    autoptr(redisReply) modules = ASK(db, err, "MODULE", "LIST");

    if (modules == NULL)
        return false;
    if (modules->elements > 0)
        finding_add(findings, "blocker", "modules",
                    "modules are loaded whose data the other "
                    "version may not be able to read",
                    "unload them, or restore a dump into a new instance");
    return true;
}

static bool look_at_accounts(struct task *task, redisContext *db, struct json_object *findings,
                             struct error *err)
{
    autoptr(acl) memory = acl_fetch(db, err);
    autoptr(acl) saved = memory == NULL ? NULL : acl_read_files(task->engine->conf, err);

    if (saved == NULL)
        return false;
    for (size_t i = 0; i < memory->count; i++) {
        autofree char *name = acl_name(memory->lines[i]);
        if (acl_is_ours(name) || acl_find(saved, name) != NULL)
            continue;
        autofree char *message = xasprintf("user '%s' is in memory only and will be kept", name);
        finding_add(findings, "note", "unsaved_user", message, NULL);
    }
    return true;
}

static bool look_at_settings(struct task *task, redisContext *db, struct json_object *findings,
                             struct error *err)
{
    autoptr(json_object) chosen = chosen_read(task->engine->conf, err);
    struct json_object *settings = json_get(chosen, "settings");

    if (settings == NULL)
        return chosen != NULL;
    struct json_object_iter setting;
    json_object_object_foreachC (settings, setting) {
        autofree char *present = connection_setting(db, setting.key, err);
        autofree char *wanted = chosen_text(setting.val);
        if (present == NULL || chosen_has_words(setting.key) || chosen_same(present, wanted))
            continue;
        autofree char *message = xasprintf("'%s' is '%s' now and will be '%s', as configured",
                                           setting.key, present, wanted);
        finding_add(findings, "warning", "setting_changed", message,
                    "to keep it: dbguestctl instance configure");
    }
    return err->reason == ERROR_NONE;
}

bool redis_check_upgrade(struct task *task, struct json_object *target,
                         struct json_object *findings, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autofree char *info = db == NULL ? NULL : connection_info(db, "persistence", err);
    const char *to = json_get_string(target, "engine_version");

    if (info == NULL)
        return false;
    if (info_number(info, "aof_enabled") == 0)
        finding_add(findings, "note", "no_append_only_file",
                    "all data is saved to a file once more after the fence, which "
                    "takes some 4 s for each GiB",
                    NULL);
    if (to != NULL && !redis_at_least(task, "7.0") && text_compare_versions(to, "7.0") >= 0)
        finding_add(findings, "note", "append_only_folder",
                    "the append-only file moves into a folder of its own", NULL);
    return look_at_modules(db, findings, err) && look_at_accounts(task, db, findings, err) &&
           look_at_settings(task, db, findings, err);
}
