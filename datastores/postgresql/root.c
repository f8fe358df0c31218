#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

/*
 * The tenant's privileged account: makes roles and databases, sees everything that monitoring
 * shows, ends sessions that are not ours. Never SUPERUSER, nor what reaches files and programs of
 * the server. What root may do, a role that root gave itself to may do too, so disabling takes root
 * back from all of them and leaves it without attributes.
 */

static const char grant_sql[] =
    "ALTER ROLE " PG_ROOT " WITH LOGIN CREATEDB CREATEROLE INHERIT NOSUPERUSER NOREPLICATION"
    " NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD %L;"
    "GRANT pg_monitor, pg_signal_backend TO " PG_ROOT ";"
    "GRANT CONNECT ON DATABASE postgres TO " PG_ROOT;

/* What a role outlives root with, of which the operator should know. */
static const char left_sql[] =
    "SELECT format('database ''%s'' belongs to root', datname) FROM pg_database d"
    " WHERE datdba = (SELECT oid FROM pg_authid WHERE rolname = '" PG_ROOT "')"
    " UNION ALL SELECT format('role ''%s'' has %s', rolname, concat_ws(' and ',"
    "  CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END))"
    " FROM pg_authid WHERE (rolcreaterole OR rolcreatedb) AND NOT rolsuper AND rolname <> '" PG_ROOT
    "'"
    " UNION ALL SELECT format('role ''%s'' is a member of %s', u.rolname, g.rolname)"
    " FROM pg_auth_members m JOIN pg_authid u ON u.oid = m.member JOIN pg_authid g ON g.oid = "
    "m.roleid"
    " WHERE (g.rolname ~ '^pg_' OR g.rolname = '" PG_OWNER "') AND u.rolname !~ '^pg_'"
    "  AND u.rolname <> '" PG_ROOT "'"
    " UNION ALL SELECT format('%s object%s in database ''%s'' belong%s to root', count(*),"
    "  CASE WHEN count(*) > 1 THEN 's' END, d.datname, CASE WHEN count(*) = 1 THEN 's' END)"
    " FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid WHERE s.deptype = 'o'"
    "  AND s.refclassid = 'pg_authid'::regclass"
    "  AND s.refobjid = (SELECT oid FROM pg_authid WHERE rolname = '" PG_ROOT
    "') GROUP BY d.datname"
    " ORDER BY 1";

static bool root_exists(struct task *task, PGconn *db, bool *exists, struct error *err)
{
    autofree char *found =
        pg_value(task, db, "SELECT 1 FROM pg_authid WHERE rolname = '" PG_ROOT "'", err);

    if (found == NULL)
        return false;
    *exists = *found != '\0';
    return true;
}

/* Every statement that a query gives, as one of ours each. */
static bool run_each(struct task *task, PGconn *db, const char *query, struct error *err)
{
    autoptr(PGresult) rows = pg_query(task, db, query, err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        if (!pg_run(task, db, pg_cell(rows, i, 0), err))
            return false;

    return true;
}

bool postgresql_root_enable(struct task *task, const char *password, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    bool exists = false;

    if (db == NULL || !root_exists(task, db, &exists, err))
        return false;
    autofree char *verifier = pg_verifier(db, PG_ROOT, password, err);
    if (verifier == NULL)
        return false;
    autofree char *grant = pg_format(db, grant_sql, verifier);

    return (pg_run(task, db, "BEGIN", err) &&
            (exists || pg_run(task, db, "CREATE ROLE " PG_ROOT, err)) &&
            pg_run(task, db, grant, err) &&
            run_each(task, db,
                     "SELECT format('GRANT %I TO " PG_ROOT " WITH ADMIN OPTION', rolname)"
                     " FROM pg_authid WHERE rolname ~ '^dbguest\\.all\\.[0-9]+$'",
                     err) &&
            pg_run(task, db, "COMMIT", err)) ||
           error_prefix(err, "cannot enable root");
}

/* Those who may become root, and root itself, as a condition on sessions. */
static const char root_sessions_sql[] =
    "WITH RECURSIVE r (oid) AS (SELECT oid FROM pg_authid WHERE rolname = '" PG_ROOT "' UNION"
    " SELECT m.member FROM pg_auth_members m JOIN r ON r.oid = m.roleid)"
    " SELECT 'usesysid IN (' || string_agg(oid::text, ', ') || ')' FROM r";

static const char disable_sql[] =
    "ALTER ROLE " PG_ROOT " WITH NOLOGIN NOCREATEDB NOCREATEROLE PASSWORD NULL;"
    "ALTER ROLE " PG_OWNER " WITH NOLOGIN NOCREATEDB NOCREATEROLE PASSWORD NULL;"
    "REVOKE CONNECT ON DATABASE postgres FROM " PG_ROOT;

/* On 15 and older root may have given itself, and others, all roles but superusers: also ours. */
static const char take_back_sql[] =
    "SELECT DISTINCT format('REVOKE %I FROM %I CASCADE', g.rolname, u.rolname)"
    " FROM pg_auth_members m JOIN pg_authid u ON u.oid = m.member"
    " JOIN pg_authid g ON g.oid = m.roleid WHERE g.rolname IN ('" PG_ROOT "', '" PG_OWNER "')"
    " UNION SELECT format('ALTER ROLE %I WITH NOLOGIN PASSWORD NULL', rolname) FROM pg_authid"
    " WHERE rolcanlogin AND rolname ~ '^dbguest\\.(read|write|all)\\.[0-9]+$'";

static bool shut(struct task *task, PGconn *db, struct error *err)
{
    autofree char *sessions = pg_value(task, db, root_sessions_sql, err);

    return sessions != NULL && pg_run(task, db, "BEGIN", err) &&
           run_each(task, db, take_back_sql, err) && pg_run(task, db, disable_sql, err) &&
           pg_run(task, db, "COMMIT", err) && postgresql_end_sessions(task, db, sessions, err);
}

bool postgresql_root_disable(struct task *task, struct json_object *left_behind, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    bool exists = false;

    if (db == NULL || !root_exists(task, db, &exists, err))
        return false;
    if (!exists)
        return true;
    if (!shut(task, db, err))
        return error_prefix(err, "cannot disable root");

    autoptr(PGresult) rows = pg_query(task, db, left_sql, err);
    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        json_object_array_add(left_behind, json_object_new_string(pg_cell(rows, i, 0)));
    return true;
}

bool postgresql_root_status(struct task *task, struct json_object *row, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autofree char *enabled =
        db == NULL
            ? NULL
            : pg_value(task, db, "SELECT rolcanlogin FROM pg_authid WHERE rolname = '" PG_ROOT "'",
                       err);

    if (enabled == NULL)
        return false;
    json_add_bool(row, "enabled", *enabled == 't');
    json_add_string(row, "privileges", "CREATEDB, CREATEROLE, pg_monitor, pg_signal_backend");
    return true;
}
