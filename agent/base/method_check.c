#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "method_value.h"
#include "nearest.h"

#define PARAMS_MAX 32
#define NAME_BYTES_MAX 255

static bool check_value(const struct place *place, const struct param *param,
                        struct json_object *value, struct error *err);

/* The names of fields, for "did you mean". */
static size_t names_of(const struct param *fields, const char **names)
{
    size_t count = 0;

    for (; fields[count].name != NULL && count < PARAMS_MAX; count++)
        names[count] = fields[count].name;
    return count;
}

static bool unknown(const struct place *place, const char *name, const char *const *known,
                    size_t count, struct error *err)
{
    const char *nearest = nearest_word(name, known, count);

    error_set(err, ERROR_INVALID, "unknown parameter '%s%s' of %s", place->before, name,
              place->method);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest) : false;
}

static void fill_in(const struct param *param, struct json_object *object)
{
    struct error err = { 0 };

    if (param->fallback != NULL)
        json_add(object, param->name, json_parse(param->fallback, strlen(param->fallback), &err));
}

static bool is_there(struct json_object *object, const char *name)
{
    return json_object_object_get_ex(object, name, NULL);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static bool check_member(const struct place *place, const struct param *param,
                         struct json_object *object, struct error *err)
{
    if (is_there(object, param->name))
        return check_value(place, param, json_get(object, param->name), err);
    if (param->flags & PARAM_REQUIRED)
        return error_set(err, ERROR_INVALID, "parameter '%s%s' of %s is missing", place->before,
                         param->name, place->method);
    fill_in(param, object);
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static bool check_object(const struct place *place, const struct param *param,
                         struct json_object *value, struct error *err)
{
    const char *names[PARAMS_MAX];
    size_t count = names_of(param->fields, names);
    struct json_object_iter member;

    if (!json_object_is_type(value, json_type_object))
        return method_value_wrong(place, param, value, "an object", err);

    autofree char *before = xasprintf("%s%s.", place->before, param->name);
    const struct place inside = { place->method, before };
    json_object_object_foreachC (value, member) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++)
            known = strcmp(names[i], member.key) == 0;
        if (!known)
            return unknown(&inside, member.key, names, count, err);
    }
    for (const struct param *field = param->fields; field->name != NULL; field++)
        if (!check_member(&inside, field, value, err))
            return false;
    return true;
}

/* An array: each member as if it were a parameter of its own, called "users[3]". */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static bool check_array(const struct place *place, const struct param *param, enum param_type type,
                        struct json_object *value, struct error *err)
{
    autofree char *wanted = NULL;

    if (param->max > 0)
        wanted =
            xasprintf("an array of %lld to %lld", (long long)param->min, (long long)param->max);
    if (!json_object_is_type(value, json_type_array))
        return method_value_wrong(place, param, value, wanted != NULL ? wanted : "an array", err);

    size_t count = json_object_array_length(value);
    if (param->max > 0 && ((int64_t)count < param->min || (int64_t)count > param->max))
        return method_value_wrong(place, param, value, wanted, err);
    for (size_t i = 0; i < count; i++) {
        autofree char *name = xasprintf("%s[%zu]", param->name, i);
        struct param member = *param;

        member.name = name;
        member.type = type;
        member.min = type == PARAM_TEXT ? 1 : 0;
        member.max = type == PARAM_TEXT ? NAME_BYTES_MAX : 0;
        if (!check_value(place, &member, json_object_array_get_idx(value, i), err))
            return false;
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static bool check_value(const struct place *place, const struct param *param,
                        struct json_object *value, struct error *err)
{
    if (param->type == PARAM_OBJECT)
        return check_object(place, param, value, err);
    if (param->type == PARAM_TEXTS)
        return check_array(place, param, PARAM_TEXT, value, err);
    if (param->type == PARAM_WORDS)
        return check_array(place, param, PARAM_WORD, value, err);
    if (param->type == PARAM_OBJECTS)
        return check_array(place, param, PARAM_OBJECT, value, err);
    return method_value_check(place, param, value, err);
}

static bool check_known(const struct method *method, struct json_object *params, struct error *err)
{
    const struct place place = { method->name, "" };
    const char *names[PARAMS_MAX];
    struct json_object_iter member;
    size_t count = 0;

    for (; count < PARAMS_MAX && method_param(method, count) != NULL; count++)
        names[count] = method_param(method, count)->name;
    json_object_object_foreachC (params, member)
        if (method_find_param(method, member.key) == NULL)
            return unknown(&place, member.key, names, count, err);
    return true;
}

static const struct param *field_of(const struct param *many, const char *name)
{
    for (const struct param *field = many->fields; field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

/* Whether param speaks of the one object that `many` may name in numbers. */
static bool is_single(const struct param *many, const struct param *param)
{
    return many != NULL && param != many &&
           (field_of(many, param->name) != NULL || strcmp(param->name, "confirm") == 0);
}

static bool check_one_or_many(const struct method *method, const struct param *many,
                              struct json_object *params, struct error *err)
{
    bool is_many = is_there(params, many->name);
    const struct param *param = NULL;

    for (size_t i = 0; (param = method_param(method, i)) != NULL; i++) {
        const struct param *field = field_of(many, param->name);
        bool given = is_there(params, param->name);
        if (is_many && given && is_single(many, param))
            return error_set(err, ERROR_INVALID, "%s takes '%s' or '%s', not both", method->name,
                             param->name, many->name);
        if (!is_many && !given && param != many && field != NULL && field->flags & PARAM_REQUIRED)
            return error_set(err, ERROR_INVALID,
                             "parameter '%s' (or '%s' for many) of %s is missing", param->name,
                             many->name, method->name);
    }
    return true;
}

static bool check_confirm(const struct method *method, struct json_object *params,
                          struct error *err)
{
    const struct param *confirmed = method_confirmed(method);
    const char *name = confirmed != NULL ? json_get_string(params, confirmed->name) : NULL;
    const char *confirm = json_get_string(params, "confirm");

    if (name == NULL || (confirm != NULL && strcmp(confirm, name) == 0))
        return true;
    error_set(err, ERROR_INVALID, "%s cannot be taken back: repeat the name as confirm",
              method->name);
    return error_hint(err, "\"confirm\" must be '%s', the same as \"%s\"", name, confirmed->name);
}

bool method_check_params(const struct method *method, struct json_object *params, struct error *err)
{
    const struct param *many = method_many(method);
    const struct place place = { method->name, "" };
    const struct param *param = NULL;

    if (!json_object_is_type(params, json_type_object))
        return error_set(err, ERROR_INVALID, "params of %s must be an object", method->name);
    if (!check_known(method, params, err) ||
        (many != NULL && !check_one_or_many(method, many, params, err)))
        return false;
    for (size_t i = 0; (param = method_param(method, i)) != NULL; i++) {
        if (is_single(many, param) && is_there(params, many->name))
            continue;
        if (!check_member(&place, param, params, err))
            return false;
    }
    return check_confirm(method, params, err);
}
