/*
 * Another major release by pg_upgrade (its manual: "Usage"), across two trees: the new one is the
 * root, the old one's four programs are called through shims that chroot into the old one, where
 * they find their own C library.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

#define LOG_LINES 15
#define LOG_BYTES 65536

/* What pg_upgrade calls of the old version; all else is of the new one. */
static const char *const old_programs[] = { "postgres", "pg_ctl", "pg_controldata", "pg_resetwal" };

/* The same task, on another engine. */
static struct task on(const struct task *task, struct engine *engine)
{
    struct task other = *task;

    other.engine = engine;
    return other;
}

static bool give(const char *path, const struct engine *engine, mode_t mode, struct error *err)
{
    return (chown(path, engine->uid, engine->uid) == 0 && chmod(path, mode) == 0) ||
           error_errno(err, "cannot prepare '%s'", path);
}

static bool write_shim(struct task *old, const char *shims, const char *name, struct error *err)
{
    autofree char *program = postgresql_program(old, name, err);
    autofree char *path = xasprintf("%s/%s", shims, name);

    if (program == NULL)
        return false;
    autofree char *text = xasprintf("#!/bin/sh\nexec chroot " ENGINE_OTHER " %s \"$@\"\n", program);
    return file_write_owned(path, text, strlen(text), 0755, old->engine->uid, err);
}

char *postgresql_work(const struct engine *engine)
{
    return xasprintf("%s/work", engine->generation);
}

/* Where pg_upgrade writes, and the shims in it. */
static bool make_work(struct task *task, struct engine *from, const char *work, struct error *err)
{
    struct task old = on(task, from);
    autofree char *shims = xasprintf("%s/old", work);

    if (!file_remove_tree(work, err) || !file_make_folder(shims, 0755, err) ||
        !give(work, task->engine, 0700, err) || !give(shims, task->engine, 0755, err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(old_programs); i++)
        if (!write_shim(&old, shims, old_programs[i], err))
            return false;
    return true;
}

/* "1" of "Data page checksum version:           1". */
static char *control_value(const char *output, const char *name)
{
    const char *line = strstr(output, name);

    if (line == NULL)
        return NULL;
    line += strlen(name);
    line += strspn(line, ": ");
    return xstrndup(line, strcspn(line, "\n"));
}

/* What of the old folder's making the new one must share. */
struct making {
    bool checksums;
    int segment_mib;
};

static bool read_making(struct task *old, struct making *making, struct error *err)
{
    autofree char *program = postgresql_program(old, "pg_controldata", err);
    const char *const argv[] = { program, "-D", ENGINE_DATA, NULL };
    const struct engine_tool tool = { .argv = argv, .tick = task_tick, .context = old };
    autoresult struct process_result result = { 0 };

    if (program == NULL || !engine_check_tool(old->engine, &tool, &result, err))
        return false;
    autofree char *checksums = control_value(result.output.bytes, "Data page checksum version");
    autofree char *segment = control_value(result.output.bytes, "Bytes per WAL segment");
    if (checksums == NULL || segment == NULL)
        return error_set(err, ERROR_CORRUPT, "pg_controldata does not say how the data was made");
    making->checksums = strcmp(checksums, "0") != 0;
    making->segment_mib = (int)(strtol(segment, NULL, 10) >> 20);
    return true;
}

static bool make_cluster(struct task *task, struct engine *from, struct error *err)
{
    struct task old = on(task, from);
    struct making making = { 0 };

    return read_making(&old, &making, err) && give(task->engine->files, task->engine, 0700, err) &&
           postgresql_initdb(task, making.checksums, making.segment_mib, err);
}

/* The end of the log that it refers to, which goes with the data folder; "" when there is none. */
static char *quoted_log(const struct engine *engine, const char *said)
{
    static const char words[] = "Consult the last few lines of \"" ENGINE_DATA;
    const char *at = strstr(said, words);
    struct error ignored = { 0 };

    if (at == NULL)
        return xstrdup("");
    at += strlen(words);
    autofree char *path = xasprintf("%s%.*s", engine->files, (int)strcspn(at, "\""), at);
    autofree char *log = file_read_tail(path, LOG_BYTES, &ignored);
    error_clear(&ignored);
    if (log == NULL)
        return xstrdup("");
    /* After the error comes the statement, which may be long. */
    const char *error = strstr(log, "error: ");
    return xstrdup(error == NULL ? log : error);
}

/* It tells on stdout what it does, and there too why it stopped. */
static bool say_why(const struct engine *engine, const struct process_result *result,
                    struct error *err)
{
    autotext struct text said = { 0 };

    text_printf(&said, "%s%s", result->output.bytes, result->errors.bytes);
    autofree char *log = quoted_log(engine, said.bytes);
    if (*log != '\0') {
        error_set(err, ERROR_ENGINE, "pg_upgrade failed with status %d", result->status);
        return error_native(err, log);
    }
    error_set(err, ERROR_ENGINE, "pg_upgrade failed with status %d", result->status);
    return error_native(err, text_last_lines(said.bytes, LOG_LINES));
}

static bool run_pg_upgrade(struct task *task, struct engine *from, const char *mode,
                           struct error *err)
{
    autofree char *program = postgresql_program(task, "pg_upgrade", err);
    autofree char *work = postgresql_work(task->engine);
    autofree char *jobs = xasprintf("%ld", sysconf(_SC_NPROCESSORS_ONLN));
    bool syncs = postgresql_major(task->engine->version) < 15;

    if (program == NULL)
        return false;
    autofree char *bin = xstrndup(program, (size_t)(strrchr(program, '/') - program));
    static const char shims[] = ENGINE_WORK "/old";
    /* The dump of a database locks all of its tables at once. */
    static const char locks[] = "-c max_locks_per_transaction=1024";
    /* All of it is synced at once afterwards, by us. */
    const char *const argv[] = {
        program, "-b",        shims, "-B",       bin,   "-d",        ENGINE_OLD,
        "-D",    ENGINE_DATA, "-U",  "postgres", "-s",  ENGINE_WORK, "-j",
        jobs,    "-o",        locks, "-O",       locks, mode,        syncs ? NULL : "--no-sync",
        NULL
    };
    const struct engine_tool tool = {
        .argv = argv,
        .work = work,
        .other = from,
        .on_stopped_data = true,
        .tick = task_tick,
        .context = task,
    };
    autoresult struct process_result result = { 0 };
    if (!engine_run_tool(task->engine, &tool, &result, err))
        return false;
    return result.status == 0 || say_why(task->engine, &result, err);
}

bool postgresql_migrate(struct task *task, struct engine *from, enum file_copy how,
                        struct error *err)
{
    autofree char *work = postgresql_work(task->engine);
    const char *mode = how == FILE_CLONE ? "--clone" : "--copy";
    /* Of pg_upgrade's own sessions: what counts is who comes afterwards. */
    autofree char *statistics = xasprintf("%s/pg_stat/pgstat.stat", task->engine->files);
    double began = process_clock_s();

    if (!make_work(task, from, work, err) || !make_cluster(task, from, err) ||
        !run_pg_upgrade(task, from, mode, err) || !file_remove(statistics, err) ||
        !file_sync_tree(task->engine->files, err))
        return false;
    pg_sessions_forget();
    task_what(task, "pg_upgrade %s, %d to %d, %.1f s", mode, postgresql_major(from->version),
              postgresql_major(task->engine->version), process_clock_s() - began);
    return true;
}
