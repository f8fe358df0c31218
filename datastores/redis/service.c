#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "aof.h"
#include "child.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "facts.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "redis.h"
#include "task.h"

/* Below this a start reads the data in some 50 ms whatever form it has: nothing to gain. */
#define SETTLE_FROM_BYTES (32LL << 20)

bool redis_initialize(struct task *task, struct error *err)
{
    return file_make_folder(task->engine->files, 0700, err) &&
           file_own_tree(task->engine->files, task->engine->uid, err);
}

static void show_loading(struct task *task, redisContext *db)
{
    struct error ignored = { 0 };
    autofree char *info = connection_info(db, "persistence", &ignored);

    error_clear(&ignored);
    if (info != NULL)
        task_progress(task, (uint64_t)info_number(info, "loading_loaded_bytes"),
                      (uint64_t)info_number(info, "loading_total_bytes"));
}

/* It accepts connections while it reads its data, and says LOADING to a PING. */
static bool answers(struct task *task, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);

    if (db == NULL)
        return false;
    if (RUN(db, err, "PING"))
        return true;
    if (err->reason == ERROR_BUSY)
        show_loading(task, db);
    return false;
}

bool redis_start(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process)) {
        connection_engine_starts();
        if (!aof_fit_version(task, err) || !engine_start(task->engine, true, &process, err))
            return false;
    }
    return task_await_engine(task, answers, err);
}

static bool appends(const char *info)
{
    return info_number(info, "aof_enabled") == 1;
}

static bool rewrite(struct task *task, redisContext *db, struct error *err)
{
    if (!connection_set(db, "rdbcompression", "no", err) || !RUN(db, err, "BGREWRITEAOF") ||
        !child_await_rewrite(task, db, err))
        return false;

    autofree char *info = connection_info(db, "persistence", err);
    autofree char *status = info == NULL ? NULL : info_text(info, "aof_last_bgrewrite_status");
    if (info == NULL)
        return false;
    if (status == NULL || strcmp(status, "ok") != 0)
        return error_set(err, ERROR_ENGINE, "the engine could not rewrite its append-only file");
    task_what(task, "append-only file rewritten without compression, %lld bytes to read",
              (long long)info_number(info, "aof_current_size"));
    return true;
}

/*
 * How long a start takes is how long reading the append-only file takes. A fresh base that is not
 * compressed reads twice as fast as one that is, and commands behind it are slower still; it is
 * written by a child while clients work. A disk without room for it is no reason to fail.
 */
bool redis_settle(struct task *task, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autofree char *persistence = db == NULL ? NULL : connection_info(db, "persistence", err);
    autofree char *memory = persistence == NULL ? NULL : connection_info(db, "memory", err);

    if (memory == NULL)
        return false;
    int64_t bytes = info_number(memory, "used_memory");
    if (!appends(persistence) || bytes < SETTLE_FROM_BYTES ||
        file_free_bytes(task->engine->files) < (uint64_t)bytes)
        return true;
    return rewrite(task, db, err) && redis_unsettle(task, err);
}

/* What settle and before_stop changed is in no file: it is put back to what the files say. */
bool redis_unsettle(struct task *task, struct error *err)
{
    static const char *const changed[] = { "rdbcompression", "save" };
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;
    autoptr(redisContext) db = connection_open(task, err);
    if (db == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(changed); i++) {
        autofree char *value = strcmp(changed[i], "save") == 0 && acl_gate_closed(task->engine)
                                   ? xstrdup("")
                                   : chosen_value(task->engine, changed[i]);
        if (!connection_set(db, changed[i], value, err))
            return false;
    }
    return true;
}

static bool save(struct task *task, redisContext *db, struct error *err)
{
    if (!connection_set(db, "rdbcompression", "no", err) || !child_await_save(task, db, err) ||
        !RUN(db, err, "BGSAVE") || !child_await_save(task, db, err))
        return error_prefix(err, "the last save");

    autofree char *info = connection_info(db, "persistence", err);
    autofree char *status = info == NULL ? NULL : info_text(info, "rdb_last_bgsave_status");
    if (info != NULL && (status == NULL || strcmp(status, "ok") != 0))
        error_set(err, ERROR_ENGINE, "the engine could not save its data; it goes on running");
    return err->reason == ERROR_NONE;
}

/*
 * The append-only file is written and synced by the stop itself. Without one nothing may be on the
 * disk at all: then all of it is saved now (C20), by a child, so that a disk that is full and a
 * stop that is given up in time find an engine that goes on. Behind the closed gate that was all;
 * with the gate open clients write until the signal, which must save once more.
 */
bool redis_before_stop(struct task *task, bool thorough, struct error *err)
{
    (void)thorough;
    autoptr(redisContext) db = connection_open(task, err);
    autofree char *info = db == NULL ? NULL : connection_info(db, "persistence", err);

    if (info == NULL)
        return false;
    if (appends(info))
        return true;
    return save(task, db, err) &&
           connection_set(db, "save", acl_gate_closed(task->engine) ? "" : "3600 1", err);
}

/*
 * Redis looks for signals `hz` times a second: a tenth of a second of the outage by default. The
 * command does what the signal does, at once, and a signal behind it changes nothing.
 */
void redis_urge_stop(struct task *task)
{
    const char *const words[] = { "SHUTDOWN", NULL };

    connection_tell(task, words);
}

static bool needs_restart(redisContext *db, const char *name, struct json_object *value,
                          struct error *err)
{
    autofree char *present = connection_setting(db, name, err);
    autofree char *text = chosen_text(value);

    return present != NULL && !chosen_has_words(name) && !chosen_same(present, text);
}

static bool add_settings(struct task *task, redisContext *db, struct json_object *status,
                         struct error *err)
{
    autoptr(json_object) chosen = chosen_read(task->engine->conf, err);

    if (chosen == NULL)
        return false;
    struct json_object *restart_needed = json_add_array(status, "restart_needed");
    struct json_object *settings = json_get(chosen, "settings");
    json_add(status, "memory", json_copy(json_get(chosen, "memory")));
    if (settings == NULL || acl_gate_closed(task->engine))
        return true;
    struct json_object_iter setting;
    json_object_object_foreachC (settings, setting) {
        if (needs_restart(db, setting.key, setting.val, err))
            json_object_array_add(restart_needed, json_object_new_string(setting.key));
    }
    return err->reason == ERROR_NONE;
}

bool redis_status(struct task *task, struct json_object *status, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);
    autofree char *info = db == NULL ? NULL : connection_info(db, "all", err);
    autofree char *clients_max = info == NULL ? NULL : connection_setting(db, "maxclients", err);

    if (clients_max == NULL)
        return false;
    autofree char *version = info_text(info, flavour_find(task->store->name)->info_version);
    autofree char *position = facts_position(info);
    json_add_string(status, "version", version);
    json_add_int(status, "uptime_s", info_number(info, "uptime_in_seconds"));
    json_add_int(status, "clients", info_number(info, "connected_clients") - 1);
    json_add_int(status, "clients_max", strtoll(clients_max, NULL, 10));
    json_add_int(status, "size_bytes", info_number(info, "used_memory"));
    json_add_string(status, "position", position);
    return add_settings(task, db, status, err);
}
