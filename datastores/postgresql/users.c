#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

/*
 * All roles but ours and the engine's; the condition on the name and the limit follow. Matching a
 * pattern costs ten times what looking at the beginning does, so only ours are matched.
 */
#define VISIBLE                                                                                    \
    "rolname NOT IN ('postgres', '" PG_OWNER "', '" PG_ROOT "')"                                   \
    " AND NOT starts_with(rolname::text, 'pg_') AND (NOT starts_with(rolname::text, 'dbguest.')"   \
    " OR rolname !~ '^dbguest\\.(read|write|all)\\.[0-9]+$')"

static const char rows_sql[] =
    "SELECT u.rolname, u.rolcanlogin, coalesce(s.clients, 0), g.datname, g.access FROM"
    " (SELECT oid, rolname, rolcanlogin FROM pg_authid WHERE " VISIBLE " AND %s) u"
    " LEFT JOIN (SELECT usesysid, count(*) AS clients FROM pg_stat_activity"
    "  WHERE backend_type = 'client backend' GROUP BY usesysid) s ON s.usesysid = u.oid"
    " LEFT JOIN (SELECT m.member, d.datname, split_part(r.rolname, '.', 2) AS access"
    "  FROM pg_auth_members m JOIN pg_authid r ON r.oid = m.roleid"
    "   AND r.rolname ~ '^dbguest\\.(read|write|all)\\.[0-9]+$'"
    "  JOIN pg_database d ON d.oid::text = split_part(r.rolname, '.', 3)) g ON g.member = u.oid"
    " ORDER BY u.rolname COLLATE \"C\", g.datname COLLATE \"C\"";

/* Rows of one user follow each other: one for each database that it has access to. */
static bool fetch_users(struct task *task, PGconn *db, const char *condition,
                        struct json_object *rows, struct error *err)
{
    struct json_object *databases = NULL;
    const char *last = NULL;

    if (condition == NULL)
        return error_set(err, ERROR_INVALID, "a name is not valid text");
    autofree char *sql = pg_format(db, rows_sql, condition);
    autoptr(PGresult) result = pg_query(task, db, sql, err);
    if (result == NULL)
        return false;

    for (int i = 0; i < PQntuples(result); i++) {
        const char *name = pg_cell(result, i, 0);

        if (last == NULL || strcmp(name, last) != 0) {
            struct json_object *row = json_object_new_object();

            json_add_string(row, "name", name);
            json_add_bool(row, "login", pg_cell_bool(result, i, 1));
            databases = json_add_object(row, "databases");
            json_add_int(row, "clients", pg_cell_int(result, i, 2));
            json_object_array_add(rows, row);
        }
        last = name;
        if (pg_cell(result, i, 3) != NULL)
            json_add_string(databases, pg_cell(result, i, 3), pg_cell(result, i, 4));
    }
    return true;
}

bool postgresql_user_list(struct task *task, const struct page *page, struct json_object *rows,
                          struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    autofree char *condition = pg_format(
        db, "rolname::text COLLATE \"C\" > %L ORDER BY rolname::text COLLATE \"C\" LIMIT %u",
        page->marker == NULL ? "" : page->marker, (unsigned int)page->limit);
    return fetch_users(task, db, condition, rows, err);
}

bool postgresql_user_show(struct task *task, const char *name, struct json_object *row,
                          struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autoptr(json_object) rows = json_object_new_array();
    struct json_object_iter entry;

    if (db == NULL)
        return false;
    autofree char *condition = pg_format(db, "rolname::text = %L", name);
    if (!fetch_users(task, db, condition, rows, err))
        return false;

    struct json_object *found = json_object_array_get_idx(rows, 0);
    if (found == NULL)
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", name);
    json_object_object_foreachC (found, entry) {
        json_add(row, entry.key, json_object_get(entry.val));
    }
    return true;
}

char *postgresql_name_array(PGconn *db, const struct user *users, size_t count)
{
    struct text names = { 0 };

    text_add(&names, "ARRAY[");
    for (size_t i = 0; i < count; i++) {
        autofree char *name = pg_format(db, "%L", users[i].name);

        if (name == NULL) {
            text_done(&names);
            return NULL;
        }
        text_printf(&names, "%s%s", i == 0 ? "" : ", ", name);
    }
    text_add(&names, "]::text[]");
    return names.bytes;
}

/* The names alone, without asking the server. */
static bool check_names(const struct user *users, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!postgresql_check_user_name(users[i].name, err))
            return error_add(err, "at", json_object_new_int64((int64_t)i));

    return true;
}

bool postgresql_check_users(struct task *task, PGconn *db, const struct user *users, size_t count,
                            struct error *err)
{
    if (!check_names(users, count, err))
        return false;

