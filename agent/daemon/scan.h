/*
 * Reads one request before json-c does, in one pass: refuses what json-c lets through (UTF-8 that
 * is none, duplicate members, depth, numbers that no C type holds) and finds the members of the
 * request as they stand, so that an id is answered with its own bytes.
 */
#ifndef DBGUEST_DAEMON_SCAN_H
#define DBGUEST_DAEMON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct json_object;

/* JSON-RPC's own codes. */
#define CODE_PARSE (-32700)
#define CODE_REQUEST (-32600)
#define CODE_METHOD (-32601)
#define CODE_PARAMS (-32602)
#define CODE_INTERNAL (-32603)

struct span {
    const char *bytes; /* NULL: not there */
    size_t length;
};

/* Points into the request. */
struct scan {
    struct span id;     /* its own bytes: string, number or null */
    struct span method; /* without quotes */
    struct span params; /* an object */
    int code;           /* of the failure */
};

/*
 * True when it is one legal request. Otherwise out->code and err say why, and out->id is there
 * when it could be found.
 */
bool scan_request(const char *bytes, size_t length, size_t depth, struct scan *out,
                  struct error *err);

/* The params of a request that was good at this depth; an empty object when there are none. NULL:
 * json-c is stricter than we are, which is a mistake of ours. */
struct json_object *scan_params(const struct scan *scan, size_t depth);

#endif
