#include <stdlib.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

#define TRIES 5

/*
 * What a user owns or was granted keeps the role from going, and each database can only be cleared
 * from within. So: end the sessions, clear the databases that the catalogue names, then drop all in
 * one transaction; if somebody made something new meanwhile, again. Repeating any of it is
 * harmless: what was cleared went to the group that the user was in.
 */

/* (database or null for what all share, user) of what stands in the way. */
static PGresult *find_owned(struct task *task, PGconn *db, const char *names, struct error *err)
{
    autofree char *sql =
        xasprintf("SELECT DISTINCT d.datname, r.rolname, coalesce(w.rolname, '" PG_OWNER
                  "') FROM pg_shdepend s"
                  " JOIN pg_authid r ON s.refclassid = 'pg_authid'::regclass AND r.oid = s.refobjid"
                  "  AND r.rolname = ANY (%s)"
                  " LEFT JOIN pg_database d ON d.oid = s.dbid"
                  " LEFT JOIN pg_authid w ON w.rolname = 'dbguest.write.' || s.dbid"
                  " ORDER BY 1, 2",
                  names);

    return pg_query(task, db, sql, err);
}

/* Databases that a user made itself become ours, and so stay. */
static bool clear_one(struct task *task, const char *database, const char *user, const char *heir,
                      struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, database, err);

    if (db == NULL)
        return false;
    autofree char *sql = pg_format(
        db, "BEGIN; REASSIGN OWNED BY %I TO %I; DROP OWNED BY %I; COMMIT", user, heir, user);
    return pg_run(task, db, sql, err);
}

static bool clear_owned(struct task *task, PGconn *db, const char *names, struct error *err)
{
    autoptr(PGresult) owned = find_owned(task, db, names, err);

    if (owned == NULL)
        return false;
    for (int i = 0; i < PQntuples(owned); i++) {
        const char *database = pg_cell(owned, i, 0) == NULL ? "postgres" : pg_cell(owned, i, 0);

        if (!clear_one(task, database, pg_cell(owned, i, 1), pg_cell(owned, i, 2), err))
            return error_prefix(err, "cannot clear what '%s' owns in '%s'", pg_cell(owned, i, 1),
                                database);
    }
    return true;
}

/* Whom a call drops; names as an array and their sessions as a condition, in SQL: by oid, for the
 * names are gone when the last sessions are looked for. */
struct leavers {
    const struct user *users;
    size_t count;
    char *names;
    char *sessions;
};

static void leavers_done(struct leavers *leavers)
{
    free(leavers->names);
    free(leavers->sessions);
}
#define autoleavers __attribute__((cleanup(leavers_done)))

static bool drop_all(struct task *task, const struct leavers *leavers, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autobatch struct pg_batch batch = { 0 };

    if (db == NULL || !pg_batch_begin(&batch, task, db, err))
        return false;
    for (size_t i = 0; i < leavers->count; i++)
        if (!pg_batch_add(&batch, pg_format(db, "DROP ROLE %I", leavers->users[i].name), i, err))
            return false;

    return pg_batch_end(&batch, err);
}

static bool drop_users(struct task *task, PGconn *db, const struct leavers *leavers,
                       struct error *err)
{
    for (int try = 1;; try++) {
        if (!postgresql_end_sessions(task, db, leavers->sessions, err) ||
            !clear_owned(task, db, leavers->names, err))
            return false;
        if (drop_all(task, leavers, err))
            return true;
        if (err->reason != ERROR_BUSY || try == TRIES)
            return false;
        error_clear(err);
    }
}

static char *sessions_of(struct task *task, PGconn *db, const char *names, struct error *err)
{
    autofree char *sql = xasprintf("SELECT 'usesysid IN (' || string_agg(oid::text, ', ') || ')'"
                                   " FROM pg_authid WHERE rolname = ANY (%s)",
                                   names);

    return pg_value(task, db, sql, err);
}

bool postgresql_user_drop(struct task *task, const struct user *users, size_t count,
                          struct error *each, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autoleavers struct leavers leavers = { .users = users, .count = count };

    (void)each;
    if (db == NULL || !postgresql_check_users(task, db, users, count, err))
        return false;
    leavers.names = postgresql_name_array(db, users, count);
    leavers.sessions = sessions_of(task, db, leavers.names, err);
    if (leavers.sessions == NULL)
        return false;

    if (!drop_users(task, db, &leavers, err))
        return error_prefix(err, "cannot drop users");
    return postgresql_end_sessions(task, db, leavers.sessions, err);
}
