/*
 * Talking to a PostgreSQL server: the only place that knows libpq.
 *
 * Every connection is the superuser `postgres`, by peer authentication over the instance's own
 * socket folder, and carries the job's name (C10). Its settings are given with the connection, so
 * that nothing that a tenant set for a database or role acts on us: names are looked up in
 * pg_catalog only, no statement is logged, no timeout ends us. Waiting is interruptible: a job that
 * is told to stop cancels its statement. Closing a connection rolls back, so that early returns
 * need no ROLLBACK.
 */
#ifndef POSTGRESQL_CONNECTION_H
#define POSTGRESQL_CONNECTION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "task.h"

struct engine;
struct error;

DEFINE_AUTOPTR_FOR(PGconn, PGconn, PQfinish)
DEFINE_AUTOPTR_FOR(PGresult, PGresult, PQclear)

/* The name of the socket's file, not always a port that anything listens on. */
int pg_socket_port(const struct engine *engine);
/* application_name of all sessions of this job. Caller frees. */
char *pg_session_name(const struct task *task);

/* NULL when it fails. */
PGconn *pg_connect(struct task *task, const char *database, struct error *err);
/* How often pg_connect() did, in all or since the engine was started: for counting others (C18). */
int64_t pg_sessions_made(bool since_start);
/* The server's statistics begin anew. */
void pg_sessions_forget(void);
void pg_engine_starts(void);
/*
 * Whether the server turns everybody but the agent away, asked by trying: an account that does not
 * exist is rejected by the gate when it is closed, and asked for a password when it is open.
 * Unknown (for example because all connections are taken) is neither.
 */
enum pg_answer { PG_UNKNOWN, PG_REJECTED, PG_ASKED };
enum pg_answer pg_ask_gate(struct task *task);

/*
 * printf for SQL: %I an identifier, %L a literal (both quoted by libpq), %s SQL of ours, %u an
 * unsigned int. NULL when a name is no valid text; pg_run() and pg_query() then say so.
 */
char *pg_format(PGconn *db, const char *format, ...);

/* One command, or several, without rows. */
bool pg_run(struct task *task, PGconn *db, const char *sql, struct error *err);
/* Rows; NULL when it fails. */
PGresult *pg_query(struct task *task, PGconn *db, const char *sql, struct error *err);
/* As many statements in one message, and their answers; good for nothing when it fails. */
struct pg_answers {
    PGresult *each[4];
    size_t count;
};
bool pg_query_many(struct task *task, PGconn *db, const char *sql, struct pg_answers *answers,
                   struct error *err);
void pg_answers_done(struct pg_answers *answers);
#define autoanswers __attribute__((cleanup(pg_answers_done)))

/* The first column of the first row; NULL when it fails, "" for no row or null. Caller frees. */
char *pg_value(struct task *task, PGconn *db, const char *sql, struct error *err);

/* One cell: NULL when null. */
const char *pg_cell(const PGresult *rows, int row, int column);
int64_t pg_cell_int(const PGresult *rows, int row, int column);
bool pg_cell_bool(const PGresult *rows, int row, int column);

/* A SCRAM verifier of a password, so that no log can show what the server was not told. */
char *pg_verifier(PGconn *db, const char *user, const char *password, struct error *err);

/*
 * Many statements as one transaction, sent without waiting for each other's answers. The first that
 * fails ends all; the index that it was given is the error's "at".
 */
struct pg_batch {
    struct task *task;
    PGconn *db;
    size_t *indexes;
    size_t count;
    size_t room;
};
#define PG_BATCH_NONE SIZE_MAX /* the index of a statement that belongs to no entry */

bool pg_batch_begin(struct pg_batch *batch, struct task *task, PGconn *db, struct error *err);
/* Takes over sql, which may be NULL as pg_format() gives it. */
bool pg_batch_add(struct pg_batch *batch, char *sql, size_t index, struct error *err);
/* Commits. */
bool pg_batch_end(struct pg_batch *batch, struct error *err);
void pg_batch_done(struct pg_batch *batch);
#define autobatch __attribute__((cleanup(pg_batch_done)))

#endif
