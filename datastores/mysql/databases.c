#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "flavour.h"
#include "json.h"
#include "my.h"
#include "page.h"
#include "text.h"

#define OF_TENANTS "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"

static const char row_sql[] =
    "SELECT s.SCHEMA_NAME, s.DEFAULT_CHARACTER_SET_NAME, s.DEFAULT_COLLATION_NAME, (SELECT "
    "COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0) FROM information_schema.TABLES t WHERE "
    "t.TABLE_SCHEMA = s.SCHEMA_NAME) FROM information_schema.SCHEMATA s WHERE "
    "s.SCHEMA_NAME " OF_TENANTS;

static bool add_rows(struct rows *found, struct page *page)
{
    if (found == NULL)
        return false;
    for (char **values = my_next(found); values != NULL && page_row(page, values[0]);
         values = my_next(found)) {
        page_string(page, "owner", NULL);
        page_int(page, "size_bytes", strtoll(values[3], NULL, 10));
        page_string(page, "encoding", values[1]);
        page_string(page, "locale", values[2]);
        page_end(page, '}');
    }
    return true;
}

bool mysql_database_list(struct task *task, struct page *page, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    autoptr(rows) found = db == NULL
                              ? NULL
                              : my_query(db, err,
                                         "%s AND BINARY s.SCHEMA_NAME > BINARY %L ORDER BY BINARY "
                                         "s.SCHEMA_NAME LIMIT %u",
                                         row_sql, page->marker == NULL ? "" : page->marker,
                                         (uint64_t)page->limit + 1);

    return add_rows(found, page);
}

bool mysql_database_show(struct task *task, const char *name, struct json_object *row,
                         struct error *err)
{
    autopage struct page page = { .limit = 1 };
    autoptr(connection) db = my_connect(task, err);
    autoptr(rows) found =
        db == NULL ? NULL
                   : my_query(db, err, "%s AND BINARY s.SCHEMA_NAME = BINARY %L", row_sql, name);

    if (!add_rows(found, &page))
        return false;
    if (page.count == 0)
        return error_set(err, ERROR_NOT_FOUND, "database '%s' does not exist", name);
    return page_only_row(&page, row, err);
}

struct json_object *my_databases(struct connection *db, struct error *err)
{
    autoptr(rows) rows = my_query(db, err,
                                  "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE "
                                  "SCHEMA_NAME " OF_TENANTS);
    if (rows == NULL)
        return NULL;

    struct json_object *names = json_object_new_object();
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        json_add_bool(names, row[0], true);
    return names;
}

static bool check_database_name(const char *name, struct error *err)
{
    if (my_is_internal_database(name))
        return error_set(err, ERROR_INVALID, "database '%s' is the engine's own", name);
    /* The server cuts white space off the end, and would then act on another. */
    if (name[0] == '\0' || text_ends(name, " "))
        return error_set(err, ERROR_INVALID,
                         "a database's name may be neither empty nor end with a space");
    /* Its grants could not be written down: their tables hold the basic plane only. */
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c >= 0xf0)
            return error_set(err, ERROR_INVALID,
                             "the engine's names have no characters beyond U+FFFF");
    return true;
}

static bool create_one(struct connection *db, const struct database *database, struct error *err)
{
    if (!check_database_name(database->name, err))
        return false;

    autofree char *encoding = database->encoding == NULL
                                  ? my_format(db, "")
                                  : my_format(db, " CHARACTER SET %L", database->encoding);
    autofree char *locale = database->locale == NULL
                                ? my_format(db, "")
                                : my_format(db, " COLLATE %L", database->locale);
    if (my_run(db, err, "CREATE DATABASE %I%s%s", database->name, encoding, locale))
        return true;
    if (err->reason == ERROR_EXISTS)
        return error_set(err, ERROR_EXISTS, "database '%s' exists already", database->name);
    return error_prefix(err, "cannot create database '%s'", database->name);
}

static bool drop_one(struct connection *db, const struct database *database, struct error *err)
{
    if (!check_database_name(database->name, err))
        return false;

    int64_t sessions = my_number(
        db, err, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE BINARY DB = BINARY %L",
        database->name);
    if (sessions > 0) {
        error_set(err, ERROR_BUSY, "%lld %s of database '%s'", (long long)sessions,
                  sessions == 1 ? "session makes use" : "sessions make use", database->name);
        return error_hint(err, "end its sessions first");
    }
    if (sessions < 0)
        return false;
    if (my_run(db, err, "DROP DATABASE %I", database->name))
        return true;
    if (err->reason == ERROR_NOT_FOUND)
        return error_set(err, ERROR_NOT_FOUND, "database '%s' does not exist", database->name);
    return error_prefix(err, "cannot drop database '%s'", database->name);
}

static bool go_on(struct task *task, size_t done, size_t count, struct error *err)
{
    task_progress(task, done, count);
    /* Those that are not reached any more say so: what is done stays. */
    return task_goes_on(task, err);
}

bool mysql_database_create(struct task *task, const struct database *databases, size_t count,
                           struct error *each, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);

    for (size_t i = 0; db != NULL && i < count; i++)
        if (go_on(task, i, count, &each[i]))
            create_one(db, &databases[i], &each[i]);
    return db != NULL;
}

bool mysql_database_drop(struct task *task, const struct database *databases, size_t count,
                         struct error *each, struct error *err)
{
    autoptr(connection) db = my_connect_for_change(task, err);

    for (size_t i = 0; db != NULL && i < count; i++)
        if (go_on(task, i, count, &each[i]))
            drop_one(db, &databases[i], &each[i]);
    return db != NULL;
}
