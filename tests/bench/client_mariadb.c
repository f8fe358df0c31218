#include "client.h"

#include <mysql.h>
#include <stdlib.h>
#include <string.h>

#define VERIFIER "*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9"

void *client_open(const struct target *target)
{
    MYSQL *db = mysql_init(NULL);
    bool local = *target->host == '/';
    unsigned int timeout_s = 2;

    mysql_options(db, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
    if (mysql_real_connect(db, local ? NULL : target->host, target->user, target->password,
                           target->database, (unsigned int)target->port,
                           local ? target->host : NULL, 0) != NULL)
        return db;
    mysql_close(db);
    return NULL;
}

void client_close(void *connection)
{
    if (connection != NULL)
        mysql_close(connection);
}

bool client_write(void *connection)
{
    return mysql_query(connection, "INSERT INTO pulse () VALUES ()") == 0;
}

bool client_work(void *connection, unsigned int number)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "UPDATE bench SET n = n + 1 WHERE id = %u", number >> 13);
    return mysql_query(connection, sql) == 0;
}

bool client_list(void *connection, FILE *out)
{
    long count = 0;

    if (mysql_query(connection, "SELECT user, json_value(priv, '$.account_locked') FROM"
                                " mysql.global_priv ORDER BY user LIMIT 1000") != 0)
        return false;
    MYSQL_RES *rows = mysql_store_result(connection);
    for (MYSQL_ROW row = mysql_fetch_row(rows); row != NULL; row = mysql_fetch_row(rows), count++)
        fprintf(out, "{\"name\":\"%s\",\"login\":%s}\n", row[0], row[1] == NULL ? "true" : "false");
    mysql_free_result(rows);
    return count > 0;
}

/* One statement for all of them. */
static bool run_many(MYSQL *db, const char *verb, const char *rest, int count)
{
    size_t room = strlen(verb) + 1 + (strlen(rest) + 32) * (size_t)count;
    char *sql = malloc(room);
    size_t length = (size_t)snprintf(sql, room, "%s", verb);

    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(sql + length, room - length, "%s 'bench%04d'@'%%'%s",
                                   i == 0 ? "" : ",", i, rest);
    bool good = mysql_query(db, sql) == 0;
    if (!good)
        fprintf(stderr, "%s\n", mysql_error(db));
    free(sql);
    return good;
}

bool client_create(void *connection, int count)
{
    return run_many(connection, "CREATE USER",
                    " IDENTIFIED VIA mysql_native_password USING '" VERIFIER "'", count);
}

bool client_drop(void *connection, int count)
{
    return run_many(connection, "DROP USER", "", count);
}
