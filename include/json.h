/*
 * json-c with less ceremony. Readers of parameters fail with `invalid` and name the parameter.
 * Getters never fail: what is missing or of another type is NULL, 0 or false.
 */
#ifndef DBGUEST_JSON_H
#define DBGUEST_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"

struct error;

static inline void json_release(struct json_object *object)
{
    json_object_put(object);
}
DEFINE_AUTOPTR(json_object, json_release)

/* Required members; strings point into object and hold no NUL. */
bool json_string(struct json_object *object, const char *name, const char **out, struct error *err);
bool json_int(struct json_object *object, const char *name, int64_t *out, struct error *err);
/* An array of strings that may be missing (then empty); out gets a NULL at its end, room counts it.
 */
bool json_strings(struct json_object *object, const char *name, const char **out, size_t room,
                  struct error *err);

const char *json_get_string(struct json_object *object, const char *name);
int64_t json_get_int(struct json_object *object, const char *name);
double json_get_double(struct json_object *object, const char *name);
bool json_get_bool(struct json_object *object, const char *name);
/* Borrowed; NULL when missing. */
struct json_object *json_get(struct json_object *object, const char *name);

/* NULL strings become null. */
void json_add_string(struct json_object *object, const char *name, const char *value);
void json_add_int(struct json_object *object, const char *name, int64_t value);
void json_add_double(struct json_object *object, const char *name, double value); /* 3 decimals */
void json_add_bool(struct json_object *object, const char *name, bool value);
/* Takes over value, which may be NULL. */
void json_add(struct json_object *object, const char *name, struct json_object *value);
/* Makes an empty array (object) at name and lends it. */
struct json_object *json_add_array(struct json_object *object, const char *name);
struct json_object *json_add_object(struct json_object *object, const char *name);
/* Takes over text that is JSON already: it is printed as it is, and no getter looks into it. */
void json_add_text(struct json_object *object, const char *name, char *text);
/* A deep copy that the caller owns. */
struct json_object *json_copy(struct json_object *object);

/* One line without spaces and slashes escaped; owned by object, valid until it is changed. */
const char *json_line(struct json_object *object);
/* The whole of text must be one value; NULL and `corrupt` otherwise. */
struct json_object *json_parse(const char *text, size_t length, struct error *err);
struct json_object *json_read_file(const char *path, struct error *err);
/* Durable (file.h). */
bool json_write_file(const char *path, struct json_object *object, mode_t mode, struct error *err);

#endif
