#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "pipe.h"
#include "redis.h"
#include "task.h"
#include "text.h"

#define MARK_BYTES ((size_t)40)
#define BUFFER_BYTES ((size_t)256 * 1024)
#define LINE_BYTES ((size_t)256)

/* A dump on its way from the engine, as a replica gets it. */
struct dump {
    struct task *task;
    int input;
    int output;
    char *buffer; /* MARK_BYTES more than BUFFER_BYTES */
    size_t held;  /* bytes in it that may be the start of the mark */
    uint64_t done;
    uint64_t total; /* 0 when a mark ends it */
    char mark[MARK_BYTES + 1];
};

bool redis_backup_form(struct task *task, struct backup_form *form, struct error *err)
{
    (void)task;
    (void)err;
    *form = (struct backup_form){ .file = "data.rdb.zst", .by_hand = "zstd -d < %s > dump.rdb" };
    return true;
}

/* One line without its end, byte by byte, for behind it the dump begins. Empty ones are signs of
 * life while the engine prepares. */
static bool read_line(struct dump *dump, char line[LINE_BYTES], struct error *err)
{
    size_t length = 0;
    char byte;

    while (length + 1 < LINE_BYTES) {
        ssize_t got = pipe_read(dump->task, dump->input, &byte, 1, err);
        if (got < 0)
            return false;
        if (got == 0)
            return error_set(err, ERROR_ENGINE, "the engine ended the backup");
        if (byte == '\n' && length == 0)
            continue;
        if (byte == '\n')
            break;
        line[length++] = byte;
    }
    length -= line[length - 1] == '\r';
    line[length] = '\0';
    if (line[0] != '-')
        return true;
    error_set(err, ERROR_ENGINE, "the engine refuses a backup");
    return error_native(err, line + 1);
}

/* "+FULLRESYNC ID OFFSET", then "$EOF:MARK" (straight from memory) or "$LENGTH" (from a file). */
static bool read_head(struct dump *dump, struct json_object *manifest, struct error *err)
{
    char line[LINE_BYTES];
    const char *place = line;
    int64_t length = 0;

    if (!read_line(dump, line, err))
        return false;
    if (!text_starts(line, "+FULLRESYNC ") || strchr(line, ' ') == strrchr(line, ' '))
        return error_set(err, ERROR_ENGINE, "the engine answered '%s' to PSYNC", line);
    autofree char *position = xstrdup(line + strlen("+FULLRESYNC "));
    *strchr(position, ' ') = ':';
    json_add_string(manifest, "position_start", position);
    json_add_string(manifest, "position_end", position);

    if (!read_line(dump, line, err))
        return false;
    if (text_starts(line, "$EOF:") && strlen(line) == strlen("$EOF:") + MARK_BYTES) {
        memcpy(dump->mark, line + strlen("$EOF:"), MARK_BYTES);
        return true;
    }
    if (!scan_number(&place, "$", &length) || length <= 0)
        return error_set(err, ERROR_ENGINE, "the engine answered '%s' for a dump", line);
    dump->total = (uint64_t)length;
    return true;
}

/* Writes what is no part of the mark; *ended when the mark, or the length, has been reached. */
static bool pass_on(struct dump *dump, size_t got, bool *ended, struct error *err)
{
    size_t length = dump->held + got;
    size_t keep = 0;

    if (dump->total == 0) {
        keep = length < MARK_BYTES ? length : MARK_BYTES;
        *ended = keep == MARK_BYTES &&
                 memcmp(dump->buffer + length - MARK_BYTES, dump->mark, MARK_BYTES) == 0;
    }
    length -= keep;
    if (!pipe_write(dump->task, dump->output, dump->buffer, length, err))
        return false;
    dump->done += length;
    if (dump->total > 0)
        *ended = dump->done >= dump->total;
    memmove(dump->buffer, dump->buffer + length, keep);
    dump->held = keep;
    task_progress(dump->task, dump->done, dump->total);
    return true;
}

static bool read_body(struct dump *dump, struct error *err)
{
    bool ended = false;

    while (!ended) {
        size_t room = BUFFER_BYTES;
        if (dump->total > 0 && dump->total - dump->done < room)
            room = (size_t)(dump->total - dump->done);
        ssize_t got = pipe_read(dump->task, dump->input, dump->buffer + dump->held, room, err);
        if (got < 0)
            return false;
        if (got == 0)
            return error_set(err, ERROR_ENGINE, "the engine ended the backup before its end");
        if (!pass_on(dump, (size_t)got, &ended, err))
            return false;
    }
    return true;
}

/*
 * As a replica that wants the dump and nothing after it: then the engine keeps no commands for us
 * however slow we are (7.0 on). One that reads nothing for a minute it gives up by itself; no
 * client waits for it meanwhile (C25).
 */
static redisContext *become_replica(struct task *task, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);

    if (db == NULL)
        return NULL;
    if ((redis_at_least(task, "7.0") && !RUN(db, err, "REPLCONF", "rdb-only", "1")) ||
        !RUN(db, err, "REPLCONF", "capa", "eof", "capa", "psync2"))
        return NULL;
    return steal(db);
}

static bool stream(struct task *task, int output, struct json_object *manifest, struct error *err)
{
    static const char request[] = "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n";
    autoptr(redisContext) db = become_replica(task, err);
    autofree char *buffer = xmalloc(BUFFER_BYTES + MARK_BYTES);

    if (db == NULL)
        return false;
    struct dump dump = { .task = task, .input = db->fd, .output = output, .buffer = buffer };
    int flags = pipe_unblock(output);
    bool done = pipe_write(task, db->fd, request, sizeof(request) - 1, err) &&
                read_head(&dump, manifest, err) && read_body(&dump, err);
    pipe_restore(output, flags);
    return done;
}

/* Hashes, never passwords; the engine's dump holds no accounts. */
static bool add_accounts(struct task *task, redisContext *db, struct json_object *manifest,
                         struct error *err)
{
    autoptr(acl) acl = acl_read(task->engine, db, err);

    if (acl == NULL)
        return false;
    struct json_object *lines = json_add_array(manifest, "acl");
    for (size_t i = 0; i < acl->count; i++) {
        autofree char *name = acl_name(acl->lines[i]);
        if (!acl_is_ours(name))
            json_object_array_add(lines, json_object_new_string(acl->lines[i]));
    }
    return true;
}

/*
 * The engine's own compression makes a backup slower and, with zstd behind it, larger: it is off
 * meanwhile.
 */
bool redis_backup(struct task *task, int output, struct json_object *manifest, struct error *err)
{
    autoptr(redisContext) db = connection_open(task, err);

    if (db == NULL || !add_accounts(task, db, manifest, err) ||
        !connection_set(db, "rdbcompression", "no", err))
        return false;

    bool done = stream(task, output, manifest, err);
    struct error undo = { 0 };
    if (redis_backup_undo(task, &undo))
        return done;
    if (done)
        error_move(err, &undo);
    error_clear(&undo);
    return false;
}

bool redis_backup_undo(struct task *task, struct error *err)
{
    struct process process;

    if (!engine_find(task->engine, &process))
        return true;
    autoptr(redisContext) db = connection_open(task, err);
    autofree char *value = chosen_value(task->engine, "rdbcompression");
    return db != NULL && connection_set(db, "rdbcompression", value, err);
}
