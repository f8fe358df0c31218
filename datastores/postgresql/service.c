#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"
#include "units.h"

#define BLOCK_BYTES ((int64_t)8192)
#define MIB ((int64_t)1024 * 1024)
#define SEGMENT_MIB 16 /* of the write-ahead log, as the server has it unless told */

/* Statements of a server without clients, one a line, in one database of a stopped engine. */
static bool run_single(struct task *task, const char *database, const char *lines,
                       struct error *err)
{
    autofree char *program = postgresql_program(task, "postgres", err);
    const char *const argv[] = { program, "--single",         "-D",     ENGINE_DATA,
                                 "-c",    "exit_on_error=on", database, NULL };
    autoclose int input = memfd_create("statements", MFD_CLOEXEC);
    autoresult struct process_result result = { 0 };

    if (program == NULL)
        return false;
    if (input < 0 || write(input, lines, strlen(lines)) != (ssize_t)strlen(lines) ||
        lseek(input, 0, SEEK_SET) != 0)
        return error_errno(err, "cannot hand statements over");

    const struct engine_tool tool = {
        .argv = argv,
        .input = input,
        .on_stopped_data = true,
        .tick = task_tick,
        .context = task,
    };
    return engine_check_tool(task->engine, &tool, &result, err);
}

/* The argument that says so, as far as the version needs one: 18 and later have them anyway. */
static const char *checksums_argument(int major, bool checksums)
{
    if (checksums)
        return "--data-checksums";
    return major >= 18 ? "--no-data-checksums" : "--no-sync";
}

bool postgresql_initdb(struct task *task, bool checksums, int segment_mib, struct error *err)
{
    autofree char *program = postgresql_program(task, "initdb", err);
    autofree char *segment = xasprintf("--wal-segsize=%d", segment_mib);
    int major = postgresql_major(task->engine->version);
    const char *const argv[] = { program,
                                 "-D",
                                 ENGINE_DATA,
                                 "--username=postgres",
                                 "--auth=peer",
                                 "--encoding=UTF8",
                                 "--locale=C.UTF-8",
                                 "--no-sync",
                                 checksums_argument(major, checksums),
                                 segment,
                                 major >= 17 ? "--locale-provider=builtin" : NULL,
                                 "--builtin-locale=C.UTF-8",
                                 NULL };
    const struct engine_tool tool = {
        .argv = argv,
        .on_stopped_data = true,
        .tick = task_tick,
        .context = task,
    };
    autoresult struct process_result result = { 0 };

    return program != NULL && engine_check_tool(task->engine, &tool, &result, err);
}

bool postgresql_initialize(struct task *task, struct error *err)
{
    static const char public_lines[] = "REVOKE CREATE ON SCHEMA public FROM PUBLIC\n";
    static const char lines[] = "REVOKE CREATE ON SCHEMA public FROM PUBLIC\n"
                                "REVOKE ALL ON DATABASE postgres FROM PUBLIC\n"
                                "REVOKE ALL ON DATABASE template1 FROM PUBLIC\n"
                                "CREATE ROLE dbguest NOLOGIN\n";
    const struct engine *engine = task->engine;

    if (chown(engine->files, engine->uid, engine->uid) < 0 || chmod(engine->files, 0700) < 0)
        return error_errno(err, "cannot prepare '%s'", engine->files);
    if (!postgresql_initdb(task, true, SEGMENT_MIB, err))
        return error_prefix(err, "cannot make a data folder");
    if ((postgresql_major(engine->version) < 15 &&
         !run_single(task, "template1", public_lines, err)) ||
        !run_single(task, "postgres", lines, err))
        return error_prefix(err, "cannot set the data folder up");

    return file_sync_tree(engine->files, err);
}

/*
 * Whether the server itself says that it is on its way, in the last line of its own file: each
 * connection that it turns away meanwhile is a line in its log. What the file says else, or if it
 * is not there, is not relied on.
 */
static bool is_starting(const struct engine *engine)
{
    autofree char *path = xasprintf("%s/postmaster.pid", engine->files);
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char said[1024] = "";

    return fd >= 0 && read(fd, said, sizeof(said) - 1) > 0 && strstr(said, "\nstarting") != NULL;
}

