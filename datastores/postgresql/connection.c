#include "connection.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "text.h"

#define TICK_MS 100
#define DEFAULT_PORT 5432

/* Of the start-up packet, which counts more than what was set for a database or a role. */
static const char session_options[] =
    "-c search_path=pg_catalog,pg_temp -c lc_messages=C -c client_min_messages=error "
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 "
    "-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed "
    "-c synchronous_commit=on -c standard_conforming_strings=on -c DateStyle=ISO,YMD "
    "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic "
    "-c max_parallel_workers_per_gather=0 -c enable_nestloop=off -c jit=off";

/* SQLSTATE, or its class of two letters, and our word for it; what is not here is the engine's. */
static const struct {
    const char *state;
    enum error_reason reason;
} reasons[] = {
    { "42710", ERROR_EXISTS },    /* duplicate_object: a role */
    { "42P04", ERROR_EXISTS },    /* duplicate_database */
    { "42704", ERROR_NOT_FOUND }, /* undefined_object: a role */
    { "3D000", ERROR_NOT_FOUND }, /* invalid_catalog_name: a database */
    { "42939", ERROR_DENIED },    /* reserved_name */
    { "42501", ERROR_DENIED },    /* insufficient_privilege */
    { "28", ERROR_DENIED },       /* invalid_authorization_specification */
    { "0A", ERROR_UNSUPPORTED },  /* feature_not_supported */
    { "22", ERROR_INVALID },      /* data_exception */
    { "42602", ERROR_INVALID },   /* invalid_name */
    { "42809", ERROR_INVALID },   /* wrong_object_type */
    { "55006", ERROR_BUSY },      /* object_in_use */
    { "55P03", ERROR_BUSY },      /* lock_not_available */
    { "2BP01", ERROR_BUSY },      /* dependent_objects_still_exist */
    { "40", ERROR_BUSY },         /* transaction_rollback: deadlock, serialization */
    { "53300", ERROR_BUSY },      /* too_many_connections */
    { "53100", ERROR_NO_SPACE },  /* disk_full */
    { "XX001", ERROR_CORRUPT },   /* data_corrupted */
    { "XX002", ERROR_CORRUPT },   /* index_corrupted */
};

static enum error_reason reason_of(const char *state)
{
    for (size_t i = 0; state != NULL && i < ARRAY_SIZE(reasons); i++)
        if (text_starts(state, reasons[i].state))
            return reasons[i].reason;

    return ERROR_ENGINE;
}

/* What the server said, as an error; always false. */
static bool fail_result(const PGresult *result, PGconn *db, struct error *err)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

    if (primary == NULL) {
        error_set(err, ERROR_ENGINE, "the server's answer broke off");
        return error_native(err, PQerrorMessage(db));
    }
    error_set(err, reason_of(PQresultErrorField(result, PG_DIAG_SQLSTATE)), "%s", primary);
    autofree char *native =
        xasprintf("%s:  %s%s%s", PQresultErrorField(result, PG_DIAG_SEVERITY), primary,
                  detail == NULL ? "" : "\nDETAIL:  ", detail == NULL ? "" : detail);

    return error_native(err, native);
}

static bool check_result(const PGresult *result, PGconn *db, struct error *err)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || fail_result(result, db, err);
}

static bool fail_connection(PGconn *db, struct error *err)
{
    error_set(err, ERROR_ENGINE, "the connection to the server was lost");
    return error_native(err, PQerrorMessage(db));
}

static void ignore_notice(void *unused, const char *message)
{
    (void)unused;
    (void)message;
}

int pg_socket_port(const struct engine *engine)
{
    return engine->port == 0 ? DEFAULT_PORT : engine->port;
}

char *pg_session_name(const struct task *task)
{
    return xasprintf("dbguest %s", task->job);
}

/* Brings a started connection to its end, good or bad; false when the job is to stop. */
static bool finish_connecting(struct task *task, PGconn *db, struct error *err)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (PQstatus(db) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
           status != PGRES_POLLING_FAILED) {
        struct pollfd poller = {
            .fd = PQsocket(db),
            .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
        };
        int ready = poll(&poller, 1, TICK_MS);

        if (ready > 0)
            status = PQconnectPoll(db);
        else if (!task_goes_on(task, err))
            return false;
    }
    return true;
}