    autofree char *names = postgresql_name_array(db, users, count);
    autofree char *sql =
        names == NULL
            ? NULL
            : xasprintf(
                  "SELECT i - 1 FROM unnest(%s) WITH ORDINALITY AS n (name, i) WHERE NOT EXISTS"
                  " (SELECT FROM pg_authid WHERE rolname = n.name) ORDER BY i LIMIT 1",
                  names);
    autoptr(PGresult) missing = pg_query(task, db, sql, err);
    if (missing == NULL)
        return false;
    if (PQntuples(missing) == 0)
        return true;

    int64_t at = pg_cell_int(missing, 0, 0);
    error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", users[at].name);
    return error_add(err, "at", json_object_new_int64(at));
}

/* While the server works on one user, the verifier of the next is made. */
static bool add_user(struct pg_batch *batch, const struct pg_grants *grants, size_t index,
                     struct error *err)
{
    const struct user *user = &grants->users[index];
    autofree char *verifier = NULL;

    if (user->password != NULL) {
        verifier = pg_verifier(batch->db, user->name, user->password, err);
        if (verifier == NULL)
            return error_add(err, "at", json_object_new_int64((int64_t)index));
    }
    char *create = verifier == NULL ? pg_format(batch->db, "CREATE ROLE %I LOGIN", user->name)
                                    : pg_format(batch->db, "CREATE ROLE %I LOGIN PASSWORD %L",
                                                user->name, verifier);
    return pg_batch_add(batch, create, index, err) &&
           postgresql_batch_grant(batch, grants, index, true, err);
}

bool postgresql_user_create(struct task *task, const struct user *users, size_t count,
                            struct error *each, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autogrants struct pg_grants grants = { .users = users, .count = count };
    autobatch struct pg_batch batch = { 0 };

    (void)each;
    if (db == NULL || !check_names(users, count, err) ||
        !postgresql_find_grants(task, db, &grants, err) || !pg_batch_begin(&batch, task, db, err))
        return false;

    for (size_t i = 0; i < count; i++)
        if (!add_user(&batch, &grants, i, err))
            return false;

    return pg_batch_end(&batch, err) || error_prefix(err, "cannot create users");
}

/* Ends the sessions that would go on with more than their user may now. */
static bool end_losing(struct task *task, const char *condition, struct error *err)
{
    if (*condition == '\0')
        return true;

    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    return db != NULL && postgresql_end_sessions(task, db, condition, err);
}

static bool change_access(struct task *task, const struct user *users, size_t count, bool revoke,
                          struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autogrants struct pg_grants grants = { .users = users, .count = count };
    autobatch struct pg_batch batch = { 0 };

    if (db == NULL || !postgresql_check_users(task, db, users, count, err) ||
        !postgresql_find_grants(task, db, &grants, err))
        return false;
    autofree char *losing = postgresql_losing_sessions(task, db, &grants, revoke, err);
    if (losing == NULL || !pg_batch_begin(&batch, task, db, err))
        return false;

    for (size_t i = 0; i < count; i++)
        if (!(revoke ? postgresql_batch_revoke(&batch, &grants, i, err)
                     : postgresql_batch_grant(&batch, &grants, i, false, err)))
            return false;

    return pg_batch_end(&batch, err) && end_losing(task, losing, err);
}

bool postgresql_user_grant(struct task *task, const struct user *users, size_t count,
                           struct error *each, struct error *err)
{
    (void)each;
    return change_access(task, users, count, false, err) || error_prefix(err, "cannot grant");
}

bool postgresql_user_revoke(struct task *task, const struct user *users, size_t count,
                            struct error *each, struct error *err)
{
    (void)each;
    return change_access(task, users, count, true, err) || error_prefix(err, "cannot revoke");
}

bool postgresql_user_set_password(struct task *task, const struct user *users, size_t count,
                                  struct error *each, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autobatch struct pg_batch batch = { 0 };

    (void)each;
    if (db == NULL || !postgresql_check_users(task, db, users, count, err) ||
        !pg_batch_begin(&batch, task, db, err))
        return false;

    for (size_t i = 0; i < count; i++) {
        autofree char *verifier = pg_verifier(db, users[i].name, users[i].password, err);

        if (verifier == NULL)
            return error_add(err, "at", json_object_new_int64((int64_t)i));
        if (!pg_batch_add(&batch,
                          pg_format(db, "ALTER ROLE %I PASSWORD %L", users[i].name, verifier), i,
                          err))
            return false;
    }
    return pg_batch_end(&batch, err) || error_prefix(err, "cannot set passwords");
}

bool postgresql_user_rename(struct task *task, const struct user *user, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL || !postgresql_check_users(task, db, user, 1, err) ||
        !postgresql_check_user_name(user->new_name, err))
        return false;

    autofree char *sql = pg_format(db, "ALTER ROLE %I RENAME TO %I", user->name, user->new_name);
    return pg_run(task, db, sql, err) ||
           error_prefix(err, "cannot rename '%s' to '%s'", user->name, user->new_name);
}
