/*
 * Talking to a MariaDB or MySQL server: the only place that knows the client library.
 *
 * Every connection is root@localhost, which is the agent's alone: the server looks at the uid of
 * the socket's other end. A connection for a change first takes a lock named after its job, so that
 * a recovery finds what a killed worker left running in the server (C10). The session's settings
 * are given at once, so that nothing that a tenant configured (time limits, SQL modes) acts on us.
 */
#ifndef MYSQL_CONNECTION_H
#define MYSQL_CONNECTION_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "text.h"

struct error;
struct flavour;
struct task;

struct connection;
struct rows;

/* For reading; NULL when it fails. */
struct connection *my_connect(struct task *task, struct error *err);
/* The same for a change. A worker has one of these at a time: a second ends the first. */
struct connection *my_connect_for_change(struct task *task, struct error *err);
void my_close(struct connection *db);
DEFINE_AUTOPTR(connection, my_close)

/*
 * printf for SQL: %I an identifier, %P an identifier as the pattern that GRANT takes it for, %A an
 * account ('name'@'%'), %L a literal, %s SQL of ours, %u an uint64_t. Caller frees.
 */
char *my_format(struct connection *db, const char *format, ...);
/* A format on its way to SQL, for functions like it: start arguments, end them afterwards. */
struct my_formatting {
    struct connection *db;
    struct text out;
    va_list arguments;
};
char *my_format_all(struct my_formatting *formatting, const char *format);
/* A literal, quoted as this connection wants it. */
void my_add_literal(struct connection *db, struct text *out, const char *value);

/* One statement; rows it may have are dropped. */
bool my_run(struct connection *db, struct error *err, const char *format, ...);
/* The same with ready SQL, which may be long. */
/* Of the server that it leads to. */
const struct flavour *my_flavour_of(const struct connection *db);
bool my_run_sql(struct connection *db, const char *sql, size_t length, struct error *err);
/* Rows, all of them fetched; NULL when it fails. */
struct rows *my_query(struct connection *db, struct error *err, const char *format, ...);
/* The next row's values, NULL for null, valid as long as rows; NULL after the last. */
char **my_next(struct rows *rows);
size_t my_row_count(const struct rows *rows);
void my_rows_free(struct rows *rows);
DEFINE_AUTOPTR(rows, my_rows_free)

/* The first column of the first row; NULL when it fails, "" for no row or null. Caller frees. */
char *my_value(struct connection *db, struct error *err, const char *format, ...);
/* The same as a number; -1 when it fails. */
int64_t my_number(struct connection *db, struct error *err, const char *format, ...);

/* How many statements the server has heard from this worker since it was started: for counting
 * those of others (C18). */
int64_t my_said(void);
/* Ours are so many more: a tool of ours said them. */
void my_say(int64_t more);
void my_engine_starts(void);

/* The server's number of the last error, and those that callers tell apart. */
unsigned int my_errno(const struct connection *db);
#define MY_WRONG_VALUE 1231    /* of a variable */
#define MY_WRONG_TYPE 1232     /* a variable wants another type */
#define MY_READ_ONLY 1238      /* a variable that is fixed while the server runs */
#define MY_NO_SUCH_THREAD 1094 /* it has ended already */
#define MY_UNKNOWN_VARIABLE 1193
#define MY_NO_SUCH_GRANT 1141

uint64_t my_connection_id(const struct connection *db);

/* Ends the session that holds this job's lock, and waits until it is gone. */
bool my_evict(struct task *task, struct error *err);

#endif
