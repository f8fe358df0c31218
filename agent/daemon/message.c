#include "message.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "json.h"
#include "process.h"
#include "scan.h"
#include "text.h"

#define HEAD "{\"jsonrpc\":\"2.0\","

void message_result(struct text *out, const char *id, const char *result)
{
    text_add(out, HEAD "\"id\":");
    text_add(out, id);
    text_add(out, ",\"result\":");
    text_add(out, result);
    text_add(out, "}\n");
}

/* Where the standard has a number of its own, that one; else the reason's. */
static int code_of(const struct error *err)
{
    if (err->reason == ERROR_INVALID)
        return CODE_PARAMS;
    return err->reason == ERROR_INTERNAL ? CODE_INTERNAL : (int)err->reason;
}

void message_error(struct text *out, const char *id, int code, const struct error *err,
                   const char *job)
{
    autoptr(json_object) error = json_object_new_object();
    autoptr(json_object) data = error_to_json(err);

    json_object_object_del(data, "message");
    json_add_string(data, "job", job);
    json_add_int(error, "code", code != 0 ? code : code_of(err));
    json_add_string(error, "message", err->message);
    json_add(error, "data", steal(data));

    text_add(out, HEAD "\"id\":");
    text_add(out, id);
    text_add(out, ",\"error\":");
    text_add(out, json_line(error));
    text_add(out, "}\n");
}

void message_note(struct text *out, const char *method, const char *params)
{
    text_add(out, HEAD "\"method\":\"");
    text_add(out, method);
    text_add(out, "\",\"params\":");
    text_add(out, params);
    text_add(out, "}\n");
}

/* Most of a stamp is that of the second before. */
static const char *stamp_now(void)
{
    static char stamp[32];
    static time_t second = -1;
    struct timespec now = { 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        process_stamp_of((double)now.tv_sec, stamp);
        second = now.tv_sec;
    }
    /* "2026-11-21T03:42:58.104Z" */
    long milliseconds = now.tv_nsec / 1000000;
    stamp[20] = (char)('0' + milliseconds / 100);
    stamp[21] = (char)('0' + milliseconds / 10 % 10);
    stamp[22] = (char)('0' + milliseconds % 10);
    return stamp;
}

void message_pong(struct text *out, const char *id, size_t length)
{
    static char tail[128];
    static int tail_length;

    if (tail_length == 0)
        tail_length = snprintf(tail, sizeof(tail), "Z\",\"boot_id\":\"%s\"}}\n", process_boot_id());

    text_add_bytes(out, HEAD "\"id\":", sizeof(HEAD "\"id\":") - 1);
    text_add_bytes(out, id, length);
    text_add_bytes(out, ",\"result\":{\"time\":\"", sizeof(",\"result\":{\"time\":\"") - 1);
    text_add_bytes(out, stamp_now(), 23);
    text_add_bytes(out, tail, (size_t)tail_length);
}
