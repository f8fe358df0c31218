#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "redis.h"
#include "task.h"
#include "text.h"

#define CONNECT_S 5
#define ANSWER_S 60 /* no command of ours works that long; what does is polled for */
#define SECRET_BYTES 32

static const struct code {
    const char *begins;
    enum error_reason reason;
    const char *hint;
} codes[] = {
    { "NOAUTH", ERROR_DENIED, "the agent's account is gone: restart the instance" },
    { "WRONGPASS", ERROR_DENIED, "the agent's account is not as left: restart the instance" },
    { "NOPERM", ERROR_DENIED, "" },
    { "LOADING", ERROR_BUSY, "it reads its data; wait until it has" },
    { "BUSY", ERROR_BUSY, "a script runs for too long in the engine" },
    { "OOM", ERROR_NO_SPACE, "raise maxmemory, or remove keys" },
    { "MISCONF", ERROR_NO_SPACE, "the engine cannot write to its disk" },
};

void words_add(struct words *words, const char *word)
{
    if (words->count + 2 > words->room) {
        words->room = words->room * 2 + 16;
        words->list = xrealloc(words->list, words->room * sizeof(*words->list));
    }
    words->list[words->count++] = xstrdup(word);
    words->list[words->count] = NULL;
}

void words_printf(struct words *words, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    autofree char *word = xvasprintf(format, arguments);
    va_end(arguments);
    words_add(words, word);
}

void words_done(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->list[i]);
    free(words->list);
    *words = (struct words){ 0 };
}

const char *const *words_list(const struct words *words)
{
    return (const char *const *)words->list;
}

static char *secret_path(const struct engine *engine)
{
    return xasprintf("%s/agent.secret", engine->folder);
}

static bool secret_make(const char *path, struct error *err)
{
    unsigned char bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_errno(err, "cannot make the agent's secret");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    bool made = file_write(path, text, sizeof(text) - 1, 0600, err);
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(text, sizeof(text));
    return made;
}

char *secret_read(const struct engine *engine, bool make, struct error *err)
{
    autofree char *path = secret_path(engine);
    size_t length = 0;

    if (make && !file_exists(path) && !secret_make(path, err))
        return NULL;
    char *secret = file_read(path, &length, err);
    if (secret != NULL && length != (size_t)2 * SECRET_BYTES) {
        error_set(err, ERROR_CORRUPT, "'%s' does not hold the agent's secret", path);
        free(secret);
        return NULL;
    }
    return secret;
}

char *password_hash(const char *password)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *text = xmalloc(2 * sizeof(digest) + 2);

    SHA256((const unsigned char *)password, strlen(password), digest);
    text[0] = '#';
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(text + 1 + 2 * i, 3, "%02x", digest[i]);
    return text;
}

