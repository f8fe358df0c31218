#include <string.h>
#include <strings.h>

#include "error.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "page.h"
#include "postgresql.h"
#include "text.h"

/*
 * CREATE DATABASE is no part of a transaction. A new database lets nobody in (CONNECTION LIMIT 0)
 * until one transaction inside has made its groups and lifted the limit: one that a crash left half
 * made is known by that, shows up nowhere, and goes when its name is used again.
 */
#define HALF_MADE                                                                                  \
    "(datconnlimit = 0 AND NOT EXISTS (SELECT FROM pg_authid g"                                    \
    " WHERE g.rolname = 'dbguest.read.' || d.oid) AND EXISTS (SELECT FROM pg_authid o"             \
    " WHERE o.oid = d.datdba AND o.rolname = '" PG_OWNER "'))"
#define VISIBLE "NOT datistemplate AND datname <> 'postgres' AND NOT " HALF_MADE
/* A DROP DATABASE that was interrupted leaves this; nothing can be done with it but drop it. */
#define INVALID "datconnlimit = -2"

static char *rows_sql(PGconn *db, const char *condition)
{
    int version = PQserverVersion(db);
    const char *locale = version >= 170000   ? "coalesce(datlocale, datcollate)"
                         : version >= 150000 ? "coalesce(daticulocale, datcollate)"
                                             : "datcollate";

    return xasprintf("SELECT datname, pg_get_userbyid(datdba), pg_database_size(oid),"
                     " pg_encoding_to_char(encoding), %s FROM pg_database d WHERE " VISIBLE
                     " AND %s",
                     locale, condition);
}

static bool fetch_databases(struct task *task, PGconn *db, const char *condition, struct page *page,
                            struct error *err)
{
    autofree char *sql = condition == NULL ? NULL : rows_sql(db, condition);
    autoptr(PGresult) rows = pg_query(task, db, sql, err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows) && page_row(page, pg_cell(rows, i, 0)); i++) {
        page_string(page, "owner", pg_cell(rows, i, 1));
        page_int(page, "size_bytes", pg_cell_int(rows, i, 2));
        page_string(page, "encoding", pg_cell(rows, i, 3));
        page_string(page, "locale", pg_cell(rows, i, 4));
        page_end(page, '}');
    }
    return true;
}

bool postgresql_database_list(struct task *task, struct page *page, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    autofree char *condition = pg_format(
        db, "datname::text COLLATE \"C\" > %L ORDER BY datname::text COLLATE \"C\" LIMIT %u",
        page->marker == NULL ? "" : page->marker, (unsigned int)page->limit + 1);
    return fetch_databases(task, db, condition, page, err);
}

bool postgresql_database_show(struct task *task, const char *name, struct json_object *row,
                              struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autopage struct page page = { .limit = 1 };

    if (db == NULL)
        return false;
    autofree char *condition = pg_format(db, "datname::text = %L", name);
    if (!fetch_databases(task, db, condition, &page, err))
        return false;
    if (page.count == 0)
        return error_set(err, ERROR_NOT_FOUND, "database '%s' does not exist", name);
    return page_only_row(&page, row, err);
}

PGresult *postgresql_connectable(struct task *task, PGconn *db, struct error *err)
{
    return pg_query(task, db,
                    "SELECT datname FROM pg_database d WHERE datallowconn AND NOT " INVALID
                    " AND NOT " HALF_MADE " ORDER BY datname COLLATE \"C\"",
                    err);
}

static bool drop_remains(struct task *task, PGconn *db, const char *name, struct error *err)
{
    autofree char *sql = pg_format(
        db, "SELECT 1 FROM pg_database d WHERE datname = %L AND (" INVALID " OR " HALF_MADE ")",
        name);
    autofree char *found = sql == NULL ? NULL : pg_value(task, db, sql, err);

    if (found == NULL)
        return sql != NULL ? false : error_set(err, ERROR_INVALID, "the name is not valid text");
    if (*found == '\0')
        return true;
    autofree char *drop = pg_format(db, "DROP DATABASE %I", name);
    return pg_run(task, db, drop, err);
}

/*
 * An encoding other than UTF8 wants a locale that fits; "C" fits all. From 17 on the default is the
 * builtin provider's C.UTF-8, and another locale must say that it is the C library's.
 */