/* A server in recovery may let the agent look, but is not there yet. */
static bool serves(struct task *task, struct error *err)
{
    if (is_starting(task->engine))
        return error_set(err, ERROR_ENGINE, "the server is starting");

    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    if (db == NULL)
        return false;
    autofree char *recovering = pg_value(task, db, "SELECT pg_is_in_recovery()", err);
    if (recovering == NULL)
        return false;
    if (*recovering == 't')
        return error_set(err, ERROR_ENGINE, "the server recovers");
    return true;
}

/*
 * A server that was killed leaves its number behind, and the next one does not start while any
 * process has it: a stranger after a while, or a zombie that nobody reaps. We know better (C13).
 */
static bool remove_stale_pids(struct task *task, struct error *err)
{
    const struct engine *engine = task->engine;
    autofree char *data = xasprintf("%s/postmaster.pid", engine->files);
    autofree char *socket =
        xasprintf("%s/.s.PGSQL.%d.lock", engine->sockets, pg_socket_port(engine));

    if (!file_exists(data) && !file_exists(socket))
        return true;
    return engine_prove_stopped(engine, err) && file_remove(data, err) && file_remove(socket, err);
}

bool postgresql_start(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process)) {
        pg_engine_starts();
        if (!remove_stale_pids(task, err) || !engine_start(task->engine, true, &process, err))
            return false;
    }
    return task_await_engine(task, serves, err);
}

/* Blocks that checkpoints have written since the server started counting; -1 with err. */
static int64_t checkpointed_blocks(struct task *task, PGconn *db, struct error *err)
{
    const char *sql = PQserverVersion(db) >= 170000
                          ? "SELECT buffers_written FROM pg_stat_checkpointer"
                          : "SELECT buffers_checkpoint FROM pg_stat_bgwriter";
    autofree char *blocks = pg_value(task, db, sql, err);

    return blocks == NULL ? -1 : strtoll(blocks, NULL, 10);
}

/* The checkpointer adds its figures up a moment after it has answered. */
static bool checkpoint(struct task *task, PGconn *db, int64_t *written_bytes, struct error *err)
{
    int64_t before = checkpointed_blocks(task, db, err);

    if (before < 0 || !pg_run(task, db, "CHECKPOINT", err))
        return false;
    task_sleep_ms(task, 2);
    int64_t after = checkpointed_blocks(task, db, err);
    if (after < 0)
        return false;
    *written_bytes = (after - before) * BLOCK_BYTES;
    return true;
}

/*
 * The checkpoint of the stop writes what this one leaves. While clients write, the first takes long
 * and what they dirty meanwhile is much; the second takes only that.
 */
bool postgresql_settle(struct task *task, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    int64_t first = 0;
    int64_t second = 0;
    double since = process_clock_s();

    if (db == NULL || !checkpoint(task, db, &first, err))
        return false;
    if ((first > 32 * MIB || process_clock_s() - since > 0.2) &&
        !checkpoint(task, db, &second, err))
        return false;

    autofree char *written = units_size((double)(first + second));
    task_what(task, "%s written", written);
    return true;
}

bool postgresql_end_sessions(struct task *task, PGconn *db, const char *condition,
                             struct error *err)
{
    autofree char *sql = xasprintf("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                   " WHERE pid <> pg_backend_pid() AND (%s)",
                                   condition);

    for (int sleep_ms = 1;; sleep_ms = sleep_ms < 16 ? sleep_ms * 2 : 20) {
        autofree char *left = pg_value(task, db, sql, err);

        if (left == NULL)
            return false;
        if (strcmp(left, "0") == 0)
            return true;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, sleep_ms);
    }
}

bool postgresql_evict(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;

    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    if (db == NULL)
        return false;
    autofree char *name = pg_session_name(task);
    autofree char *condition =
        pg_format(db, "usename = 'postgres' AND application_name = %L", name);
    return condition != NULL && postgresql_end_sessions(task, db, condition, err);
}

#define RELOAD_S 5.0 /* a server that has not done it by then will not: its log says why */

