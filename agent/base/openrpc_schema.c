#include "openrpc.h"

#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"

#define NAME_BYTES_MAX 255

/* Types that have a name of their own in the document, with the pattern of their words. */
struct named {
    enum param_type type;
    const char *name;
    const char *pattern;
    const char *help;
};

static const struct named named[] = {
    { PARAM_INSTANCE, "instance", "^[a-z][a-z0-9-]{0,31}$", "an instance's name" },
    { PARAM_DATASTORE, "datastore", "^[a-z]{1,31}$",
      "a kind of engine: postgresql, mariadb, mysql, redis, valkey" },
    { PARAM_VERSION, "version", "^(?!.*\\.\\.)[A-Za-z0-9][A-Za-z0-9.+~_-]{0,127}$",
      "a build of an engine, as 15.20+deb12u1" },
    { PARAM_BACKUP, "backup", "^[a-z0-9][a-z0-9-]{0,62}$", "a backup's name" },
    { PARAM_JOB, "job", "^j[0-9]{1,18}$", "a job's name" },
    { PARAM_SETTINGS, "settings", NULL, "settings by name; null puts one back to its default" },
};

struct json_object *openrpc_reference(const char *kind, const char *name)
{
    struct json_object *reference = json_object_new_object();
    autofree char *path = xasprintf("#/components/%s/%s", kind, name);

    json_add_string(reference, "$ref", path);
    return reference;
}

static struct json_object *schema_of_type(const char *type)
{
    struct json_object *schema = json_object_new_object();

    json_add_string(schema, "type", type);
    return schema;
}

static struct json_object *schema_of_value(const struct param *param, enum param_type type);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *array_of(const struct param *param, enum param_type type)
{
    struct json_object *schema = schema_of_type("array");
    struct param member = *param;

    member.min = type == PARAM_TEXT ? 1 : 0;
    member.max = type == PARAM_TEXT ? NAME_BYTES_MAX : 0;
    member.fallback = NULL;
    json_add(schema, "items", schema_of_value(&member, type));
    if (param->min > 0)
        json_add_int(schema, "minItems", param->min);
    if (param->max > 0)
        json_add_int(schema, "maxItems", param->max);
    return schema;
}

static struct json_object *text_schema(const struct param *param)
{
    struct json_object *schema = schema_of_type("string");

    if (param->min > 0)
        json_add_int(schema, "minLength", param->min);
    if (param->max > 0)
        json_add_int(schema, "maxLength", param->max);
    if (param->flags & PARAM_SECRET)
        json_add_bool(schema, "writeOnly", true);
    return schema;
}

static struct json_object *int_schema(const struct param *param)
{
    struct json_object *schema = schema_of_type("integer");

    if (param->min != 0 || param->max != 0) {
        json_add_int(schema, "minimum", param->min);
        json_add_int(schema, "maximum", param->max);
    }
    return schema;
}

static struct json_object *word_schema(const struct param *param)
{
    struct json_object *schema = schema_of_type("string");
    struct json_object *words = json_add_array(schema, "enum");

    for (const char *const *word = param->words; *word != NULL; word++)
        json_object_array_add(words, json_object_new_string(*word));
    return schema;
}

