#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

/* The middle of a group's name, by enum access. */
static const char *const words[] = {
    [ACCESS_READ] = "read",
    [ACCESS_WRITE] = "write",
    [ACCESS_ALL] = "all",
};

static const char *const taken[] = { "postgres", PG_OWNER, PG_ROOT };

/* %1$s stands for the database's quoted name, %2$s for its oid. What "all" makes is writable for
 * "write", what either makes is readable for "read". */
static const char groups_sql[] =
    "CREATE ROLE \"dbguest.read.%2$s\" NOLOGIN;"
    "CREATE ROLE \"dbguest.write.%2$s\" NOLOGIN IN ROLE \"dbguest.read.%2$s\";"
    "CREATE ROLE \"dbguest.all.%2$s\" NOLOGIN IN ROLE \"dbguest.write.%2$s\";"
    "REVOKE ALL ON DATABASE %1$s FROM PUBLIC;"
    "GRANT CONNECT ON DATABASE %1$s TO \"dbguest.read.%2$s\";"
    "GRANT TEMPORARY ON DATABASE %1$s TO \"dbguest.write.%2$s\";"
    "GRANT CREATE ON DATABASE %1$s TO \"dbguest.all.%2$s\";"
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    "GRANT USAGE ON SCHEMA public TO \"dbguest.read.%2$s\";"
    "GRANT CREATE ON SCHEMA public TO \"dbguest.write.%2$s\";"
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"dbguest.write.%2$s\", \"dbguest.all.%2$s\""
    " GRANT SELECT ON TABLES TO \"dbguest.read.%2$s\";"
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"dbguest.write.%2$s\", \"dbguest.all.%2$s\""
    " GRANT INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLES"
    " TO \"dbguest.write.%2$s\";"
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"dbguest.write.%2$s\", \"dbguest.all.%2$s\""
    " GRANT SELECT ON SEQUENCES TO \"dbguest.read.%2$s\";"
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"dbguest.write.%2$s\", \"dbguest.all.%2$s\""
    " GRANT USAGE, UPDATE ON SEQUENCES TO \"dbguest.write.%2$s\";"
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"dbguest.write.%2$s\", \"dbguest.all.%2$s\""
    " GRANT USAGE ON SCHEMAS TO \"dbguest.read.%2$s\";"
    "ALTER DEFAULT PRIVILEGES FOR ROLE \"dbguest.write.%2$s\", \"dbguest.all.%2$s\""
    " GRANT CREATE ON SCHEMAS TO \"dbguest.write.%2$s\";";

bool postgresql_check_name(const char *what, const char *name, struct error *err)
{
    size_t length = strlen(name);

    if (length == 0)
        return error_set(err, ERROR_INVALID, "the name of a %s must not be empty", what);
    if (length > PG_NAME_BYTES)
        return error_set(err, ERROR_INVALID, "the name of a %s has at most %d bytes, this has %zu",
                         what, PG_NAME_BYTES, length);
    if (!text_is_utf8(name, length))
        return error_set(err, ERROR_INVALID, "the name of a %s must be UTF-8", what);
    return true;
}

