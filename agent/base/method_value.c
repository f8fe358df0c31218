#include "method_value.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "text.h"

#define SHOWN_BYTES 60
#define NAME_BYTES_MAX 255

static bool holds_nul(struct json_object *string)
{
    return strlen(json_object_get_string(string)) != (size_t)json_object_get_string_len(string);
}

static char *describe_value(const struct param *param, struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return xstrdup("null");
    case json_type_object:
        return xstrdup("an object");
    case json_type_array:
        return xasprintf("an array of %zu", json_object_array_length(value));
    case json_type_string:
        if (holds_nul(value))
            return xstrdup("a string with a NUL in it");
        if (param->flags & PARAM_SECRET)
            return xasprintf("a string of %d bytes", json_object_get_string_len(value));
        if (json_object_get_string_len(value) <= SHOWN_BYTES)
            return xasprintf("'%s'", json_object_get_string(value));
        return xasprintf("a string of %d bytes", json_object_get_string_len(value));
    case json_type_boolean:
    case json_type_int:
    case json_type_double:
        break;
    }
    return xstrdup(param->flags & PARAM_SECRET ? "no string" : json_line(value));
}

bool method_value_wrong(const struct place *place, const struct param *param,
                        struct json_object *value, const char *wanted, struct error *err)
{
    autofree char *is = describe_value(param, value);

    return error_set(err, ERROR_INVALID, "parameter '%s%s' of %s is %s, but must be %s",
                     place->before, param->name, place->method, is, wanted);
}

static bool in_set(char letter, const char *set)
{
    return letter != '\0' && strchr(set, letter) != NULL;
}

/* One letter of first, then at most `most` - 1 of rest. */
static bool is_word(const char *word, const char *first, const char *rest, size_t most)
{
    if (!in_set(word[0], first))
        return false;

    size_t length = 1 + strspn(word + 1, rest);
    return word[length] == '\0' && length <= most;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Words with a grammar. */
struct grammar {
    enum param_type type;
    const char *first;
    const char *rest;
    size_t most;
    const char *wanted;
};

static const struct grammar grammars[] = {
    { PARAM_INSTANCE, LOWER, LOWER DIGITS "-", 32,
      "an instance's name: a small letter, then at most 31 small letters, digits and '-'" },
    { PARAM_DATASTORE, LOWER, LOWER, 31, "a datastore's name: 1 to 31 small letters" },
    { PARAM_VERSION, LOWER UPPER DIGITS, LOWER UPPER DIGITS ".+~_-", 128,
      "a version: a letter or digit, then at most 127 letters, digits and '.+~_-', and no '..'" },
    { PARAM_BACKUP, LOWER DIGITS, LOWER DIGITS "-", 63,
      "a backup's name: a small letter or digit, then at most 62 of them and '-'" },
    { PARAM_JOB, "j", DIGITS, 19, "a job's name: 'j' and its number" },
};

static bool check_grammar(const struct place *place, const struct param *param,
                          struct json_object *value, struct error *err)
{
    const struct grammar *grammar = grammars;

    while (grammar->type != param->type)
        grammar++;

    bool good = json_object_is_type(value, json_type_string) && !holds_nul(value);
    const char *word = good ? json_object_get_string(value) : "";
    good = good && is_word(word, grammar->first, grammar->rest, grammar->most);
    good = good && (param->type != PARAM_VERSION || strstr(word, "..") == NULL);
    good = good && (param->type != PARAM_JOB || word[1] != '\0');
    return good || method_value_wrong(place, param, value, grammar->wanted, err);
}

static char *wanted_text(const struct param *param)
{
    if (param->max == 0)
        return xstrdup("a string without NUL");
    return xasprintf("a string of %lld to %lld bytes without NUL", (long long)param->min,
                     (long long)param->max);
}

static bool check_text(const struct place *place, const struct param *param,
                       struct json_object *value, struct error *err)
{
    bool good = json_object_is_type(value, json_type_string) && !holds_nul(value);
    int64_t length = good ? json_object_get_string_len(value) : 0;

    if (good && length >= param->min && (param->max == 0 || length <= param->max))
        return true;

    autofree char *wanted = wanted_text(param);
    return method_value_wrong(place, param, value, wanted, err);
}

/* json-c clamps what is larger than 64 bits; a number at the limit's other side is unsigned. */
static bool fits(struct json_object *value)
{
    return json_object_get_int64(value) != INT64_MAX || json_object_get_uint64(value) <= INT64_MAX;
}

static bool check_int(const struct place *place, const struct param *param,
                      struct json_object *value, struct error *err)
{
    bool limited = param->min != 0 || param->max != 0;
    int64_t number = json_object_get_int64(value);

    if (json_object_is_type(value, json_type_int) && fits(value) &&
        (!limited || (number >= param->min && number <= param->max)))
        return true;
    if (!limited)
        return method_value_wrong(place, param, value, "an integer of 64 bits", err);

    autofree char *wanted =
        xasprintf("an integer from %lld to %lld", (long long)param->min, (long long)param->max);
    return method_value_wrong(place, param, value, wanted, err);
}

static bool check_bool(const struct place *place, const struct param *param,
                       struct json_object *value, struct error *err)
{
    return json_object_is_type(value, json_type_boolean) ||
           method_value_wrong(place, param, value, "true or false", err);
}

static bool check_word(const struct place *place, const struct param *param,
                       struct json_object *value, struct error *err)
{
    autotext struct text wanted = { 0 };
    bool string = json_object_is_type(value, json_type_string) && !holds_nul(value);

    text_add(&wanted, "one of");
    for (const char *const *word = param->words; *word != NULL; word++) {
        if (string && strcmp(*word, json_object_get_string(value)) == 0)
            return true;
        text_printf(&wanted, " %s", *word);
    }
    return method_value_wrong(place, param, value, wanted.bytes, err);
}

static bool is_setting(const char *name, struct json_object *value)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_BYTES_MAX)
        return false;
    switch (json_object_get_type(value)) {
    case json_type_null:
    case json_type_boolean:
        return true;
    case json_type_int:
        return fits(value);
    case json_type_double:
        return isfinite(json_object_get_double(value)) != 0;
    case json_type_string:
        return !holds_nul(value);
    case json_type_object:
    case json_type_array:
        break;
    }
    return false;
}

