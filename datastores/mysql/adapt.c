/*
 * MariaDB's own step to another series (its manual: "mariadb-upgrade"): the server starts on the
 * data of an older one after a slow shutdown of that; its system tables then get their new form.
 */
#include "engine.h"
#include "error.h"
#include "memory.h"
#include "my.h"
#include "process.h"

/* What it does is told on its stdout, and there too what it could not do. */
static bool run_upgrade(struct task *task, struct error *err)
{
    static const char *const programs[] = { "usr/bin/mariadb-upgrade", "usr/bin/mysql_upgrade",
                                            "usr/local/bin/mariadb-upgrade", NULL };
    autofree char *program = engine_tree_path(task->engine->tree, programs);
    const char *const argv[] = { program,   "--no-defaults", "--user=root",
                                 MY_SOCKET, "--silent",      NULL };
    const struct engine_tool tool = {
        .argv = argv, .as_root = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    if (program == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "the version's tree holds no mariadb-upgrade");
    if (engine_check_tool(task->engine, &tool, &result, err))
        return true;
    if (err->native[0] == '\0' && result.output.bytes != NULL)
        error_native(err, text_last_lines(result.output.bytes, 10));
    return false;
}

/*
 * Before the tool nobody may have been in; what it says itself cannot be told from others' words,
 * and while it is at it the gate alone keeps them out.
 */
static bool run_counted(struct task *task, struct error *err)
{
    int64_t strangers = 0;

    if (!mysql_strangers(task, 0, &strangers, err))
        return false;
    if (strangers != 0)
        return true; /* the proof will find them, too, and must not lose them */
    if (!run_upgrade(task, err))
        return error_prefix(err, "cannot bring the system tables up to date");

    autoptr(connection) db = my_connect(task, err);
    return db != NULL && my_excuse_statements(db, err);
}

bool mariadb_adapt(struct task *task, struct json_object *noted, bool migrated, struct error *err)
{
    (void)noted;
    if (!migrated)
        return true;
    if (!run_counted(task, err))
        return false;
    task_what(task, "system tables and views brought up to date, all tables checked");
    return true;
}
