#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "postgresql.h"
#include "process.h"

#define COUNTED_FROM 150000 /* before, the collector could lose what it was told */
#define LATE_S 5.0

/* A session's figures are added up before it leaves the list of sessions: until those of ours that
 * we have closed are gone from there the sum is not complete. */
static bool await_ours(struct task *task, PGconn *db, struct error *err)
{
    double since = process_clock_s();
    autofree char *name = pg_session_name(task);
    autofree char *sql = pg_format(db,
                                   "SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                                   " %L AND usename = 'postgres' AND pid <> pg_backend_pid()",
                                   name);

    for (;;) {
        autofree char *left = pg_value(task, db, sql, err);

        if (left == NULL)
            return false;
        if (strcmp(left, "0") == 0)
            return true;
        if (process_clock_s() - since > LATE_S)
            return error_set(err, ERROR_ENGINE, "the agent's own sessions do not end");
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, 1);
    }
}

/*
 * Sessions are counted once somebody is let in, and the sum is in the data: it goes on over a clean
 * stop, and begins anew after a crash, when those of ours before the start are in no sum.
 */
bool postgresql_strangers(struct task *task, int64_t before, int64_t *count, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    *count = 0;
    if (db == NULL)
        return false;
    if (PQserverVersion(db) < COUNTED_FROM)
        return true;
    if (!await_ours(task, db, err) || !pg_run(task, db, "SELECT pg_stat_force_next_flush()", err))
        return false;
    autofree char *sum = pg_value(task, db, "SELECT sum(sessions) FROM pg_stat_database", err);
    if (sum == NULL)
        return false;

    int64_t all = strtoll(sum, NULL, 10);
    int64_t others = all - pg_sessions_made(false);
    *count = others >= 0 ? others - before : all - pg_sessions_made(true);
    return true;
}
