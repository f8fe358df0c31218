/*
 * The agent's connection to the engine: as the ACL user "dbguest", over the socket, named after the
 * job so that a later worker can end it (C10). The only place that knows hiredis.
 *
 *     autoptr(redisContext) db = connection_open(task, err);
 *     if (db == NULL || !RUN(db, err, "CONFIG", "SET", "save", ""))
 *         return false;
 */
#ifndef DBGUEST_REDIS_CONNECTION_H
#define DBGUEST_REDIS_CONNECTION_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct engine;
struct error;
struct task;

DEFINE_AUTOPTR_FOR(redisContext, redisContext, redisFree)
DEFINE_AUTOPTR_FOR(redisReply, redisReply, freeReplyObject)

/* The words of a command, made one by one; starts zeroed. The list ends with NULL once it has any.
 */
struct words {
    char **list;
    size_t count;
    size_t room;
};
void words_add(struct words *words, const char *word);
void words_printf(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void words_done(struct words *words);
#define autowords __attribute__((cleanup(words_done)))
/* As what connection_ask() and friends take. */
const char *const *words_list(const struct words *words);

redisContext *connection_open(struct task *task, struct error *err);
/* Sends and waits; a reply that is an error is one, by the table of codes. */
redisReply *connection_ask(redisContext *db, const char *const *words, struct error *err);
bool connection_run(redisContext *db, const char *const *words, struct error *err);
#define ASK(db, err, ...) connection_ask(db, (const char *const[]){ __VA_ARGS__, NULL }, err)
#define RUN(db, err, ...) connection_run(db, (const char *const[]){ __VA_ARGS__, NULL }, err)

/* For pipelines: queues one command; the replies come in order. An error reply is a reply here. */
void connection_send(redisContext *db, const char *const *words);
#define SEND(db, ...) connection_send(db, (const char *const[]){ __VA_ARGS__, NULL })
redisReply *connection_read(redisContext *db, struct error *err);
/* Says one thing to the engine on a connection of its own and waits for no answer. */
void connection_tell(struct task *task, const char *const *words);
/* Makes err of a reply; true when it is none of an error. */
bool connection_check(const redisReply *reply, struct error *err);

/* How many commands but AUTH the engine has carried out for this worker since it was started: for
 * counting those of others (C18). */
int64_t connection_commands(void);
void connection_engine_starts(void);

/* A section of INFO as text; the caller frees it. */
char *connection_info(redisContext *db, const char *section, struct error *err);
/* The value of one line of it; NULL when there is none. The caller frees it. */
char *info_text(const char *info, const char *name);
int64_t info_number(const char *info, const char *name);

/* Steps over `before` and the number behind it; false, and place where it was, when it is not so.
 */
bool scan_number(const char **place, const char *before, int64_t *number);

/* What CONFIG GET says; NULL with err unset when the engine has no such setting. */
char *connection_setting(redisContext *db, const char *name, struct error *err);
bool connection_set(redisContext *db, const char *name, const char *value, struct error *err);

/* The agent's password, 64 hex digits; makes it when missing if asked to. NULL when it fails. */
char *secret_read(const struct engine *engine, bool make, struct error *err);
/* "#" and the SHA-256 of a password, as ACL files hold it; the caller frees it. */
char *password_hash(const char *password);

#endif
