#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

#define LOOK_EVERY_S 0.5
#define LEAST_FREE_BYTES ((uint64_t)256 << 20) /* so that kept WAL does not stop the engine */

/* What is looked at while the stream runs, over a connection of its own. */
struct watch {
    struct task *task;
    PGconn *db;
    uint64_t total_bytes;
    double looked_s;
};

/* From 15 on the server compresses with several threads, and less crosses socket and pipes. */
static bool server_compresses(struct task *task, PGconn *db, bool *compresses, struct error *err)
{
    *compresses = false;
    if (PQserverVersion(db) < 150000)
        return true;

    autofree char *with = pg_value(
        task, db, "SELECT setting LIKE '%--with-zstd%' FROM pg_config() WHERE name = 'CONFIGURE'",
        err);
    if (with == NULL)
        return false;
    *compresses = *with == 't';
    return true;
}

bool postgresql_backup_form(struct task *task, struct backup_form *form, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL || !server_compresses(task, db, &form->packs_itself, err))
        return false;
    form->file = "data.tar.zst";
    form->by_hand = "zstd -d < %s | tar x";
    return true;
}

/*
 * To standard output goes one tar only: what lies in a tablespace would be left out. The slot keeps
 * the WAL that the backup will fetch at its end; it is this session's and goes with it.
 */
static bool prepare(struct task *task, PGconn *db, struct error *err)
{
    autofree char *elsewhere = pg_value(
        task, db,
        "SELECT spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')", err);

    if (elsewhere == NULL)
        return false;
    if (*elsewhere != '\0')
        return error_set(err, ERROR_UNSUPPORTED,
                         "tablespace '%s' lies outside of the data folder: it cannot be backed up",
                         elsewhere);

    autofree char *slot = pg_format(
        db,
        "SELECT pg_create_physical_replication_slot('dbguest_' || pg_backend_pid(), true, true)");
    return pg_run(task, db, slot, err);
}

/* Cheap enough for twice a second; what the view does not show yet is no progress. */
static bool look(struct watch *watch, struct error *err)
{
    const struct engine *engine = watch->task->engine;
    autofree char *streamed =
        pg_value(watch->task, watch->db,
                 "SELECT coalesce(max(backup_streamed), 0) FROM pg_stat_progress_basebackup", err);

    if (streamed == NULL)
        return false;
    task_progress(watch->task, strtoull(streamed, NULL, 10), watch->total_bytes);

    uint64_t free_bytes = file_free_bytes(engine->files);
    if (free_bytes > 0 && free_bytes < LEAST_FREE_BYTES)
        return error_set(err, ERROR_NO_SPACE,
                         "the log that the backup makes the engine keep fills '%s'", engine->files);
    return true;
}

static bool tick(void *context, struct error *err)
{
    struct watch *watch = context;
    double now = process_clock_s();

    if (!task_goes_on(watch->task, err))
        return false;
    if (now - watch->looked_s < LOOK_EVERY_S)
        return true;
    watch->looked_s = now;
    return look(watch, err);
}

/* Adds the position that a line of pg_basebackup names, "... start point: 0/2000028 on timeline 1".
 */
static bool note_position(struct json_object *manifest, const char *name, const char *said,
                          const char *words, struct error *err)
{
    const char *at = said == NULL ? NULL : strstr(said, words);

    if (at == NULL) {
        error_set(err, ERROR_ENGINE, "pg_basebackup does not say where the backup %s",
                  strcmp(name, "position_start") == 0 ? "starts" : "ends");
        return error_native(err, said == NULL ? "" : said);
    }
    at += strlen(words);
    autofree char *position = xstrndup(at, strspn(at, "0123456789ABCDEF/"));
    json_add_string(manifest, name, position);
    return true;
}

static bool stream(struct watch *watch, int output, bool compresses, struct process_result *result,
                   struct error *err)
{
    struct task *task = watch->task;
    autofree char *program = postgresql_program(task, "pg_basebackup", err);
    autofree char *session = pg_session_name(task);
    autofree char *where =
        xasprintf("host=" ENGINE_SOCKETS " port=%d user=postgres application_name='%s'",
                  pg_socket_port(task->engine), session);
    const char *const argv[] = { program,
                                 "--dbname",
                                 where,
                                 "--format=tar",
                                 "--pgdata=-",
                                 "--wal-method=fetch",
                                 "--checkpoint=fast",
                                 "--no-manifest",
                                 "--no-password",
                                 "--verbose",
                                 compresses ? "--compress=server-zstd:level=1,workers=2" : NULL,
                                 NULL };
    const struct engine_tool tool = {
        .argv = argv,
        .output = output,
        .as_root = true,
        .tick = tick,
        .context = watch,
    };

    return program != NULL && engine_check_tool(task->engine, &tool, result, err);
}

bool postgresql_backup(struct task *task, int output, struct json_object *manifest,
                       struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autoresult struct process_result result = { 0 };
    bool compresses = false;

    if (db == NULL || !prepare(task, db, err) || !server_compresses(task, db, &compresses, err))
        return false;
    autofree char *total =
        pg_value(task, db, "SELECT sum(pg_database_size(oid)) FROM pg_database", err);
    if (total == NULL)
        return false;

    struct watch watch = { .task = task, .db = db, .total_bytes = strtoull(total, NULL, 10) };
    if (!stream(&watch, output, compresses, &result, err))
        return error_prefix(err, "cannot copy the data");

    return note_position(manifest, "position_start", result.errors.bytes,
                         "log start point: ", err) &&
           note_position(manifest, "position_end", result.errors.bytes, "log end point: ", err);
}