bool postgresql_check_user_name(const char *name, struct error *err)
{
    if (!postgresql_check_name("user", name, err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        if (strcmp(name, taken[i]) == 0)
            return error_set(err, ERROR_DENIED, "user '%s' is reserved", name);
    if (text_starts(name, "pg_") || text_starts(name, PG_OWNER "."))
        return error_set(err, ERROR_DENIED, "user '%s': names that begin like this are reserved",
                         name);
    return true;
}

/* What an enabled root may do in every database it may do in a new one. */
static bool include_root(struct task *task, PGconn *db, const char *oid, struct error *err)
{
    autofree char *enabled =
        pg_value(task, db, "SELECT rolcanlogin FROM pg_authid WHERE rolname = '" PG_ROOT "'", err);

    if (enabled == NULL)
        return false;
    if (*enabled != 't')
        return true;
    autofree char *sql =
        pg_format(db, "GRANT \"dbguest.all.%s\" TO %I WITH ADMIN OPTION", oid, PG_ROOT);
    return pg_run(task, db, sql, err);
}

/* Puts name and oid where the placeholders stand. */
static char *fill_groups_sql(const char *name, const char *oid)
{
    struct text sql = { 0 };

    for (const char *at = groups_sql; *at != '\0';) {
        size_t plain = strcspn(at, "%");

        text_add_bytes(&sql, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        text_add(&sql, at[1] == '1' ? name : oid);
        at += strlen("%1$s");
    }
    return sql.bytes;
}

bool postgresql_make_groups(struct task *task, PGconn *db, const char *database, struct error *err)
{
    autofree char *oid =
        pg_value(task, db, "SELECT oid FROM pg_database WHERE datname = current_database()", err);
    autofree char *name = pg_format(db, "%I", database);

    if (oid == NULL || name == NULL)
        return false;
    autofree char *sql = fill_groups_sql(name, oid);
    return pg_run(task, db, sql, err) && include_root(task, db, oid, err);
}

bool postgresql_sweep_groups(struct task *task, PGconn *db, struct error *err)
{
    autoptr(PGresult) rows = pg_query(
        task, db,
        "SELECT rolname FROM pg_authid WHERE rolname ~ '^dbguest\\.(read|write|all)\\.[0-9]+$'"
        " AND split_part(rolname, '.', 3) NOT IN (SELECT oid::text FROM pg_database)",
        err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        autofree char *sql = pg_format(db, "DROP OWNED BY %I; DROP ROLE %I", pg_cell(rows, i, 0),
                                       pg_cell(rows, i, 0));
        if (!pg_run(task, db, sql, err))
            return false;
    }
    return true;
}

/* The oid of one of ours as text; NULL when it is none. */
static const char *find_oid(const PGresult *databases, const char *name)
{
    for (int i = 0; i < PQntuples(databases); i++)
        if (strcmp(pg_cell(databases, i, 0), name) == 0)
            return pg_cell(databases, i, 1);

    return NULL;
}

/* Says why a database cannot be granted. */
static bool refuse_database(struct task *task, PGconn *db, const char *name, struct error *err)
{
    autofree char *sql =
        pg_format(db, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %L", name);
    autofree char *owner = sql == NULL ? NULL : pg_value(task, db, sql, err);

    if (err->reason != ERROR_NONE)
        return false;
    if (owner == NULL || *owner == '\0')
        return error_set(err, ERROR_NOT_FOUND, "database '%s' does not exist", name);
    error_set(err, ERROR_UNSUPPORTED,
              "database '%s' belongs to '%s': access to it is its owner's to give", name, owner);
    return error_hint(err, "only databases made by database.create have access levels");
}

bool postgresql_find_grants(struct task *task, PGconn *db, struct pg_grants *grants,
                            struct error *err)
{
    grants->databases = pg_query(
        task, db,
        "SELECT d.datname, d.oid FROM pg_database d JOIN pg_authid o ON o.oid = d.datdba"
        " AND o.rolname = '" PG_OWNER "' JOIN pg_authid g ON g.rolname = 'dbguest.read.' || d.oid",
        err);
    if (grants->databases == NULL)
        return false;

    for (size_t i = 0; i < grants->count; i++)
        for (const char *const *name = grants->users[i].databases; *name != NULL; name++)
            if (find_oid(grants->databases, *name) == NULL) {
                refuse_database(task, db, *name, err);
                return error_add(err, "at", json_object_new_int64((int64_t)i));
            }
    return true;
}

void postgresql_grants_done(struct pg_grants *grants)
{
    PQclear(grants->databases);
    grants->databases = NULL;
}

bool postgresql_batch_grant(struct pg_batch *batch, const struct pg_grants *grants, size_t index,
                            bool fresh, struct error *err)
{
    const struct user *user = &grants->users[index];

    if (!fresh && !postgresql_batch_revoke(batch, grants, index, err))
        return false;
    for (const char *const *name = user->databases; *name != NULL; name++) {
        autofree char *group =
            xasprintf("dbguest.%s.%s", words[user->access], find_oid(grants->databases, *name));

        if (!pg_batch_add(batch, pg_format(batch->db, "GRANT %I TO %I", group, user->name), index,
                          err))
            return false;
        if (user->access != ACCESS_READ &&
            !pg_batch_add(batch,
                          pg_format(batch->db, "ALTER ROLE %I IN DATABASE %I SET role = %L",
                                    user->name, *name, group),
                          index, err))
            return false;
    }
    return true;
}

bool postgresql_batch_revoke(struct pg_batch *batch, const struct pg_grants *grants, size_t index,
                             struct error *err)
{
    const struct user *user = &grants->users[index];

    for (const char *const *name = user->databases; *name != NULL; name++) {
        const char *oid = find_oid(grants->databases, *name);

        if (!pg_batch_add(batch,
                          pg_format(batch->db,
                                    "REVOKE \"dbguest.read.%s\", \"dbguest.write.%s\","
                                    " \"dbguest.all.%s\" FROM %I",
                                    oid, oid, oid, user->name),
                          index, err) ||
            !pg_batch_add(
                batch,
                pg_format(batch->db, "ALTER ROLE %I IN DATABASE %I RESET role", user->name, *name),
                index, err))
            return false;
    }
    return true;
}

/* Adds "(user, database, group)" of each group that one will not be in any more. */
static void add_losses(struct text *values, PGconn *db, const struct pg_grants *grants,
                       const struct user *user, bool revoke)
{
    for (const char *const *name = user->databases; *name != NULL; name++)
        for (size_t word = 0; word < ARRAY_SIZE(words); word++) {
            if (!revoke && word <= user->access)
                continue;
            autofree char *value = pg_format(db, "(%L, %L, 'dbguest.%s.%s')", user->name, *name,
                                             words[word], find_oid(grants->databases, *name));
            text_printf(values, "%s%s", values->length == 0 ? "" : ", ", value);
        }
}

char *postgresql_losing_sessions(struct task *task, PGconn *db, const struct pg_grants *grants,
                                 bool revoke, struct error *err)
{
    autotext struct text values = { 0 };
    struct text condition = { 0 };

    for (size_t i = 0; i < grants->count; i++)
        add_losses(&values, db, grants, &grants->users[i], revoke);
    if (values.length == 0)
        return xstrdup("");

    autofree char *sql =
        xasprintf("SELECT DISTINCT v.u, v.d FROM (VALUES %s) v (u, d, g)"
                  " JOIN pg_authid u ON u.rolname = v.u JOIN pg_authid g ON g.rolname = v.g"
                  " JOIN pg_auth_members m ON m.member = u.oid AND m.roleid = g.oid",
                  values.bytes);
    autoptr(PGresult) rows = pg_query(task, db, sql, err);
    if (rows == NULL)
        return NULL;
    text_add(&condition, "");
    for (int i = 0; i < PQntuples(rows); i++) {
        autofree char *session = pg_format(db, "usename = %L AND datname = %L", pg_cell(rows, i, 0),
                                           pg_cell(rows, i, 1));
        text_printf(&condition, "%s%s", i == 0 ? "" : " OR ", session);
    }
    return condition.bytes;
}
