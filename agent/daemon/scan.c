#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "scanner.h"

/* What a member's value was; of the request's own members it matters. */
enum kind { KIND_STRING, KIND_NUMBER, KIND_WORD, KIND_OBJECT, KIND_ARRAY };

static bool scan_container(struct scanner *scanner);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as depth_max. */
static bool scan_value(struct scanner *scanner, enum kind *kind)
{
    if (scanner->at == scanner->end)
        return scanner_stop(scanner, "the request is not JSON: it ends too early");

    char byte = *scanner->at;
    if (byte == '"') {
        *kind = KIND_STRING;
        return scanner_string(scanner);
    }
    if (byte == '{' || byte == '[') {
        *kind = byte == '{' ? KIND_OBJECT : KIND_ARRAY;
        return scan_container(scanner);
    }
    if (byte == '-' || (byte >= '0' && byte <= '9')) {
        *kind = KIND_NUMBER;
        return scanner_number(scanner);
    }
    *kind = KIND_WORD;
    return scanner_word(scanner);
}

static int compare_hashes(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one;
    uint64_t b = *(const uint64_t *)other;

    return (a > b) - (a < b);
}

/* Equal hashes of 64 bits count as equal names: who makes two meet has only himself refused. */
static void check_names(struct scanner *scanner, size_t first)
{
    size_t count = scanner->count - first;
    uint64_t *names = scanner->names + first;

    if (count > 1)
        qsort(names, count, sizeof(*names), compare_hashes);
    for (size_t i = 1; i < count; i++)
        if (names[i] == names[i - 1])
            scanner_blame(scanner, CODE_REQUEST, "an object has two members of the same name");
    scanner->count = first;
}

static void keep_name(struct scanner *scanner)
{
    if (scanner->count == scanner->room) {
        scanner->room = scanner->room * 2 + 32;
        scanner->names = xrealloc(scanner->names, scanner->room * sizeof(*scanner->names));
    }
    scanner->names[scanner->count++] = scanner->hash;
}

static bool span_is(const struct span *name, const char *word)
{
    return name->length == strlen(word) && memcmp(name->bytes, word, name->length) == 0;
}

static void take_id(struct scanner *scanner, struct span value, enum kind kind)
{
    scanner->not_number = false;
    if (kind == KIND_OBJECT || kind == KIND_ARRAY || *value.bytes == 't' || *value.bytes == 'f')
        scanner_blame(scanner, CODE_REQUEST, "id must be a string, a number or null");
    else
        scanner->out->id = value;
}

static void take_method(struct scanner *scanner, struct span value, enum kind kind)
{
    if (kind != KIND_STRING || scanner->escaped)
        scanner_blame(scanner, CODE_REQUEST, "method must be a method's name");
    else
        scanner->out->method = (struct span){ value.bytes + 1, value.length - 2 };
}

static void take_params(struct scanner *scanner, struct span value, enum kind kind)
{
    if (kind != KIND_OBJECT)
        scanner_blame(scanner, CODE_PARAMS, "params must be an object: parameters go by name");
    else
        scanner->out->params = value;
}

static void take_version(struct scanner *scanner, struct span value, enum kind kind)
{
    (void)kind;
    scanner->versioned = true;
    if (!span_is(&value, "\"2.0\""))
        scanner_blame(scanner, CODE_REQUEST, "jsonrpc must be \"2.0\"");
}

