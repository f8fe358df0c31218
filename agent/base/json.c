#include "json.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "memory.h"
#include "text.h"

#define DEPTH_MAX 64

struct json_object *json_get(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &value);
    return value;
}

static bool holds_nul(struct json_object *string)
{
    return strlen(json_object_get_string(string)) != (size_t)json_object_get_string_len(string);
}

static bool require(struct json_object *value, const char *name, struct error *err)
{
    if (value == NULL)
        return error_set(err, ERROR_INVALID, "parameter '%s' is missing", name);
    return true;
}

bool json_string(struct json_object *object, const char *name, const char **out, struct error *err)
{
    struct json_object *value = json_get(object, name);

    if (!require(value, name, err))
        return false;
    if (!json_object_is_type(value, json_type_string))
        return error_set(err, ERROR_INVALID, "parameter '%s' must be a string", name);
    if (holds_nul(value))
        return error_set(err, ERROR_INVALID, "parameter '%s' must hold no NUL", name);
    *out = json_object_get_string(value);
    return true;
}

bool json_int(struct json_object *object, const char *name, int64_t *out, struct error *err)
{
    struct json_object *value = json_get(object, name);

    if (!require(value, name, err))
        return false;
    if (!json_object_is_type(value, json_type_int))
        return error_set(err, ERROR_INVALID, "parameter '%s' must be an integer", name);
    /* json-c would hand over the nearest number that fits. */
    if (json_object_get_int64(value) == INT64_MAX && json_object_get_uint64(value) > INT64_MAX)
        return error_set(err, ERROR_INVALID, "parameter '%s' is too large", name);
    *out = json_object_get_int64(value);
    return true;
}

bool json_strings(struct json_object *object, const char *name, const char **out, size_t room,
                  struct error *err)
{
    struct json_object *array = json_get(object, name);

    if (array != NULL && !json_object_is_type(array, json_type_array))
        return error_set(err, ERROR_INVALID, "parameter '%s' must be an array of strings", name);

    size_t count = array != NULL ? json_object_array_length(array) : 0;
    if (count >= room)
        return error_set(err, ERROR_INVALID, "parameter '%s' must have at most %zu members", name,
                         room - 1);
    for (size_t i = 0; i < count; i++) {
        struct json_object *member = json_object_array_get_idx(array, i);
        if (!json_object_is_type(member, json_type_string) || holds_nul(member))
            return error_set(err, ERROR_INVALID,
                             "parameter '%s' must be an array of strings without NUL", name);
        out[i] = json_object_get_string(member);
    }
    out[count] = NULL;
    return true;
}

const char *json_get_string(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int64_t json_get_int(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);

    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
}

double json_get_double(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);

    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return 0;
    return json_object_get_double(value);
}

bool json_get_bool(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);

    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* json-c makes NULL only when memory has run out. */
static struct json_object *made(struct json_object *object)
{
    if (object == NULL)
        abort();
    return object;
}

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
    if (json_object_object_add(object, name, value) != 0)
        abort();
}

void json_add_string(struct json_object *object, const char *name, const char *value)
{
    json_add(object, name, value != NULL ? made(json_object_new_string(value)) : NULL);
}

void json_add_int(struct json_object *object, const char *name, int64_t value)
{
    json_add(object, name, made(json_object_new_int64(value)));
}

void json_add_double(struct json_object *object, const char *name, double value)
{
    /* JSON has no word for these. */
    if (!isfinite(value)) {
        json_add(object, name, NULL);
        return;
    }

    autofree char *digits = xasprintf("%.3f", value);
    size_t length = strlen(digits);
    while (digits[length - 1] == '0' && digits[length - 2] != '.')
        digits[--length] = '\0';
    json_add(object, name, made(json_object_new_double_s(value, digits)));
}

void json_add_bool(struct json_object *object, const char *name, bool value)
{
    json_add(object, name, made(json_object_new_boolean(value)));
}

struct json_object *json_add_array(struct json_object *object, const char *name)
{
    struct json_object *array = made(json_object_new_array());

    json_add(object, name, array);
    return array;
}

struct json_object *json_add_object(struct json_object *object, const char *name)
{
    struct json_object *member = made(json_object_new_object());

    json_add(object, name, member);
    return member;
}

static int print_text(struct json_object *object, struct printbuf *out, int level, int flags)
{
    const char *text = json_object_get_userdata(object);

    (void)level;
    (void)flags;
    return printbuf_memappend(out, text, (int)strlen(text));
}

void json_add_text(struct json_object *object, const char *name, char *text)
{
    struct json_object *value = made(json_object_new_boolean(true));

    json_object_set_serializer(value, print_text, text, json_object_free_userdata);
    json_add(object, name, value);
}

struct json_object *json_copy(struct json_object *object)
{
    struct json_object *copy = NULL;

    if (object != NULL && json_object_deep_copy(object, &copy, NULL) != 0)
        abort();
    return copy;
}

const char *json_line(struct json_object *object)
{
    return json_object_to_json_string_ext(object,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

DEFINE_AUTOPTR(json_tokener, json_tokener_free)

struct json_object *json_parse(const char *text, size_t length, struct error *err)
{
    autoptr(json_tokener) tokener = json_tokener_new_ex(DEPTH_MAX);

    if (tokener == NULL)
        abort();
    if (length > INT_MAX) {
        error_set(err, ERROR_CORRUPT, "too long for JSON: %zu bytes", length);
        return NULL;
    }

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    autoptr(json_object) value = json_tokener_parse_ex(tokener, text, (int)length);
    size_t end = json_tokener_get_parse_end(tokener);
    /* A number may go on until something else, here a NUL, says that it has ended. */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        value = json_tokener_parse_ex(tokener, "", 1);

    enum json_tokener_error wrong = json_tokener_get_error(tokener);
    if (wrong != json_tokener_success)
        error_set(err, ERROR_CORRUPT, "not JSON: %s at byte %zu", json_tokener_error_desc(wrong),
                  end);
    else if (end != length)
        error_set(err, ERROR_CORRUPT, "not JSON: a NUL at byte %zu", end);
    else if (value == NULL)
        error_set(err, ERROR_CORRUPT, "nothing but null");
    else
        return steal(value);
    return NULL;
}

struct json_object *json_read_file(const char *path, struct error *err)
{
    size_t length = 0;
    autofree char *text = file_read(path, &length, err);

    if (text == NULL)
        return NULL;

    struct json_object *object = json_parse(text, length, err);
    if (object == NULL)
        error_prefix(err, "cannot read '%s'", path);
    return object;
}

bool json_write_file(const char *path, struct json_object *object, mode_t mode, struct error *err)
{
    autotext struct text text = { 0 };

    text_add(&text, json_line(object));
    text_add(&text, "\n");
    return file_write(path, text.bytes, text.length, mode, err);
}