/*
 * A connection that was tried; look at its status. NULL only when the job is to stop. A socket's
 * path has at most 107 bytes; a longer folder is named by its descriptor.
 */
static PGconn *try_connection(struct task *task, const char *user, const char *database,
                              struct error *err)
{
    const char *sockets = task->engine->sockets;
    autofree char *name = pg_session_name(task);
    autofree char *port = xasprintf("%d", pg_socket_port(task->engine));
    autoclose int folder = open(sockets, O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofree char *by_descriptor = xasprintf("/proc/self/fd/%d", folder);
    bool fits =
        strlen(sockets) + strlen("/.s.PGSQL.65535") < sizeof((struct sockaddr_un){ 0 }.sun_path);
    const char *const keys[] = { "host",
                                 "port",
                                 "user",
                                 "dbname",
                                 "application_name",
                                 "options",
                                 "client_encoding",
                                 "sslmode",
                                 "gssencmode",
                                 "passfile",
                                 "password",
                                 NULL };
    const char *const values[] = { fits ? sockets : by_descriptor,
                                   port,
                                   user,
                                   database,
                                   name,
                                   session_options,
                                   "UTF8",
                                   "disable",
                                   "disable",
                                   "/dev/null/none",
                                   "",
                                   NULL };
    PGconn *db = PQconnectStartParams(keys, values, 0);

    if (db == NULL)
        abort(); /* no memory */
    PQsetNoticeProcessor(db, ignore_notice, NULL);
    if (!finish_connecting(task, db, err)) {
        PQfinish(db);
        return NULL;
    }
    return db;
}

/* Sessions that this worker was given, in all and since it has started an engine. */
static int64_t sessions_made, sessions_since_start;

int64_t pg_sessions_made(bool since_start)
{
    return since_start ? sessions_since_start : sessions_made;
}

void pg_sessions_forget(void)
{
    sessions_made = 0;
}

void pg_engine_starts(void)
{
    sessions_since_start = 0;
}

PGconn *pg_connect(struct task *task, const char *database, struct error *err)
{
    autoptr(PGconn) db = try_connection(task, "postgres", database, err);

    if (db == NULL)
        return NULL;
    if (PQstatus(db) != CONNECTION_OK) {
        error_set(err, ERROR_ENGINE, "cannot connect to '%s'", task->engine->instance);
        error_native(err, PQerrorMessage(db));
        return NULL;
    }
    sessions_made++;
    sessions_since_start++;
    return steal(db);
}

enum pg_answer pg_ask_gate(struct task *task)
{
    struct error ignored = { 0 };
    autoptr(PGconn) db = try_connection(task, "dbguest.gate", "postgres", &ignored);