/* A field is a property with what a parameter would have beside its schema. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *property_of(const struct param *field)
{
    struct json_object *schema = schema_of_value(field, field->type);

    if (field->help != NULL)
        json_add_string(schema, "description", field->help);
    if (field->flags & PARAM_SECRET)
        json_add_bool(schema, "x-secret", true);
    return schema;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *object_schema(const struct param *param)
{
    struct json_object *schema = schema_of_type("object");
    struct json_object *properties = json_add_object(schema, "properties");
    struct json_object *required = json_object_new_array();

    for (const struct param *field = param->fields; field->name != NULL; field++) {
        json_add(properties, field->name, property_of(field));
        if (field->flags & PARAM_REQUIRED)
            json_object_array_add(required, json_object_new_string(field->name));
    }
    json_add(schema, "required", required);
    json_add_bool(schema, "additionalProperties", false);
    return schema;
}

static struct json_object *reference_of(enum param_type type)
{
    for (size_t i = 0; i < ARRAY_SIZE(named); i++)
        if (named[i].type == type)
            return openrpc_reference("schemas", named[i].name);
    return json_object_new_object();
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *plain_schema(const struct param *param, enum param_type type)
{
    switch (type) {
    case PARAM_TEXT:
        return text_schema(param);
    case PARAM_TEXTS:
        return array_of(param, PARAM_TEXT);
    case PARAM_INT:
        return int_schema(param);
    case PARAM_BOOL:
        return schema_of_type("boolean");
    case PARAM_WORD:
        return word_schema(param);
    case PARAM_WORDS:
        return array_of(param, PARAM_WORD);
    case PARAM_OBJECT:
        return object_schema(param);
    case PARAM_OBJECTS:
        return array_of(param, PARAM_OBJECT);
    case PARAM_INSTANCE:
    case PARAM_DATASTORE:
    case PARAM_VERSION:
    case PARAM_BACKUP:
    case PARAM_JOB:
    case PARAM_SETTINGS:
        break;
    }
    return reference_of(type);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the method table. */
static struct json_object *schema_of_value(const struct param *param, enum param_type type)
{
    struct json_object *schema = plain_schema(param, type);
    struct error err = { 0 };

    if (param->fallback != NULL)
        json_add(schema, "default", json_parse(param->fallback, strlen(param->fallback), &err));
    return schema;
}

struct json_object *openrpc_param(const struct param *param)
{
    struct json_object *descriptor = json_object_new_object();

    json_add_string(descriptor, "name", param->name);
    if (param->help != NULL)
        json_add_string(descriptor, "summary", param->help);
    if (param->flags & PARAM_REQUIRED)
        json_add_bool(descriptor, "required", true);
    if (param->flags & PARAM_POSITIONAL)
        json_add_bool(descriptor, "x-positional", true);
    if (param->flags & PARAM_SECRET)
        json_add_bool(descriptor, "x-secret", true);
    if (param->flags & PARAM_NEW)
        json_add_bool(descriptor, "x-new", true);
    json_add(descriptor, "schema", schema_of_value(param, param->type));
    return descriptor;
}

/* What is not known is null. */
static struct json_object *field_schema(const struct field *field)
{
    struct json_object *schema = json_object_new_object();
    struct json_object *types = json_add_array(schema, "type");

    json_object_array_add(types, json_object_new_string(field->type));
    json_object_array_add(types, json_object_new_string("null"));
    if (field->help != NULL)
        json_add_string(schema, "description", field->help);
    return schema;
}

struct json_object *openrpc_fields(const struct field *fields, bool job)
{
    struct json_object *schema = schema_of_type("object");
    struct json_object *properties = json_add_object(schema, "properties");

    if (job)
        json_add(properties, "job", openrpc_reference("schemas", "job"));
    for (const struct field *field = fields; field != NULL && field->name != NULL; field++)
        json_add(properties, field->name, field_schema(field));
    return schema;
}

static struct json_object *settings_schema(void)
{
    static const char *const types[] = { "string", "number", "boolean", "null" };
    struct json_object *schema = schema_of_type("object");
    struct json_object *values = json_add_object(schema, "additionalProperties");
    struct json_object *of_values = json_add_array(values, "type");

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        json_object_array_add(of_values, json_object_new_string(types[i]));
    return schema;
}

struct json_object *openrpc_schemas(void)
{
    struct json_object *schemas = json_object_new_object();

    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        bool word = named[i].pattern != NULL;
        struct json_object *schema = word ? schema_of_type("string") : settings_schema();

        if (word)
            json_add_string(schema, "pattern", named[i].pattern);
        json_add_string(schema, "description", named[i].help);
        json_add(schemas, named[i].name, schema);
    }
    return schemas;
}

struct json_object *openrpc_words(const char *text)
{
    struct json_object *words = json_object_new_array();
    const char *at = text != NULL ? text : "";

    for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        json_object_array_add(words, json_object_new_string_len(at, (int)length));
        at += length;
    }
    return words;
}