/* The server reads its files in its own time: a session that began after that knows of them. */
static bool await_reload(struct task *task, const char *before, PGconn **out, struct error *err)
{
    double since = process_clock_s();

    for (int sleep_ms = 1; process_clock_s() - since < RELOAD_S;
         sleep_ms = sleep_ms < 16 ? sleep_ms * 2 : 20) {
        autoptr(PGconn) db = pg_connect(task, "postgres", err);

        if (db == NULL)
            return false;
        autofree char *loaded = pg_value(task, db, "SELECT pg_conf_load_time()", err);
        if (loaded == NULL)
            return false;
        if (strcmp(loaded, before) != 0) {
            *out = steal(db);
            return true;
        }
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, sleep_ms);
    }
    autofree char *log = engine_log_tail(task->engine, 5);
    error_set(err, ERROR_ENGINE, "the server does not take its configuration");
    return error_native(err, log);
}

bool postgresql_reload(struct task *task, struct json_object *restart_needed, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autoptr(PGconn) fresh = NULL;

    if (db == NULL)
        return false;
    autofree char *before = pg_value(task, db, "SELECT pg_conf_load_time()", err);
    if (before == NULL || !pg_run(task, db, "SELECT pg_reload_conf()", err) ||
        !await_reload(task, before, &fresh, err))
        return error_prefix(err, "cannot reload the settings");

    autoptr(PGresult) rows = pg_query(
        task, fresh,
        "SELECT name FROM pg_settings WHERE pending_restart ORDER BY name COLLATE \"C\"", err);
    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        json_object_array_add(restart_needed, json_object_new_string(pg_cell(rows, i, 0)));
    return true;
}

static const char status_sql[] =
    "SELECT current_setting('server_version'),"
    " extract(epoch FROM now() - pg_postmaster_start_time()),"
    " (SELECT count(*) FROM pg_stat_activity"
    "  WHERE backend_type = 'client backend' AND usename <> 'postgres'),"
    " current_setting('max_connections'),"
    " (SELECT sum(pg_database_size(oid)) FROM pg_database WHERE datconnlimit <> -2),"
    " (SELECT count(*) FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'),"
    " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END";

static const char settings_sql[] =
    "SELECT name, current_setting(name), pending_restart,"
    " name IN ('shared_buffers', 'effective_cache_size', 'maintenance_work_mem'),"
    " source = 'configuration file'"
    " AND name NOT IN " PG_FIXED_SETTINGS " FROM pg_settings"
    " WHERE source = 'configuration file' OR pending_restart ORDER BY name COLLATE \"C\"";

static bool add_settings(struct task *task, PGconn *db, struct json_object *status,
                         struct error *err)
{
    struct json_object *restart = json_add_array(status, "restart_needed");
    struct json_object *memory = json_add_object(status, "memory");
    struct json_object *in_force = json_add_object(status, "settings_in_force");
    autoptr(PGresult) rows = pg_query(task, db, settings_sql, err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *name = pg_cell(rows, i, 0);

        if (pg_cell_bool(rows, i, 2))
            json_object_array_add(restart, json_object_new_string(name));
        if (pg_cell_bool(rows, i, 3))
            json_add_string(memory, name, pg_cell(rows, i, 1));
        if (pg_cell_bool(rows, i, 4))
            json_add_string(in_force, name, pg_cell(rows, i, 1));
    }
    return true;
}

bool postgresql_status(struct task *task, struct json_object *status, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    autoptr(PGresult) row = pg_query(task, db, status_sql, err);
    if (row == NULL)
        return false;
    json_add_string(status, "version", pg_cell(row, 0, 0));
    json_add_double(status, "uptime_s", strtod(PQgetvalue(row, 0, 1), NULL));
    json_add_int(status, "clients", pg_cell_int(row, 0, 2));
    json_add_int(status, "clients_max", pg_cell_int(row, 0, 3));
    json_add_int(status, "size_bytes", pg_cell_int(row, 0, 4));
    json_add_int(status, "databases", pg_cell_int(row, 0, 5));
    json_add_string(status, "position", pg_cell(row, 0, 6));

    return add_settings(task, db, status, err);
}