    error_clear(&ignored);
    if (db == NULL)
        return PG_UNKNOWN;
    if (PQconnectionNeedsPassword(db))
        return PG_ASKED;
    return strstr(PQerrorMessage(db), "pg_hba.conf rejects") != NULL ? PG_REJECTED : PG_UNKNOWN;
}

/* Waits until an answer can be taken without waiting; cancels what runs when the job is to stop. */
static bool await_answer(struct task *task, PGconn *db, struct error *err)
{
    while (PQisBusy(db)) {
        struct pollfd poller = { .fd = PQsocket(db), .events = POLLIN };

        if (poll(&poller, 1, TICK_MS) > 0) {
            if (!PQconsumeInput(db))
                return fail_connection(db, err);
            continue;
        }
        if (task_goes_on(task, err))
            continue;

        char ignored[256];
        PGcancel *cancel = PQgetCancel(db);
        PQcancel(cancel, ignored, sizeof(ignored));
        PQfreeCancel(cancel);
        return false;
    }
    return true;
}

/* The last of the answers, or the first that is an error; all are taken. */
static PGresult *take_answers(struct task *task, PGconn *db, struct error *err)
{
    PGresult *kept = NULL;

    for (;;) {
        if (!await_answer(task, db, err)) {
            PQclear(kept);
            return NULL;
        }
        PGresult *next = PQgetResult(db);
        if (next == NULL)
            break;
        if (kept != NULL && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            PQclear(next);
            continue;
        }
        PQclear(kept);
        kept = next;
    }
    if (kept == NULL)
        fail_connection(db, err);
    return kept;
}

static bool send_query(PGconn *db, const char *sql, struct error *err)
{
    if (sql == NULL)
        return error_set(err, ERROR_INVALID, "a name is not valid text");
    return PQsendQuery(db, sql) || fail_connection(db, err);
}

PGresult *pg_query(struct task *task, PGconn *db, const char *sql, struct error *err)
{
    if (!send_query(db, sql, err))
        return NULL;
    autoptr(PGresult) result = take_answers(task, db, err);
    if (result == NULL || !check_result(result, db, err))
        return NULL;
    return steal(result);
}

bool pg_query_many(struct task *task, PGconn *db, const char *sql, struct pg_answers *answers,
                   struct error *err)
{
    if (!send_query(db, sql, err))
        return false;
    for (size_t i = 0; i < answers->count; i++) {
        answers->each[i] = await_answer(task, db, err) ? PQgetResult(db) : NULL;
        if (answers->each[i] == NULL)
            return err->reason == ERROR_NONE ? fail_connection(db, err) : false;
        if (!check_result(answers->each[i], db, err))
            return false;
    }
    return true;
}

void pg_answers_done(struct pg_answers *answers)
{
    for (size_t i = 0; i < answers->count; i++)
        PQclear(answers->each[i]);
}

bool pg_run(struct task *task, PGconn *db, const char *sql, struct error *err)
{
    autoptr(PGresult) result = pg_query(task, db, sql, err);

    return result != NULL;
}

char *pg_value(struct task *task, PGconn *db, const char *sql, struct error *err)
{
    autoptr(PGresult) rows = pg_query(task, db, sql, err);

    if (rows == NULL)
        return NULL;
    return xstrdup(PQntuples(rows) == 0 ? "" : PQgetvalue(rows, 0, 0));
}

/* Sends one statement now, so that the server works while the next is made. */
static bool batch_send(struct pg_batch *batch, const char *sql, size_t index, struct error *err)
{
    if (batch->count == batch->room) {
        batch->room = batch->room == 0 ? 64 : batch->room * 2;
        batch->indexes = xrealloc(batch->indexes, batch->room * sizeof(*batch->indexes));
    }
    batch->indexes[batch->count++] = index;
    if (!PQsendQueryParams(batch->db, sql, 0, NULL, NULL, NULL, NULL, 0) || PQflush(batch->db) < 0)
        return fail_connection(batch->db, err);
    return true;
}

bool pg_batch_begin(struct pg_batch *batch, struct task *task, PGconn *db, struct error *err)
{
    *batch = (struct pg_batch){ .task = task, .db = db };
    if (!PQenterPipelineMode(db))
        return fail_connection(db, err);
    return batch_send(batch, "BEGIN", PG_BATCH_NONE, err);
}

bool pg_batch_add(struct pg_batch *batch, char *sql, size_t index, struct error *err)
{
    autofree char *owned = sql;

    if (owned == NULL)
        return error_set(err, ERROR_INVALID, "a name is not valid text");
    return task_goes_on(batch->task, err) && batch_send(batch, owned, index, err);
}

bool pg_batch_end(struct pg_batch *batch, struct error *err)
{
    bool good = true;

    if (!batch_send(batch, "COMMIT", PG_BATCH_NONE, err))
        return false;
    if (!PQpipelineSync(batch->db))
        return fail_connection(batch->db, err);

    for (size_t i = 0; i < batch->count; i++) {
        autoptr(PGresult) result = take_answers(batch->task, batch->db, err);

        if (result == NULL)
            return false;
        if (!good || PQresultStatus(result) != PGRES_FATAL_ERROR)
            continue;
        good = fail_result(result, batch->db, err);
        if (batch->indexes[i] != PG_BATCH_NONE)
            error_add(err, "at", json_object_new_int64((int64_t)batch->indexes[i]));
    }
    autoptr(PGresult) sync =
        await_answer(batch->task, batch->db, err) ? PQgetResult(batch->db) : NULL;
    if (sync == NULL)
        return good ? fail_connection(batch->db, err) : false;
    PQexitPipelineMode(batch->db);
    return good;
}

void pg_batch_done(struct pg_batch *batch)
{
    free(batch->indexes);
    batch->indexes = NULL;
}
