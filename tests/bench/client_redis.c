#include "client.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define VERIFIER "#d74ff0ee8da3b9806b18c877dbf29bbde50b5bd8e4dad7a3a725000feb82e8f1"

static bool succeeds(redisReply *reply)
{
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

void *client_open(const struct target *target)
{
    struct timeval patience = { .tv_sec = 2 };
    redisContext *db = *target->host == '/'
                           ? redisConnectUnixWithTimeout(target->host, patience)
                           : redisConnectWithTimeout(target->host, target->port, patience);

    if (db == NULL || db->err != 0 ||
        !succeeds(redisCommand(db, "AUTH %s %s", target->user, target->password))) {
        redisFree(db);
        return NULL;
    }
    return db;
}

void client_close(void *connection)
{
    redisFree(connection);
}

/* A command, for one that is turned away while it loads fails at AUTH or here. */
bool client_write(void *connection)
{
    return succeeds(redisCommand(connection, "INCR bench:pulse"));
}

bool client_work(void *connection, unsigned int number)
{
    return succeeds(redisCommand(connection, "SET bench:%u %0200u", number >> 13, number));
}

bool client_list(void *connection, FILE *out)
{
    redisReply *reply = redisCommand(connection, "ACL LIST");
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    for (size_t i = 0; good && i < reply->elements; i++) {
        const char *name = reply->element[i]->str + strlen("user ");
        size_t length = strcspn(name, " ");
        fprintf(out, "{\"name\":\"%.*s\",\"login\":%s}\n", (int)length, name,
                strncmp(name + length, " on ", 4) == 0 ? "true" : "false");
    }
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

static bool get_answers(redisContext *db, int count)
{
    bool good = true;

    for (int i = 0; i < count; i++) {
        void *reply = NULL;
        good &= redisGetReply(db, &reply) == REDIS_OK && succeeds(reply);
    }
    return good;
}

/* One pipeline, and what makes it last: accounts are in no append-only file. */
bool client_create(void *connection, int count)
{
    for (int i = 0; i < count; i++)
        redisAppendCommand(connection,
                           "ACL SETUSER bench%04d reset on " VERIFIER
                           " ~* &* -@all +@read +@write +@connection",
                           i);
    redisAppendCommand(connection, "ACL SAVE");
    return get_answers(connection, count + 1);
}

bool client_drop(void *connection, int count)
{
    for (int i = 0; i < count; i++)
        redisAppendCommand(connection, "ACL DELUSER bench%04d", i);
    redisAppendCommand(connection, "ACL SAVE");
    return get_answers(connection, count + 1);
}
