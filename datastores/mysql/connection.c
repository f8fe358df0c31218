#include "connection.h"

#include <mysql.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "flavour.h"
#include "memory.h"
#include "process.h"
#include "task.h"
#include "text.h"

#define CONNECT_TIMEOUT_S 20
#define LOOK_MS 20
#define TOO_MANY_CONNECTIONS 1040

struct connection {
    MYSQL *mysql;
    const struct flavour *flavour;
    bool known; /* it has logged in */
};

struct rows {
    MYSQL_RES *result;
};

/* Native codes become ours here and nowhere else; all others are reason engine. */
static const struct {
    unsigned int number;
    enum error_reason reason;
} reasons[] = {
    { 1007, ERROR_EXISTS },            /* database */
    { 1008, ERROR_NOT_FOUND },         /* database, to drop */
    { 1049, ERROR_NOT_FOUND },         /* database */
    { 1021, ERROR_NO_SPACE },          /* disk full */
    { 1114, ERROR_NO_SPACE },          /* table full */
    { 1040, ERROR_BUSY },              /* too many connections */
    { 1205, ERROR_BUSY },              /* lock wait timeout */
    { 1213, ERROR_BUSY },              /* deadlock */
    { 1059, ERROR_INVALID },           /* identifier too long */
    { 1102, ERROR_INVALID },           /* database name */
    { 1115, ERROR_INVALID },           /* unknown character set */
    { MY_WRONG_VALUE, ERROR_INVALID }, /* value of a variable */
    { 1253, ERROR_INVALID },           /* collation of another character set */
    { 1273, ERROR_INVALID },           /* unknown collation */
    { 1300, ERROR_INVALID },           /* bytes that are no text */
    { 1366, ERROR_INVALID },           /* likewise */
    { 1406, ERROR_INVALID },           /* data too long: a name in a grant */
    { 1470, ERROR_INVALID },           /* name too long */
    { 1053, ERROR_INTERRUPTED },       /* shutdown */
    { 1317, ERROR_INTERRUPTED },       /* killed */
    { 1927, ERROR_INTERRUPTED },       /* killed */
    { 2006, ERROR_INTERRUPTED },       /* server has gone away */
    { 2013, ERROR_INTERRUPTED },       /* lost while asking */
};

static bool my_fail(MYSQL *mysql, struct error *err)
{
    enum error_reason reason = ERROR_ENGINE;

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].number == mysql_errno(mysql))
            reason = reasons[i].reason;
    error_set(err, reason, "the engine says: %s", mysql_error(mysql));
    return error_native(err, mysql_error(mysql));
}

const struct flavour *my_flavour_of(const struct connection *db)
{
    return db->flavour;
}

/* What the server has heard from this worker since its start: statements, and good-byes, which it
 * counts as well. */
static int64_t said;

int64_t my_said(void)
{
    return said;
}

void my_say(int64_t more)
{
    said += more;
}

void my_engine_starts(void)
{
    said = 0;
}

void my_close(struct connection *db)
{
    if (db == NULL)
        return;
    if (db->mysql != NULL)
        mysql_close(db->mysql);
    said += db->known;
    free(db);
}

static void set_options(MYSQL *mysql, const struct task *task)
{
    unsigned int timeout_s = CONNECT_TIMEOUT_S;
    unsigned int local_infile = 0;
    bool reconnect = false;
    autofree char *name = xasprintf("dbguest %s", task->job);

    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile);
    mysql_options(mysql, MYSQL_OPT_RECONNECT, &reconnect);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", name);
}

/* One connection more than clients get is kept for us, but whoever has yet to log in may have it.
 */
static bool knock(struct connection *db, struct task *task, struct error *err)
{
    autofree char *socket = xasprintf("%s/mysql.sock", task->engine->sockets);
    double until_s = process_clock_s() + CONNECT_TIMEOUT_S;

    for (;;) {
        db->mysql = mysql_init(NULL);
        if (db->mysql == NULL)
            abort();
        set_options(db->mysql, task);
        db->known = mysql_real_connect(db->mysql, NULL, "root", NULL, NULL, 0, socket, 0) != NULL;
        if (db->known)
            return true;
        if (mysql_errno(db->mysql) != TOO_MANY_CONNECTIONS || process_clock_s() > until_s) {
            my_fail(db->mysql, err);
            return error_prefix(err, "cannot connect to '%s'", task->engine->instance);
        }
        mysql_close(db->mysql);
        db->mysql = NULL;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, LOOK_MS);
    }
}

struct connection *my_connect(struct task *task, struct error *err)
{
    autoptr(connection) db = xcalloc(1, sizeof(*db));

    db->flavour = my_flavour(task);
    if (!knock(db, task, err) || !my_run(db, err, "SET %s", db->flavour->session))
        return NULL;
    return steal(db);
}

