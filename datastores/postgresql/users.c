#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "page.h"
#include "postgresql.h"
#include "text.h"

#define OURS "rolname ~ '^dbguest\\.(read|write|all)\\.[0-9]+$'"
/* All roles but ours and the engine's. Matching a pattern costs ten times what comparing does. */
#define VISIBLE                                                                                    \
    "rolname NOT IN ('postgres', '" PG_OWNER "', '" PG_ROOT "')"                                   \
    " AND (rolname < 'pg_' OR rolname >= 'pg`')"                                                   \
    " AND (rolname < 'dbguest.' OR rolname >= 'dbguest/' OR NOT " OURS ")"

/* Of a fresh connection, three plain statements are planned in half the time of one that joins. */
#define SESSIONS                                                                                   \
    "SELECT usesysid FROM pg_stat_get_activity(NULL) WHERE backend_type = 'client backend'"        \
    " AND usesysid IS NOT NULL ORDER BY usesysid"
#define MEMBERS                                                                                    \
    "SELECT m.member, d.datname, r.rolname FROM pg_authid r, pg_auth_members m, pg_database d"     \
    " WHERE r.rolname >= 'dbguest.' AND r.rolname < 'dbguest/' AND m.roleid = r.oid AND r.rolname" \
    " IN ('dbguest.read.' || d.oid, 'dbguest.write.' || d.oid, 'dbguest.all.' || d.oid)"
static const char rows_sql[] = "SELECT oid, rolname, rolcanlogin FROM pg_authid WHERE " VISIBLE
                               " AND %s; " MEMBERS "%s ORDER BY m.member, d.datname; " SESSIONS;

enum { ROLES, GRANTS, CLIENTS, ANSWERS };

/* Of rows in the order of their first column, a role's: the first of its own, or after it. */
static int find_role(const PGresult *rows, int64_t role)
{
    int low = 0;
    int high = PQntuples(rows);

    while (low < high) {
        int middle = (low + high) / 2;

        if (pg_cell_int(rows, middle, 0) < role)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_databases(struct page *page, const PGresult *grants, int64_t role)
{
    page_object(page, "databases");
    for (int i = find_role(grants, role), end = find_role(grants, role + 1); i < end; i++) {
        const char *access = pg_cell(grants, i, 2) + strlen(PG_OWNER ".");
        autofree char *word = xstrndup(access, strcspn(access, "."));

        page_pair(page, pg_cell(grants, i, 1), word);
    }
    page_end(page, '}');
}

static int64_t count_sessions(const PGresult *sessions, int64_t role)
{
    return find_role(sessions, role + 1) - find_role(sessions, role);
}

static void add_user(struct page *page, const struct pg_answers *answers, int i)
{
    int64_t role = pg_cell_int(answers->each[ROLES], i, 0);

    page_bool(page, "login", pg_cell_bool(answers->each[ROLES], i, 2));
    add_databases(page, answers->each[GRANTS], role);
    page_int(page, "clients", count_sessions(answers->each[CLIENTS], role));
    page_end(page, '}');
}

/* Those of one condition on pg_authid, and another on the members of groups. */
static bool fetch_users(struct task *task, PGconn *db, const char *const conditions[2],
                        struct page *page, struct error *err)
{
    autoanswers struct pg_answers answers = { .count = ANSWERS };

    if (conditions[0] == NULL || conditions[1] == NULL)
        return error_set(err, ERROR_INVALID, "a name is not valid text");
    autofree char *sql = pg_format(db, rows_sql, conditions[0], conditions[1]);
    if (!pg_query_many(task, db, sql, &answers, err))
        return false;
    for (int i = 0; i < PQntuples(answers.each[ROLES]); i++) {
        if (!page_row(page, pg_cell(answers.each[ROLES], i, 1)))
            break;
        add_user(page, &answers, i);
    }
    return true;
}

bool postgresql_user_list(struct task *task, struct page *page, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    autofree char *condition =
        pg_format(db, "rolname > %L ORDER BY rolname LIMIT %u",
                  page->marker == NULL ? "" : page->marker, (unsigned int)page->limit + 1);
    return fetch_users(task, db, (const char *const[]){ condition, "" }, page, err);
}

bool postgresql_user_show(struct task *task, const char *name, struct json_object *row,
                          struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autopage struct page page = { .limit = 1 };

    if (db == NULL)
        return false;
    autofree char *condition = pg_format(db, "rolname::text = %L", name);
    autofree char *member =
        pg_format(db, " AND m.member = (SELECT oid FROM pg_authid WHERE rolname::text = %L)", name);
    if (!fetch_users(task, db, (const char *const[]){ condition, member }, &page, err))
        return false;
    if (page.count == 0)
        return error_set(err, ERROR_NOT_FOUND, "user '%s' does not exist", name);
    return page_only_row(&page, row, err);
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
static bool make_user(struct pg_batch *batch, const struct pg_grants *grants, size_t index,
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
        if (!make_user(&batch, &grants, i, err))
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
