#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "flavour.h"
#include "memory.h"
#include "my.h"
#include "page.h"

/*
 * Users, their grants and their sessions are three plain queries, joined here: the server takes
 * three times as long over one that joins, for it sorts by the widest form of a name.
 */
struct table {
    struct rows *rows;
    char ***each; /* by the first column, then the second, in byte order */
    size_t count;
};

static void table_done(struct table *table)
{
    my_rows_free(table->rows);
    free(table->each);
}
#define autotable __attribute__((cleanup(table_done)))

static int compare(const void *one, const void *other)
{
    char **a = *(char **const *)one;
    char **b = *(char **const *)other;
    int order = strcmp(a[0], b[0]);

    return order != 0 ? order : strcmp(a[1], b[1]);
}

static bool table_fill(struct table *table, struct rows *rows)
{
    if (rows == NULL)
        return false;
    table->rows = rows;
    table->each = xcalloc(my_row_count(rows) + 1, sizeof(*table->each));
    for (char **row = my_next(rows); row != NULL; row = my_next(rows))
        table->each[table->count++] = row;
    qsort(table->each, table->count, sizeof(*table->each), compare);
    return true;
}

/* The first row of a name; those of the same name follow it. */
static char ***table_find(const struct table *table, const char *name)
{
    size_t low = 0;
    size_t high = table->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(table->each[middle][0], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return table->each + low;
}

/* The array ends with NULL. */
static bool is_of(char **const *row, const char *name)
{
    return *row != NULL && strcmp((*row)[0], name) == 0;
}

/* The grants' names of databases are patterns on MariaDB: "a\_b" is the database a_b. */
static char *database_of_pattern(const struct task *task, const char *pattern)
{
    char *name = xstrdup(pattern);
    char *to = name;

    for (const char *from = pattern; *from != '\0'; from++) {
        if (my_flavour(task)->grants_by_pattern && *from == '\\' && from[1] != '\0')
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return name;
}

static void add_user(const struct task *task, struct page *page, char **user,
                     const struct table tables[2])
{
    int64_t clients = 0;

    page_bool(page, "login", strcmp(user[1], "0") == 0);
    page_object(page, "databases");
    for (char ***grant = table_find(&tables[0], user[0]); is_of(grant, user[0]); grant++) {
        autofree char *database = database_of_pattern(task, (*grant)[1]);
        page_pair(page, database, (*grant)[2]);
    }
    page_end(page, '}');
    for (char ***session = table_find(&tables[1], user[0]); is_of(session, user[0]); session++)
        clients++;
    page_int(page, "clients", clients);
    page_end(page, '}');
}

/* Accounts that a condition (SQL on a.user) lets through. */
static bool list_users(struct task *task, struct connection *db, const char *condition,
                       struct page *page, struct error *err)
{
    autotable struct table grants = { 0 };
    autotable struct table sessions = { 0 };
    autoptr(rows) users = my_query(db, err,
                                   "SELECT a.user, a.locked FROM %s AS a WHERE a.user NOT IN ('', "
                                   "'root', 'mysql') AND %s",
                                   my_flavour(task)->accounts, condition);

    if (users == NULL ||
        !table_fill(&grants,
                    my_query(db, err, "SELECT d.User, d.Db, %s FROM mysql.db d WHERE d.Host = '%%'",
                             my_access_of_row)) ||
        !table_fill(&sessions,
                    my_query(db, err, "SELECT USER, '' FROM information_schema.PROCESSLIST")))
        return false;
    for (char **user = my_next(users); user != NULL && page_row(page, user[0]);
         user = my_next(users))
        add_user(task, page, user, (const struct table[]){ grants, sessions });
    return true;
}

bool mysql_user_list(struct task *task, struct page *page, struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    if (db == NULL)
        return false;

    /* Names compare by their code points, which is the order of their bytes. */
    autofree char *condition =
        my_format(db, "a.user > %L ORDER BY a.user LIMIT %u",
                  page->marker == NULL ? "" : page->marker, (uint64_t)page->limit + 1);
    return list_users(task, db, condition, page, err);
}

bool mysql_user_show(struct task *task, const char *name, struct json_object *row,
                     struct error *err)
{
    autoptr(connection) db = my_connect(task, err);
    autopage struct page page = { .limit = 1 };
    if (db == NULL)
        return false;

    autofree char *condition = my_format(db, "BINARY a.user = BINARY %L", name);
    if (!list_users(task, db, condition, &page, err))
        return false;
    if (page.count == 0)
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", name);
    return page_only_row(&page, row, err);
}