static char *create_sql(PGconn *db, const struct database *database)
{
    const char *locale = database->locale;
    autotext struct text options = { 0 };

    text_add(&options, "");
    if (database->encoding != NULL) {
        autofree char *encoding = pg_format(db, " ENCODING %L", database->encoding);

        text_add(&options, encoding == NULL ? "" : encoding);
        if (locale == NULL && strcasecmp(database->encoding, "UTF8") != 0 &&
            strcasecmp(database->encoding, "UTF-8") != 0)
            locale = "C";
    }
    if (locale != NULL && (PQserverVersion(db) < 170000 || strcmp(locale, "C.UTF-8") != 0)) {
        autofree char *quoted = pg_format(db, " LOCALE %L", locale);

        text_add(&options, PQserverVersion(db) >= 150000 ? " LOCALE_PROVIDER libc" : "");
        text_add(&options, quoted == NULL ? "" : quoted);
    }
    return pg_format(
        db, "CREATE DATABASE %I OWNER " PG_OWNER " TEMPLATE template0 CONNECTION LIMIT 0%s",
        database->name, options.bytes);
}

static bool finish_database(struct task *task, const char *name, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, name, err);

    if (db == NULL)
        return false;
    autofree char *open = pg_format(db, "ALTER DATABASE %I CONNECTION LIMIT -1", name);
    return pg_run(task, db, "BEGIN", err) && postgresql_make_groups(task, db, name, err) &&
           pg_run(task, db, open, err) && pg_run(task, db, "COMMIT", err);
}

static bool create_one(struct task *task, PGconn *db, const struct database *database,
                       struct error *err)
{
    if (!task_goes_on(task, err) || !postgresql_check_name("database", database->name, err) ||
        !drop_remains(task, db, database->name, err))
        return false;

    autofree char *sql = create_sql(db, database);
    if (!pg_run(task, db, sql, err)) {
        /* Nothing was asked for by name but an encoding or locale. */
        err->reason = err->reason == ERROR_NOT_FOUND ? ERROR_INVALID : err->reason;
        return error_prefix(err, "cannot create database '%s'", database->name);
    }
    if (finish_database(task, database->name, err))
        return true;

    struct error ignored = { 0 };
    drop_remains(task, db, database->name, &ignored);
    error_clear(&ignored);
    return error_prefix(err, "cannot set database '%s' up", database->name);
}

/* Groups of databases that are gone are in nobody's way; the next change tries again. */
static void sweep(struct task *task, PGconn *db)
{
    struct error err = { 0 };

    if (!postgresql_sweep_groups(task, db, &err))
        log_error("cannot remove groups of dropped databases: %s", err.message);
    error_clear(&err);
}

bool postgresql_database_create(struct task *task, const struct database *databases, size_t count,
                                struct error *each, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    sweep(task, db);
    for (size_t i = 0; i < count; i++) {
        create_one(task, db, &databases[i], &each[i]);
        task_progress(task, i + 1, count);
    }
    return true;
}

/* Nobody is thrown out for it: who still works there is named instead. */
static bool check_unused(struct task *task, PGconn *db, const char *name, struct error *err)
{
    autofree char *sql = pg_format(db,
                                   "SELECT (SELECT count(*) FROM pg_stat_activity"
                                   " WHERE datname = d.datname AND pid <> pg_backend_pid()"
                                   " AND backend_type = 'client backend')"
                                   " FROM pg_database d WHERE datname = %L AND " VISIBLE,
                                   name);
    autofree char *sessions = sql == NULL ? NULL : pg_value(task, db, sql, err);

    if (sessions == NULL)
        return sql != NULL ? false : error_set(err, ERROR_INVALID, "the name is not valid text");
    if (*sessions == '\0')
        return error_set(err, ERROR_NOT_FOUND, "database '%s' does not exist", name);
    if (strcmp(sessions, "0") == 0)
        return true;
    error_set(err, ERROR_BUSY, "database '%s' is in use by %s session%s", name, sessions,
              strcmp(sessions, "1") == 0 ? "" : "s");
    return error_hint(err, "end its clients first");
}

static bool drop_one(struct task *task, PGconn *db, const char *name, struct error *err)
{
    if (strcmp(name, "postgres") == 0 || strcmp(name, "template0") == 0 ||
        strcmp(name, "template1") == 0)
        return error_set(err, ERROR_DENIED, "database '%s' is the engine's own", name);
    if (!task_goes_on(task, err) || !postgresql_check_name("database", name, err) ||
        !check_unused(task, db, name, err))
        return false;

    autofree char *sql = pg_format(db, "DROP DATABASE %I", name);
    return pg_run(task, db, sql, err) || error_prefix(err, "cannot drop database '%s'", name);
}

bool postgresql_database_drop(struct task *task, const struct database *databases, size_t count,
                              struct error *each, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        drop_one(task, db, databases[i].name, &each[i]);
        task_progress(task, i + 1, count);
    }
    sweep(task, db);
    return true;
}
