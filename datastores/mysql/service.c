#include <stdio.h>
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

#define SETTLE_S 2.0
#define SETTLE_LOOK_MS 200
#define SETTLE_FEW_PAGES 64

static bool run_on_data(struct task *task, const char *const argv[], struct error *err)
{
    const struct engine_tool tool = {
        .argv = argv, .on_stopped_data = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    return engine_check_tool(task->engine, &tool, &result, err);
}

static bool initialize_mariadb(struct task *task, struct error *err)
{
    static const char *const candidates[] = { "usr/bin/mariadb-install-db",
                                              "usr/bin/mysql_install_db", NULL };
    autofree char *program = engine_tree_path(task->engine->tree, candidates);
    const char *const argv[] = { program,
                                 MY_DEFAULTS,
                                 ("--datadir=" ENGINE_DATA),
                                 "--auth-root-authentication-method=socket",
                                 "--auth-root-socket-user=root",
                                 "--skip-test-db",
                                 "--skip-name-resolve",
                                 NULL };

    if (program == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "there is no mariadb-install-db in the tree");
    return run_on_data(task, argv, err);
}

/* Plugins cannot be asked for while the server makes its first tables, so the row is written. */
static bool initialize_mysql(struct task *task, struct error *err)
{
    static const char sql[] =
        "UPDATE mysql.user SET plugin='auth_socket', authentication_string='' "
        "WHERE User='root' AND Host='localhost';\n";
    autofree char *path = xasprintf("%s/first.sql", task->engine->conf);
    autofree char *server = my_server(task, err);
    const char *const argv[] = { server, MY_DEFAULTS, "--initialize-insecure",
                                 ("--init-file=" ENGINE_CONF "/first.sql"), NULL };

    return server != NULL &&
           file_write_owned(path, sql, strlen(sql), 0400, task->engine->uid, err) &&
           run_on_data(task, argv, err) && file_remove(path, err);
}

bool mysql_initialize(struct task *task, struct error *err)
{
    bool made = my_flavour(task) == &flavour_mysql ? initialize_mysql(task, err)
                                                   : initialize_mariadb(task, err);

    return made ? file_sync_tree(task->engine->files, err)
                : error_prefix(err, "cannot make an empty database");
}

static bool answers(struct task *task, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);

    return db != NULL;
}

/* MySQL's lock beside its socket names a number only; after a crash that may be anybody's, and the
 * server would not start. What holds is the data folder's lock. */
static bool drop_socket_lock(const struct engine *engine, struct error *err)
{
    autofree char *path = xasprintf("%s/mysql.sock.lock", engine->sockets);

    return engine_prove_stopped(engine, err) &&
           (!file_exists(engine->sockets) || file_remove(path, err));
}

bool mysql_start(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process)) {
        my_engine_starts();
        if (!drop_socket_lock(task->engine, err) ||
            !engine_start(task->engine, true, &process, err))
            return false;
    }
    return task_await_engine(task, answers, err);
}

static int64_t dirty_pages(struct connection *db, struct error *err)
{
    autoptr(rows) rows =
        my_query(db, err, "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'");
    char **row = rows == NULL ? NULL : my_next(rows);

    return row == NULL ? -1 : strtoll(row[1], NULL, 10);
}

/*
 * Writes pages out that the stop would have to, for as long as they become fewer: under a load that
 * dirties them again at once it gains nothing.
 */
bool mysql_settle(struct task *task, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);
    if (db == NULL)
        return false;

    int64_t first = dirty_pages(db, err);
    double until_s = process_clock_s() + SETTLE_S;
    if (first >= 0 && first <= SETTLE_FEW_PAGES)
        return true;
    if (first < 0 || !my_run(db, err, "SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0") ||
        !my_run(db, err, "SET GLOBAL innodb_max_dirty_pages_pct = 0"))
        return false;
    for (int64_t before = first, now = 0; process_clock_s() < until_s; before = now) {
        task_sleep_ms(task, SETTLE_LOOK_MS);
        now = dirty_pages(db, err);
        if (now < 0 || !task_goes_on(task, err))
            return false;
        if (now <= SETTLE_FEW_PAGES || now > before - before / 20)
            break;
    }
    task_what(task, "dirty pages %lld -> %lld", (long long)first, (long long)dirty_pages(db, err));
    return true;
}

/* What they were is what the tenant chose, or the server's own default. */
bool mysql_unsettle(struct task *task, struct error *err)
{
    static const char *const names[] = { "innodb_max_dirty_pages_pct",
                                         "innodb_max_dirty_pages_pct_lwm" };
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;

    autoptr(json_object) chosen = my_settings(task, err);
    autoptr(connection) db = chosen == NULL ? NULL : my_connect_for_change(task, err);
    for (size_t i = 0; db != NULL && i < ARRAY_SIZE(names); i++)
        if (!my_set_global(db, names[i], json_get_string(chosen, names[i]), err))
            return false;
    return db != NULL;
}

/* A tenant's innodb_fast_shutdown=2 would be a crash each time. */
bool mysql_before_stop(struct task *task, bool thorough, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);

    return db != NULL && my_run(db, err,
                                thorough ? "SET GLOBAL innodb_fast_shutdown = 0"
                                         : "SET GLOBAL innodb_fast_shutdown = 1");
}

/* Adds the numbers of SHOW GLOBAL STATUS and the like, by the names that the protocol has. */
static bool add_numbers(struct connection *db, struct json_object *status, struct error *err)
{
    static const struct {
        const char *native;
        const char *name;
    } numbers[] = { { "Uptime", "uptime_s" }, { "Threads_connected", "clients" } };
    autoptr(rows) rows = my_query(
        db, err, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Threads_connected')");

    if (rows == NULL)
        return false;
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
            if (strcasecmp(row[0], numbers[i].native) == 0)
                json_add_int(status, numbers[i].name, strtoll(row[1], NULL, 10));
    /* This connection is none of a client's. */
    json_add_int(status, "clients", json_get_int(status, "clients") - 1);
    return true;
}

static bool add_counts(struct task *task, struct connection *db, struct json_object *status,
                       struct error *err)
{
    autofree char *version = my_value(db, err, "SELECT @@version");
    autofree char *position = version == NULL ? NULL : my_position(task, db, err);
    if (position == NULL)
        return false;

    int64_t most = my_number(db, err, "SELECT @@max_connections");
    autoptr(json_object) databases = most < 0 ? NULL : my_databases(db, err);
    if (databases == NULL)
        return false;
    json_add_string(status, "version", version);
    json_add_string(status, "position", position);
    json_add_int(status, "clients_max", most);
    json_add_int(status, "databases", (int64_t)json_object_object_length(databases));
    json_add_int(status, "size_bytes", (int64_t)file_tree_bytes(task->engine->files));
    return true;
}

bool mysql_status(struct task *task, struct json_object *status, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    autoptr(json_object) memory = db == NULL ? NULL : my_memory_settings(task, err);

    if (memory == NULL || !add_numbers(db, status, err) || !add_counts(task, db, status, err))
        return false;
    json_add(status, "memory", json_object_get(memory));
    return my_find_restart_needed(task, db, json_add_array(status, "restart_needed"), err);
}