/* A member of the request itself. */
static void take_member(struct scanner *scanner, const struct span *name, struct span value,
                        enum kind kind)
{
    static const struct {
        const char *name;
        void (*take)(struct scanner *scanner, struct span value, enum kind kind);
    } members[] = {
        { "id", take_id },
        { "method", take_method },
        { "params", take_params },
        { "jsonrpc", take_version },
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        if (span_is(name, members[i].name)) {
            members[i].take(scanner, value, kind);
            return;
        }
    }
    scanner_blame(scanner, CODE_REQUEST, "a request has jsonrpc, id, method and params only");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as depth_max. */
static bool scan_member(struct scanner *scanner)
{
    const char *from = scanner->at;
    enum kind kind = KIND_WORD;

    if (scanner->at == scanner->end || *scanner->at != '"')
        return scanner_stop(scanner, "the request is not JSON: a member without a name");
    if (!scanner_string(scanner))
        return false;
    keep_name(scanner);
    struct span name = { from + 1, (size_t)(scanner->at - from) - 2 };

    scanner_space(scanner);
    if (scanner->at == scanner->end || *scanner->at != ':')
        return scanner_stop(scanner, "the request is not JSON: a member without a value");
    scanner->at++;
    scanner_space(scanner);

    const char *value = scanner->at;
    if (!scan_value(scanner, &kind))
        return false;
    if (scanner->depth == 1)
        take_member(scanner, &name, (struct span){ value, (size_t)(scanner->at - value) }, kind);
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as depth_max. */
static bool scan_item(struct scanner *scanner, bool object)
{
    enum kind kind = KIND_WORD;

    scanner_space(scanner);
    if (!(object ? scan_member(scanner) : scan_value(scanner, &kind)))
        return false;
    if (scanner->not_number) {
        scanner->not_number = false;
        scanner_blame(scanner, CODE_REQUEST, "a number is too large");
    }
    scanner_space(scanner);
    return true;
}

/* An object or array. It calls itself at most depth_max deep. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as depth_max. */
static bool scan_container(struct scanner *scanner)
{
    bool object = *scanner->at == '{';
    char close = object ? '}' : ']';
    size_t first = scanner->count;

    if (++scanner->depth > scanner->depth_max) {
        scanner_blame(scanner, CODE_REQUEST, "brackets are nested too deep");
        return false;
    }
    scanner->at++;
    scanner_space(scanner);
    if (scanner->at < scanner->end && *scanner->at == close) {
        scanner->at++;
        scanner->depth--;
        return true;
    }
    for (;;) {
        if (!scan_item(scanner, object))
            return false;
        char byte = scanner_byte(scanner, 0);
        if (byte != ',' && byte != close)
            return scanner_stop(scanner,
                                "the request is not JSON: ',' or a closing bracket is missing");
        scanner->at++;
        if (byte == close)
            break;
    }
    if (object)
        check_names(scanner, first);
    scanner->depth--;
    return true;
}

static bool scan_line(struct scanner *scanner)
{
    scanner_space(scanner);
    if (scanner->at < scanner->end && *scanner->at == '[') {
        scanner_blame(scanner, CODE_REQUEST, "there are no batches: one object a line");
        return false;
    }
    if (scanner->at < scanner->end && *scanner->at != '{')
        return scanner_stop(scanner, "the request is not a JSON object");

    enum kind kind = KIND_WORD;
    if (!scan_value(scanner, &kind))
        return false;
    scanner_space(scanner);
    if (scanner->at != scanner->end)
        return scanner_stop(scanner, "the request is not JSON: something follows its end");
    return true;
}

bool scan_request(const char *bytes, size_t length, size_t depth, struct scan *out,
                  struct error *err)
{
    struct scanner scanner = {
        .start = bytes,
        .at = bytes,
        .end = bytes + length,
        .depth_max = depth,
        .out = out,
        .err = err,
    };

    *out = (struct scan){ 0 };
    bool whole = scan_line(&scanner);
    free(scanner.names);
    if (whole && out->method.bytes == NULL)
        scanner_blame(&scanner, CODE_REQUEST, "a request needs a method");
    if (whole && !scanner.versioned)
        scanner_blame(&scanner, CODE_REQUEST, "a request needs \"jsonrpc\":\"2.0\"");
    return out->code == 0;
}

struct json_object *scan_params(const struct scan *scan, size_t depth)
{
    if (scan->params.bytes == NULL)
        return json_object_new_object();

    /* The request is one level by itself. */
    struct json_tokener *tokener = json_tokener_new_ex((int)depth + 8);
    struct json_object *params =
        json_tokener_parse_ex(tokener, scan->params.bytes, (int)scan->params.length);
    json_tokener_free(tokener);
    return params;
}
