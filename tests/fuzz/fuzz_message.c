/*
 * A line of a client, as far as the daemon goes with it before a job begins: what the scanner lets
 * through json-c must understand, and whatever came, the answer is one line of JSON.
 */
#include "fuzz.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "message.h"
#include "method.h"
#include "scan.h"
#include "text.h"

#define DEPTH 64

static bool lies_in(const struct span *span, const char *line, size_t size)
{
    return span->bytes == NULL ||
           (span->bytes >= line && span->bytes + span->length <= line + size);
}

/* Put into a request, it must be no parse error: JSON, and of UTF-8. */
static void must_be_json(const char *bytes, size_t length)
{
    autotext struct text request = { 0 };
    struct error err = { 0 };
    struct scan scan;

    text_add(&request, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"answer\":");
    text_add_bytes(&request, bytes, length);
    text_add(&request, "}}");
    scan_request(request.bytes, request.length, DEPTH, &scan, &err);
    fuzz_must(scan.code != CODE_PARSE, "an answer is JSON");
    error_clear(&err);
}

static void must_answer(const struct scan *scan, int code, const struct error *err)
{
    autotext struct text line = { 0 };
    autofree char *id = scan->id.bytes != NULL ? xstrndup(scan->id.bytes, scan->id.length) : NULL;

    message_error(&line, id != NULL ? id : "null", code, err, "j1");
    fuzz_must(memchr(line.bytes, '\n', line.length) == line.bytes + line.length - 1,
              "an answer is one line");
    must_be_json(line.bytes, line.length - 1);
}

static void must_be_understood(const struct scan *scan)
{
    struct error err = { 0 };
    autofree char *name = xstrndup(scan->method.bytes, scan->method.length);
    const struct method *method = method_find(name);
    autoptr(json_object) params = scan_params(scan, DEPTH);

    fuzz_must(strlen(name) == scan->method.length, "no NUL is in a method's name");
    fuzz_must(json_object_is_type(params, json_type_object), "json-c reads what the scanner read");
    if (method == NULL || method_check_params(method, params, &err))
        return;
    must_answer(scan, 0, &err);
    error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    struct scan scan;
    /* Of its own and as long as it is, so that a byte too many is seen. */
    autofree char *line = xmalloc(size + (size == 0));

    memcpy(line, data, size);
    bool good = scan_request(line, size, DEPTH, &scan, &err);
    fuzz_must(good == (scan.code == 0) && good == (err.reason == ERROR_NONE), "one verdict");
    fuzz_must(lies_in(&scan.id, line, size) && lies_in(&scan.method, line, size) &&
                  lies_in(&scan.params, line, size),
              "what is found lies in the line");
    if (good)
        must_be_understood(&scan);
    else
        must_answer(&scan, scan.code, &err);
    error_clear(&err);
    return 0;
}
