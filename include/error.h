/*
 * What went wrong, in the words of the protocol. Made where it happens, prefixed on the way up,
 * reported once at the top. Every function that can fail takes a struct error last, never NULL;
 * the struct starts zeroed and is set at most once (setting it again replaces it).
 *
 *     if (fd < 0)
 *         return error_errno(err, "cannot open '%s'", path);
 *
 * Messages start in lower case, quote names as 'x', have no full stop.
 */
#ifndef DBGUEST_ERROR_H
#define DBGUEST_ERROR_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* The numbers are the exit codes of dbguestctl and the codes of JSON-RPC errors. */
enum error_reason {
    ERROR_NONE = 0,
    ERROR_INTERNAL = 1,
    ERROR_INVALID = 2,
    ERROR_NOT_FOUND = 3,
    ERROR_EXISTS = 4,
    ERROR_DENIED = 5,
    ERROR_UNSUPPORTED = 6,
    ERROR_BUSY = 7,
    ERROR_NO_SPACE = 8,
    ERROR_INCOMPATIBLE = 9,
    ERROR_DOWNGRADE = 10,
    ERROR_ENGINE = 11,
    ERROR_ROLLED_BACK = 12,
    ERROR_NEEDS_ATTENTION = 13,
    ERROR_INTERRUPTED = 14,
    ERROR_CANCELLED = 15,
    ERROR_DEADLINE = 16,
    ERROR_BLOCKED = 17,
    ERROR_CORRUPT = 18,
    ERROR_PARTIAL = 19,
    ERROR_REASONS /* how many there are */
};

struct error {
    enum error_reason reason;
    char message[1024];
    char native[2048]; /* the engine's own words, or empty */
    char hint[512];    /* the way out, or empty */
    /* More members of the protocol's error.data: "cause", "findings", "results", ... or NULL. */
    struct json_object *data;
};

/* All of these return false, so that a function can end with `return error_set(...)`. */
bool error_set(struct error *err, enum error_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The message, ": " and strerror(errno); ENOSPC and EDQUOT are no_space, all else internal. */
bool error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "text: " before the message. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The engine's own words; trailing white space is cut. */
bool error_native(struct error *err, const char *text);
/* Adds a member to err->data; takes over value. */
bool error_add(struct error *err, const char *name, struct json_object *value);

/* Empties err, so that it can be used again; frees err->data. */
void error_clear(struct error *err);
/* Moves from one to the other; what was in target is cleared first. */
void error_move(struct error *target, struct error *source);
/* Overwrites every occurrence of secret (of 4 bytes and more) in message, native and hint. */
void error_hide(struct error *err, const char *secret);

/* "not_found"; and back: ERROR_NONE when there is no such word. */
const char *error_word(enum error_reason reason);
enum error_reason error_from_word(const char *word);
/* Whether trying again later, unchanged, may work. */
bool error_retryable(enum error_reason reason);

/*
 * {"reason", "message", "native", "retryable", "hint", ...data}; the caller owns it. The daemon
 * makes the protocol's error of it. error_from_json() reads it back.
 */
struct json_object *error_to_json(const struct error *err);
void error_from_json(struct error *err, struct json_object *object);

#endif
