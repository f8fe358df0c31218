#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "text.h"

#define READ "SELECT, SHOW VIEW"
#define WRITE_MORE                                                                                 \
    "INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, TRIGGER, CREATE VIEW, CREATE "      \
    "TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE ROUTINE, ALTER ROUTINE, EVENT"

/* What is given, and what is taken afterwards in case it was there. DROP would drop the database.
 */
static const struct {
    const char *given;
    const char *taken;
} accesses[] = {
    [ACCESS_READ] = { READ, WRITE_MORE ", DROP" },
    [ACCESS_WRITE] = { READ ", " WRITE_MORE, "DROP" },
    [ACCESS_ALL] = { "ALL PRIVILEGES", NULL },
};

#define HAS_READ "d.Select_priv = 'Y' AND d.Show_view_priv = 'Y'"
#define HAS_WRITE                                                                                  \
    HAS_READ " AND d.Insert_priv = 'Y' AND d.Update_priv = 'Y' AND d.Delete_priv = 'Y' AND "       \
             "d.Create_priv = 'Y' AND d.Alter_priv = 'Y' AND d.Index_priv = 'Y'"

const char my_access_of_row[] =
    "CASE WHEN " HAS_WRITE " AND d.Drop_priv = 'Y' THEN 'all' WHEN " HAS_WRITE
    " THEN 'write' WHEN " HAS_READ " THEN 'read' ELSE 'other' END";

bool my_check_databases(struct json_object *existing, const struct user *user, struct error *err)
{
    for (const char *const *name = user->databases; *name != NULL; name++) {
        if (my_is_internal_database(*name))
            return error_set(err, ERROR_INVALID, "database '%s' is the engine's own", *name);
        if (json_get(existing, *name) == NULL)
            return error_set(err, ERROR_NOT_FOUND, "database '%s' does not exist", *name);
    }
    return true;
}

/* One user's wish for one database. */
struct grant {
    const char *database;
    enum access access;
    size_t user;
};

static int compare_grants(const void *one, const void *other)
{
    const struct grant *a = one;
    const struct grant *b = other;
    int order = strcmp(a->database, b->database);

    if (order != 0)
        return order;
    if (a->access != b->access)
        return a->access < b->access ? -1 : 1;
    return a->user < b->user ? -1 : a->user > b->user;
}

static struct grant *list_grants(const struct user *users, size_t count, const struct error *each,
                                 size_t *length)
{
    struct grant *grants = NULL;
    size_t room = 0;

    *length = 0;
    for (size_t i = 0; i < count; i++)
        for (const char *const *name = users[i].databases; *name != NULL; name++) {
            if (each[i].reason != ERROR_NONE)
                break;
            if (*length == room) {
                room = 2 * room + 16;
                grants = xrealloc(grants, room * sizeof(*grants));
            }
            grants[(*length)++] = (struct grant){ *name, users[i].access, i };
        }
    if (*length > 0)
        qsort(grants, *length, sizeof(*grants), compare_grants);
    return grants;
}

static void add_accounts(struct text *sql, struct connection *db, const struct user *users,
                         const struct grant *grants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        autofree char *account =
            my_format(db, "%s%A", i == 0 ? "" : ", ", users[grants[i].user].name);
        text_add(sql, account);
    }
}

/* The same access to the same database for all of them. */
static bool grant_together(struct connection *db, const struct user *users,
                           const struct grant *grants, size_t count, struct error *err)
{
    const char *given = accesses[grants[0].access].given;
    autofree char *head = my_format(db, "GRANT %s ON %P.* TO ", given, grants[0].database);
    autotext struct text sql = { 0 };

    text_add(&sql, head);
    add_accounts(&sql, db, users, grants, count);
    return my_run_sql(db, sql.bytes, sql.length, err);
}

/* What they had beyond that. */
static bool revoke_together(struct connection *db, const struct user *users,
                            const struct grant *grants, size_t count, struct error *err)
{
    const char *taken = accesses[grants[0].access].taken;
    if (taken == NULL)
        return true;

    autofree char *back =
        my_format(db, "%s %s ON %P.* FROM ", my_flavour_of(db)->revoke, taken, grants[0].database);
    autotext struct text rest = { 0 };
    text_add(&rest, back);
    add_accounts(&rest, db, users, grants, count);
    return my_run_sql(db, rest.bytes, rest.length, err);
}

void my_grant_all(struct connection *db, const struct user *users, size_t count, bool fresh,
                  struct error *each)
{
    size_t length = 0;
    autofree struct grant *grants = list_grants(users, count, each, &length);

    for (size_t first = 0, last = 0; first < length; first = last) {
        struct error failed = { 0 };
        while (last < length && grants[last].access == grants[first].access &&
               strcmp(grants[last].database, grants[first].database) == 0)
            last++;
        if (grant_together(db, users, grants + first, last - first, &failed) &&
            (fresh || revoke_together(db, users, grants + first, last - first, &failed)))
            continue;
        for (size_t i = first; i < last; i++)
            error_set(&each[grants[i].user], failed.reason, "cannot grant '%s' to '%s': %s",
                      grants[i].database, users[grants[i].user].name, failed.message);
        error_clear(&failed);
    }
}