static bool evict(struct task *task, struct connection *db, struct error *err)
{
    for (;;) {
        int64_t owner =
            my_number(db, err, "SELECT COALESCE(IS_USED_LOCK('dbguest.%s'), 0)", task->job);
        if (owner <= 0)
            return owner == 0;

        struct error gone = { 0 };
        if (!my_run(db, &gone, "KILL CONNECTION %u", (uint64_t)owner) &&
            my_errno(db) != MY_NO_SUCH_THREAD) {
            error_move(err, &gone);
            return false;
        }
        error_clear(&gone);
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, LOOK_MS);
    }
}

bool my_evict(struct task *task, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);

    return db != NULL && evict(task, db, err);
}

struct connection *my_connect_for_change(struct task *task, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);

    /* A connection of ours that was just closed lets go of it soon. Anybody may take a lock of this
     * name: whoever has it for longer is ended. */
    while (db != NULL) {
        int64_t got = my_number(db, err, "SELECT GET_LOCK('dbguest.%s', 1)", task->job);
        if (got == 1)
            return steal(db);
        if (got < 0 || !task_goes_on(task, err) || !evict(task, db, err))
            return NULL;
    }
    return NULL;
}

void my_add_literal(struct connection *db, struct text *out, const char *value)
{
    size_t length = strlen(value);
    autofree char *quoted = xmalloc(2 * length + 1);
    unsigned long used = mysql_real_escape_string(db->mysql, quoted, value, length);

    text_add(out, "'");
    text_add_bytes(out, quoted, used);
    text_add(out, "'");
}

static MYSQL_RES *ask(struct connection *db, const char *sql, size_t length, struct error *err)
{
    said++;
    if (mysql_real_query(db->mysql, sql, length) != 0) {
        my_fail(db->mysql, err);
        return NULL;
    }

    MYSQL_RES *result = mysql_store_result(db->mysql);
    if (result == NULL && mysql_errno(db->mysql) != 0)
        my_fail(db->mysql, err);
    return result;
}

bool my_run_sql(struct connection *db, const char *sql, size_t length, struct error *err)
{
    MYSQL_RES *result = ask(db, sql, length, err);

    if (result != NULL)
        mysql_free_result(result);
    return mysql_errno(db->mysql) == 0;
}

bool my_run(struct connection *db, struct error *err, const char *format, ...)
{
    struct my_formatting formatting = { .db = db };

    va_start(formatting.arguments, format);
    autofree char *sql = my_format_all(&formatting, format);
    va_end(formatting.arguments);
    return my_run_sql(db, sql, strlen(sql), err);
}

static struct rows *query(struct connection *db, const char *sql, struct error *err)
{
    MYSQL_RES *result = ask(db, sql, strlen(sql), err);

    if (result == NULL)
        return NULL;

    struct rows *rows = xcalloc(1, sizeof(*rows));
    rows->result = result;
    return rows;
}

struct rows *my_query(struct connection *db, struct error *err, const char *format, ...)
{
    struct my_formatting formatting = { .db = db };

    va_start(formatting.arguments, format);
    autofree char *sql = my_format_all(&formatting, format);
    va_end(formatting.arguments);
    return query(db, sql, err);
}

char **my_next(struct rows *rows)
{
    return mysql_fetch_row(rows->result);
}

size_t my_row_count(const struct rows *rows)
{
    return mysql_num_rows(rows->result);
}

void my_rows_free(struct rows *rows)
{
    if (rows != NULL)
        mysql_free_result(rows->result);
    free(rows);
}

static char *first_value(struct connection *db, const char *sql, struct error *err)
{
    autoptr(rows) rows = query(db, sql, err);
    if (rows == NULL)
        return NULL;

    char **row = my_next(rows);
    return xstrdup(row == NULL || row[0] == NULL ? "" : row[0]);
}

char *my_value(struct connection *db, struct error *err, const char *format, ...)
{
    struct my_formatting formatting = { .db = db };

    va_start(formatting.arguments, format);
    autofree char *sql = my_format_all(&formatting, format);
    va_end(formatting.arguments);
    return first_value(db, sql, err);
}

int64_t my_number(struct connection *db, struct error *err, const char *format, ...)
{
    struct my_formatting formatting = { .db = db };

    va_start(formatting.arguments, format);
    autofree char *sql = my_format_all(&formatting, format);
    va_end(formatting.arguments);

    autofree char *value = first_value(db, sql, err);
    return value == NULL ? -1 : strtoll(value, NULL, 10);
}

unsigned int my_errno(const struct connection *db)
{
    return mysql_errno(db->mysql);
}

uint64_t my_connection_id(const struct connection *db)
{
    return mysql_thread_id(db->mysql);
}
