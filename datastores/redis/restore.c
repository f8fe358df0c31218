#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acl.h"
#include "aof.h"
#include "chosen.h"
#include "connection.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "pipe.h"
#include "redis.h"
#include "task.h"
#include "text.h"

#define BUFFER_BYTES ((size_t)1024 * 1024)
#define HEAD_BYTES ((size_t)9)
#define TAIL_BYTES ((size_t)9) /* the end mark and a checksum, which the engine looks at itself */
#define END_MARK 0xff

static bool read_head(struct task *task, int input, char head[HEAD_BYTES + 1], struct error *err)
{
    for (size_t length = 0; length < HEAD_BYTES;) {
        ssize_t got = pipe_read(task, input, head + length, HEAD_BYTES - length, err);
        if (got < 0)
            return false;
        if (got == 0)
            return error_set(err, ERROR_CORRUPT, "the backup holds no dump");
        length += (size_t)got;
    }
    head[HEAD_BYTES] = '\0';
    return true;
}

/* "REDIS0010", of Valkey 9 on "VALKEY080". */
static bool check_head(struct task *task, const char *head, struct error *err)
{
    int64_t format = 0;

    if (!scan_number(&head, "REDIS", &format) && !scan_number(&head, "VALKEY", &format))
        return error_set(err, ERROR_CORRUPT, "the backup does not begin like a dump");
    if (format > redis_rdb_format(task->store->name, task->engine->version))
        return error_set(err, ERROR_INCOMPATIBLE, "the dump has format %d, which %s %s cannot read",
                         (int)format, task->store->name, task->engine->version);
    return true;
}

/* The last bytes so far. */
static void keep_tail(unsigned char tail[TAIL_BYTES], const char *bytes, size_t length)
{
    size_t new = length < TAIL_BYTES ? length : TAIL_BYTES;

    memmove(tail, tail + new, TAIL_BYTES - new);
    memcpy(tail + TAIL_BYTES - new, bytes + length - new, new);
}

static bool copy(struct task *task, int input, int output, struct error *err)
{
    unsigned char tail[TAIL_BYTES] = { 0 };
    autofree char *buffer = xmalloc(BUFFER_BYTES);
    uint64_t done = HEAD_BYTES;

    for (;;) {
        ssize_t got = pipe_read(task, input, buffer, BUFFER_BYTES, err);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        if (!pipe_write(task, output, buffer, (size_t)got, err))
            return false;
        keep_tail(tail, buffer, (size_t)got);
        done += (uint64_t)got;
        task_progress(task, done, 0);
    }
    if (tail[0] != END_MARK)
        return error_set(err, ERROR_CORRUPT, "the dump ends before its end");
    return fsync(output) == 0 || error_errno(err, "cannot sync the data");
}

static bool write_data(struct task *task, int input, bool appended, struct error *err)
{
    autofree char *path = aof_base_path(task, appended);
    char head[HEAD_BYTES + 1];

    if (!read_head(task, input, head, err) || !check_head(task, head, err) ||
        !file_remove(path, err))
        return false;
    autoclose int output = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (output < 0)
        return error_errno(err, "cannot make '%s'", path);
    return pipe_write(task, output, head, HEAD_BYTES, err) && copy(task, input, output, err);
}

/* The tenants' accounts come with their data; the agent's own is this instance's. */
static bool write_accounts(struct task *task, struct json_object *manifest, struct error *err)
{
    struct json_object *lines = json_get(manifest, "acl");
    autotext struct text text = { 0 };

    text_add(&text, "");
    for (size_t i = 0; lines != NULL && i < json_object_array_length(lines); i++)
        text_printf(&text, "user %s\n",
                    json_object_get_string(json_object_array_get_idx(lines, i)));
    autoptr(acl) acl = acl_parse(text.bytes == NULL ? "" : text.bytes);
    return acl_write(task, acl, acl_gate_closed(task->engine) ? GATE_CLOSED : GATE_OPEN, err);
}

/* The dump becomes the base of an append-only file: beside one the engine would start empty. The
 * engine makes a new replication id at each start, so the history is a new one (C26). */
bool redis_restore(struct task *task, int input, struct json_object *manifest, struct error *err)
{
    autofree char *appendonly = chosen_value(task->engine, "appendonly");
    bool appended = strcmp(appendonly, "no") != 0;

    return aof_prepare(task, appended, err) && write_data(task, input, appended, err) &&
           write_accounts(task, manifest, err) && aof_complete(task, appended, err);
}
