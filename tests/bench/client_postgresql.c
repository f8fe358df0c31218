#include "client.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

/* Of no password that anybody knows; the server derives its own all the same. */
#define VERIFIER                                                                                   \
    "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$Uw0rF1FzkYpzTXkFuC+ZJq0i0mMZZ4Ol4VyJcG0TfSI="     \
    ":2bZ7r9mL0e0rN8nqkzQ1J1k6xQ1w2e3r4t5y6u7i8o8="

/* What the server says as it goes down is what is being measured. */
static void ignore_notice(void *unused, const char *message)
{
    (void)unused;
    (void)message;
}

void *client_open(const struct target *target)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", target->port);
    const char *const keys[] = {
        "host", "port", "user", "dbname", "connect_timeout", target->password ? "password" : NULL,
        NULL
    };
    const char *const values[] = { target->host,     port, target->user, target->database, "2",
                                   target->password, NULL };
    PGconn *db = PQconnectdbParams(keys, values, 0);

    PQsetNoticeProcessor(db, ignore_notice, NULL);
    if (PQstatus(db) == CONNECTION_OK)
        return db;
    PQfinish(db);
    return NULL;
}

void client_close(void *connection)
{
    PQfinish(connection);
}

static bool run(PGconn *db, const char *sql)
{
    PGresult *result = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    PQclear(result);
    return good;
}

bool client_write(void *connection)
{
    return run(connection, "INSERT INTO public.pulse DEFAULT VALUES");
}

/* A row of each page of the table that the bench has filled. */
bool client_work(void *connection, unsigned int number)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "UPDATE public.bench SET n = n + 1 WHERE id = %u", number >> 13);
    return run(connection, sql);
}

bool client_list(void *connection, FILE *out)
{
    PGresult *rows = PQexec(connection, "SELECT rolname, rolcanlogin FROM pg_roles"
                                        " WHERE rolname !~ '^pg_' ORDER BY 1 LIMIT 1000");

    for (int i = 0; i < PQntuples(rows); i++)
        fprintf(out, "{\"name\":\"%s\",\"login\":%s}\n", PQgetvalue(rows, i, 0),
                *PQgetvalue(rows, i, 1) == 't' ? "true" : "false");
    bool good = PQntuples(rows) > 0;
    PQclear(rows);
    return good;
}

/* All statements in one message: they are one transaction. */
static bool run_many(PGconn *db, const char *format, int count)
{
    size_t room = (strlen(format) + 16) * (size_t)count + 1;
    char *sql = malloc(room);
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        const char *mark = strchr(format, '#');
        length += (size_t)snprintf(sql + length, room - length, "%.*s%04d%s", (int)(mark - format),
                                   format, i, mark + 1);
    }
    bool good = run(db, sql);
    if (!good)
        fprintf(stderr, "%s", PQerrorMessage(db));
    free(sql);
    return good;
}

bool client_create(void *connection, int count)
{
    return run_many(connection, "CREATE ROLE bench# LOGIN PASSWORD '" VERIFIER "';", count);
}

bool client_drop(void *connection, int count)
{
    return run_many(connection, "DROP ROLE bench#;", count);
}
