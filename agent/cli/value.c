#include "value.h"

#include <errno.h>
#include <string.h>

#include "document.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "text.h"

#define READ_BYTES 65536

static bool read_input(struct text *out, struct error *err)
{
    char bytes[READ_BYTES];
    ssize_t got = 0;

    text_add(out, "");
    while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
        if (got < 0 && errno != EINTR)
            return error_errno(err, "cannot read standard input");
        if (got > 0)
            text_add_bytes(out, bytes, (size_t)got);
    }
    explicit_bzero(bytes, sizeof(bytes));
    return true;
}

static struct json_object *parse(const char *text, size_t length, const char *where,
                                 struct error *err)
{
    struct json_object *object = json_parse(text, length, err);

    if (object == NULL) {
        autofree char *why = xstrdup(err->message);
        error_set(err, ERROR_INVALID, "%s: %s", where, why);
    }
    return object;
}

static struct json_object *parse_file(const char *path, struct error *err)
{
    size_t length = 0;
    autofree char *bytes = file_read(path, &length, err);

    if (bytes == NULL) {
        autofree char *why = xstrdup(err->message);
        error_set(err, ERROR_INVALID, "%s", why);
        return NULL;
    }

    struct json_object *object = parse(bytes, length, path, err);
    explicit_bzero(bytes, length);
    return object;
}

struct json_object *value_json(const char *text, bool *inline_out, struct error *err)
{
    *inline_out = false;
    if (text[0] == '@')
        return parse_file(text + 1, err);
    if (strcmp(text, "-") == 0) {
        autotext struct text input = { 0 };
        if (!read_input(&input, err))
            return NULL;
        struct json_object *object = parse(input.bytes, input.length, "standard input", err);
        explicit_bzero(input.bytes, input.length);
        return object;
    }
    *inline_out = true;
    return parse(text, strlen(text), "this JSON", err);
}

/* --- name=value --- */

static bool is_number(const char *text)
{
    const char *digits = text + (text[0] == '-');
    size_t whole = strspn(digits, "0123456789");
    size_t parts = digits[whole] == '.' ? strspn(digits + whole + 1, "0123456789") : 0;
    bool zeros = digits[0] == '0' && whole > 1;

    if (whole == 0 || whole > 18 || zeros || (digits[whole] == '.' && parts == 0))
        return false;
    return digits[whole + (parts > 0 ? parts + 1 : 0)] == '\0';
}

/* "200" is a number, "null" and "true" are themselves, all else is text. */
static struct json_object *scalar(const char *text)
{
    struct error err = { 0 };

    if (strcmp(text, "null") == 0)
        return NULL;
    if (is_number(text) || strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_parse(text, strlen(text), &err);
    return json_object_new_string(text);
}

static bool add_pair(struct json_object *object, const char *pair, bool typed, struct error *err)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL || equals == pair)
        return error_set(err, ERROR_INVALID, "'%s' is not NAME=VALUE", pair);
    autofree char *name = xstrndup(pair, (size_t)(equals - pair));
    json_add(object, name, typed ? scalar(equals + 1) : json_object_new_string(equals + 1));
    return true;
}

/* --- by kind --- */

static bool wrong(const struct option *option, const char *what, const char *text,
                  struct error *err)
{
    return error_set(err, ERROR_INVALID, "--%s wants %s, not '%s'", option->dashed, what, text);
}

static bool add_int(const struct option *option, const char *text, struct json_object *params,
                    struct error *err)
{
    char *end = NULL;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return wrong(option, "a number", text, err);
    json_add_int(params, option->name, number);
    return true;
}

static struct json_object *array_of(const struct option *option, struct json_object *params)
{
    struct json_object *array = json_get(params, option->name);

    return array != NULL ? array : json_add_array(params, option->name);
}