static bool check_settings(const struct place *place, const struct param *param,
                           struct json_object *value, struct error *err)
{
    struct json_object_iter member;

    if (!json_object_is_type(value, json_type_object))
        return method_value_wrong(place, param, value, "an object of settings", err);
    if (param->max > 0 && json_object_object_length(value) > param->max)
        return error_set(err, ERROR_INVALID, "parameter '%s%s' of %s has more than %lld members",
                         place->before, param->name, place->method, (long long)param->max);
    json_object_object_foreachC (value, member)
        if (!is_setting(member.key, member.val))
            return error_set(err, ERROR_INVALID,
                             "setting '%s' of %s must have a name of 1 to %d bytes and be a string "
                             "without NUL, a number, true, false or null",
                             member.key, place->method, NAME_BYTES_MAX);
    return true;
}

bool method_value_check(const struct place *place, const struct param *param,
                        struct json_object *value, struct error *err)
{
    switch (param->type) {
    case PARAM_TEXT:
        return check_text(place, param, value, err);
    case PARAM_INT:
        return check_int(place, param, value, err);
    case PARAM_BOOL:
        return check_bool(place, param, value, err);
    case PARAM_WORD:
        return check_word(place, param, value, err);
    case PARAM_SETTINGS:
        return check_settings(place, param, value, err);
    case PARAM_INSTANCE:
    case PARAM_DATASTORE:
    case PARAM_VERSION:
    case PARAM_BACKUP:
    case PARAM_JOB:
        return check_grammar(place, param, value, err);
    case PARAM_TEXTS:
    case PARAM_WORDS:
    case PARAM_OBJECT:
    case PARAM_OBJECTS:
        break;
    }
    assert(false); /* the caller's */
    return false;
}
