#include "method.h"

#include <string.h>

#include "json.h"

static struct json_object *take_object(const struct param *fields, struct json_object *object);

static bool is_there(struct json_object *object, const char *name)
{
    return json_object_is_type(object, json_type_object) &&
           json_object_object_get_ex(object, name, NULL);
}

/* As many members as array has; null where one has no secret. NULL when none has. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *take_array(const struct param *fields, struct json_object *array)
{
    autoptr(json_object) taken = json_object_new_array();
    bool any = false;

    if (!json_object_is_type(array, json_type_array))
        return NULL;
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *member = take_object(fields, json_object_array_get_idx(array, i));
        any = any || member != NULL;
        if (json_object_array_add(taken, member) != 0)
            abort();
    }
    return any ? steal(taken) : NULL;
}

/* Lends, for a parameter, what is secret in the value of that name. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *take_param(const struct param *param, struct json_object *object)
{
    struct json_object *value = json_get(object, param->name);

    if (param->flags & PARAM_SECRET) {
        struct json_object *secret = json_object_get(value);
        if (secret != NULL)
            json_add(object, param->name, NULL);
        return secret;
    }
    if (param->type == PARAM_OBJECT)
        return take_object(param->fields, value);
    return param->type == PARAM_OBJECTS ? take_array(param->fields, value) : NULL;
}

static void keep(struct json_object **taken, const char *name, struct json_object *secret)
{
    if (secret == NULL)
        return;
    if (*taken == NULL)
        *taken = json_object_new_object();
    json_add(*taken, name, secret);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *take_object(const struct param *fields, struct json_object *object)
{
    struct json_object *taken = NULL;

    for (const struct param *field = fields; field->name != NULL; field++)
        if (is_there(object, field->name))
            keep(&taken, field->name, take_param(field, object));
    return taken;
}

struct json_object *method_take_secrets(const struct method *method, struct json_object *params)
{
    /* The common parameters hold none. */
    return method->params != NULL ? take_object(method->params, params) : NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static void join_array(struct json_object *array, struct json_object *secrets)
{
    if (!json_object_is_type(array, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(secrets); i++)
        method_join_secrets(json_object_array_get_idx(array, i),
                            json_object_array_get_idx(secrets, i));
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
void method_join_secrets(struct json_object *params, struct json_object *secrets)
{
    struct json_object_iter member;

    if (!json_object_is_type(params, json_type_object) ||
        !json_object_is_type(secrets, json_type_object))
        return;
    json_object_object_foreachC (secrets, member) {
        struct json_object *place = json_get(params, member.key);
        if (json_object_is_type(member.val, json_type_array))
            join_array(place, member.val);
        else if (json_object_is_type(member.val, json_type_object) && place != NULL)
            method_join_secrets(place, member.val);
        else
            json_add(params, member.key, json_object_get(member.val));
    }
}

struct finder {
    void (*found)(const char *secret, void *context);
    void *context;
};

static void each_in(const struct param *fields, struct json_object *object,
                    const struct finder *finder);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static void each_of_param(const struct param *param, struct json_object *value,
                          const struct finder *finder)
{
    if (param->flags & PARAM_SECRET && json_object_is_type(value, json_type_string))
        finder->found(json_object_get_string(value), finder->context);
    if (param->type == PARAM_OBJECT)
        each_in(param->fields, value, finder);
    if (param->type != PARAM_OBJECTS || !json_object_is_type(value, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(value); i++)
        each_in(param->fields, json_object_array_get_idx(value, i), finder);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static void each_in(const struct param *fields, struct json_object *object,
                    const struct finder *finder)
{
    for (const struct param *field = fields; field->name != NULL; field++)
        each_of_param(field, json_get(object, field->name), finder);
}

void method_each_secret(const struct method *method, struct json_object *params,
                        void (*found)(const char *secret, void *context), void *context)
{
    const struct finder finder = { found, context };

    if (method->params != NULL)
        each_in(method->params, params, &finder);
}