static bool is_json(const char *text)
{
    return text[0] == '@' || text[0] == '[' || text[0] == '{' || strcmp(text, "-") == 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the value. */
bool value_holds_secret(const struct document *document, struct json_object *schema,
                        struct json_object *object)
{
    struct json_object *whole = document_resolve(document, schema);
    struct json_object *properties = json_get(whole, "properties");
    struct json_object_iter member;

    if (json_get_bool(whole, "x-secret"))
        return object != NULL;
    if (json_object_is_type(object, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(object); i++)
            if (value_holds_secret(document, json_get(whole, "items"),
                                   json_object_array_get_idx(object, i)))
                return true;
        return false;
    }
    if (!json_object_is_type(object, json_type_object))
        return false;
    json_object_object_foreachC (object, member)
        if (value_holds_secret(document, json_get(properties, member.key), member.val))
            return true;
    return false;
}

static struct json_object *read_json(const struct document *document, const struct option *option,
                                     const char *text, struct error *err)
{
    bool in_line = false;
    autoptr(json_object) value = value_json(text, &in_line, err);

    if (value == NULL) {
        error_prefix(err, "--%s", option->dashed);
        return NULL;
    }
    if (in_line && (value_holds_secret(document, option->schema, value) ||
                    value_holds_secret(document, json_get(option->schema, "items"), value))) {
        error_set(err, ERROR_INVALID, "--%s holds a secret, and a command line is seen by others",
                  option->dashed);
        error_hint(err, "put it into a file and say --%s @FILE, or pipe it in with --%s -",
                   option->dashed, option->dashed);
        return NULL;
    }
    return steal(value);
}

/* Members of a new array are added to those that are there; anything else becomes one more. */
static void append(struct json_object *array, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array)) {
        json_object_array_add(array, json_object_get(value));
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++)
        json_object_array_add(array, json_object_get(json_object_array_get_idx(value, i)));
}

static bool add_text_member(const struct document *document, const struct option *option,
                            const char *text, struct json_object *params, struct error *err)
{
    if (!is_json(text)) {
        json_object_array_add(array_of(option, params), json_object_new_string(text));
        return true;
    }
    autoptr(json_object) value = read_json(document, option, text, err);
    if (value == NULL)
        return false;
    append(array_of(option, params), value);
    return true;
}

/* "shop" is {"name": "shop"}; "name=shop,encoding=UTF8" says more. */
static struct json_object *object_of_words(const char *text, struct error *err)
{
    autoptr(json_object) object = json_object_new_object();
    autofree char *words = xstrdup(text);
    char *rest = words;

    if (strchr(text, '=') == NULL) {
        json_add_string(object, "name", text);
        return steal(object);
    }
    for (char *pair = strsep(&rest, ","); pair != NULL; pair = strsep(&rest, ","))
        if (!add_pair(object, pair, false, err))
            return NULL;
    return steal(object);
}

static bool add_object_member(const struct document *document, const struct option *option,
                              const char *text, struct json_object *params, struct error *err)
{
    autoptr(json_object) value =
        is_json(text) ? read_json(document, option, text, err) : object_of_words(text, err);

    if (value == NULL)
        return false;
    if (!is_json(text) && value_holds_secret(document, json_get(option->schema, "items"), value)) {
        error_set(err, ERROR_INVALID, "--%s holds a secret, and a command line is seen by others",
                  option->dashed);
        return error_hint(err, "put it into a file and say --%s @FILE", option->dashed);
    }
    append(array_of(option, params), value);
    return true;
}

static bool add_object(const struct document *document, const struct option *option,
                       const char *text, struct json_object *params, struct error *err)
{
    struct json_object *object = json_get(params, option->name);
    struct json_object_iter member;

    if (object == NULL)
        object = json_add_object(params, option->name);
    if (!is_json(text))
        return add_pair(object, text, true, err) || error_prefix(err, "--%s", option->dashed);

    autoptr(json_object) value = read_json(document, option, text, err);
    if (value == NULL)
        return false;
    if (!json_object_is_type(value, json_type_object))
        return wrong(option, "an object", text, err);
    json_object_object_foreachC (value, member)
        json_add(object, member.key, json_object_get(member.val));
    return true;
}

bool value_add(const struct document *document, const struct option *option, const char *text,
               struct json_object *params, struct error *err)
{
    switch (option->kind) {
    case OPTION_INT:
        return add_int(option, text, params, err);
    case OPTION_OBJECT:
        return add_object(document, option, text, params, err);
    case OPTION_TEXTS:
        return add_text_member(document, option, text, params, err);
    case OPTION_OBJECTS:
        return add_object_member(document, option, text, params, err);
    case OPTION_TEXT:
    case OPTION_BOOL:
        break;
    }
    if (!text_is_utf8(text, strlen(text)))
        return error_set(err, ERROR_INVALID, "%s is not UTF-8", option->capitals);
    json_add_string(params, option->name, text);
    return true;
}