/* By way of the folder's descriptor: a path may be longer than an address of a socket can be. */
static redisContext *open_socket(const struct engine *engine)
{
    autoclose int folder = open(engine->sockets, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct timeval patience = { .tv_sec = CONNECT_S };
    char path[64];

    if (folder < 0)
        return NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d/" REDIS_SOCKET, folder);
    return redisConnectUnixWithTimeout(path, patience);
}

/* Commands that the engine has carried out for this worker since its start. */
static int64_t commands;

int64_t connection_commands(void)
{
    return commands;
}

void connection_engine_starts(void)
{
    commands = 0;
}

/* Other errors than this one mean that the command was refused, and not begun. */
static bool was_carried_out(const redisReply *reply)
{
    return reply->type != REDIS_REPLY_ERROR || text_starts(reply->str, "ERR ");
}

static bool introduce(redisContext *db, struct task *task, struct error *err)
{
    autofree char *secret = secret_read(task->engine, false, err);
    autofree char *name = xasprintf("dbguest.%s", task->job);

    if (secret == NULL)
        return false;
    SEND(db, "AUTH", REDIS_AGENT, secret);
    explicit_bzero(secret, strlen(secret));
    SEND(db, "CLIENT", "SETNAME", name);
    autoptr(redisReply) known = connection_read(db, err);
    autoptr(redisReply) named = known == NULL ? NULL : connection_read(db, err);
    commands -= known != NULL && was_carried_out(known); /* knocking is not counted */
    return named != NULL && connection_check(known, err) && connection_check(named, err);
}

redisContext *connection_open(struct task *task, struct error *err)
{
    autoptr(redisContext) db = open_socket(task->engine);
    struct timeval patience = { .tv_sec = ANSWER_S };

    if (db == NULL || db->err != 0) {
        error_set(err, ERROR_ENGINE, "the engine of '%s' does not answer", task->engine->instance);
        error_native(err, db == NULL ? strerror(errno) : db->errstr);
        error_hint(err, "dbguestctl instance log %s", task->engine->instance);
        return NULL;
    }
    fcntl(db->fd, F_SETFD, FD_CLOEXEC);
    if (redisSetTimeout(db, patience) != REDIS_OK || !introduce(db, task, err)) {
        if (err->reason == ERROR_NONE)
            error_errno(err, "cannot set up the connection to the engine");
        return NULL;
    }
    return steal(db);
}

void connection_send(redisContext *db, const char *const *words)
{
    int count = 0;

    while (words[count] != NULL)
        count++;
    /* hiredis' declaration lacks a const; it copies the words into its buffer.
     * NOLINTNEXTLINE(performance-no-int-to-ptr) */
    redisAppendCommandArgv(db, count, (const char **)(uintptr_t)words, NULL);
}

void connection_tell(struct task *task, const char *const *words)
{
    autoptr(redisContext) db = open_socket(task->engine);
    struct error ignored = { 0 };
    autofree char *secret = secret_read(task->engine, false, &ignored);
    int written = 0;

    error_clear(&ignored);
    if (db == NULL || db->err != 0 || secret == NULL)
        return;
    SEND(db, "AUTH", REDIS_AGENT, secret);
    explicit_bzero(secret, strlen(secret));
    connection_send(db, words);
    while (written == 0 && redisBufferWrite(db, &written) == REDIS_OK)
        continue;
}

redisReply *connection_read(redisContext *db, struct error *err)
{
    void *reply = NULL;

    if (redisGetReply(db, &reply) == REDIS_OK) {
        commands += was_carried_out(reply);
        return reply;
    }
    bool slow = db->err == REDIS_ERR_IO && errno == EAGAIN;
    error_set(err, ERROR_ENGINE,
              slow ? "the engine did not answer for %d s"
                   : "the engine ended the agent's connection",
              ANSWER_S);
    error_native(err, db->errstr);
    return NULL;
}

bool connection_check(const redisReply *reply, struct error *err)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return true;

    error_set(err, ERROR_ENGINE, "the engine refused");
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (!text_starts(reply->str, codes[i].begins))
            continue;
        error_set(err, codes[i].reason, "the engine refused");
        if (codes[i].hint[0] != '\0')
            error_hint(err, "%s", codes[i].hint);
        break;
    }
    return error_native(err, reply->str);
}

redisReply *connection_ask(redisContext *db, const char *const *words, struct error *err)
{
    connection_send(db, words);
    redisReply *reply = connection_read(db, err);

    if (reply == NULL || connection_check(reply, err))
        return reply;
    freeReplyObject(reply);
    return NULL;
}

bool connection_run(redisContext *db, const char *const *words, struct error *err)
{
    autoptr(redisReply) reply = connection_ask(db, words, err);

    return reply != NULL;
}

char *connection_info(redisContext *db, const char *section, struct error *err)
{
    autoptr(redisReply) reply = ASK(db, err, "INFO", section);

    return reply == NULL ? NULL : xstrdup(reply->str == NULL ? "" : reply->str);
}

char *info_text(const char *info, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = info; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return xstrndup(line + length + 1, strcspn(line + length + 1, "\r\n"));
    }
    return NULL;
}

int64_t info_number(const char *info, const char *name)
{
    autofree char *text = info_text(info, name);

    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

bool scan_number(const char **place, const char *before, int64_t *number)
{
    char *end = NULL;

    if (!text_starts(*place, before))
        return false;
    errno = 0;
    int64_t found = strtoll(*place + strlen(before), &end, 10);
    if (end == *place + strlen(before) || errno != 0)
        return false;
    *number = found;
    *place = end;
    return true;
}

char *connection_setting(redisContext *db, const char *name, struct error *err)
{
    autoptr(redisReply) reply = ASK(db, err, "CONFIG", "GET", name);

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[1]->str == NULL)
        return NULL;
    return xstrdup(reply->element[1]->str);
}

bool connection_set(redisContext *db, const char *name, const char *value, struct error *err)
{
    if (RUN(db, err, "CONFIG", "SET", name, value))
        return true;
    return error_prefix(err, "cannot set '%s'", name);
}
