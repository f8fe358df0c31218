#include "document.h"

#include <ctype.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "method.h"
#include "text.h"

struct document *document_new(struct json_object *root)
{
    struct document *document = xcalloc(1, sizeof(*document));

    document->root = root;
    document->methods = json_get(root, "methods");
    return document;
}

void document_free(struct document *document)
{
    if (document == NULL)
        return;
    json_object_put(document->root);
    free(document);
}

struct document *document_linked(void)
{
    return document_new(openrpc_document());
}

/* --- references --- */

/* "#/components/schemas/instance" and the like; anything else is what it is. */
struct json_object *document_resolve(const struct document *document, struct json_object *schema)
{
    const char *path = json_get_string(schema, "$ref");
    struct json_object *at = document->root;

    if (path == NULL || !text_starts(path, "#/"))
        return schema;
    autofree char *parts = xstrdup(path + 2);
    char *rest = parts;
    for (char *part = strsep(&rest, "/"); part != NULL; part = strsep(&rest, "/"))
        at = json_get(at, part);
    return at;
}

/* "instance" of a reference to a schema that is a word's. */
static const char *name_of_reference(struct json_object *schema)
{
    static const char before[] = "#/components/schemas/";
    const char *path = json_get_string(schema, "$ref");

    return path != NULL && text_starts(path, before) ? path + sizeof(before) - 1 : NULL;
}

/* --- options --- */

static char *dashed_name(const char *name)
{
    char *dashed = xstrdup(name);

    for (char *at = dashed; *at != '\0'; at++)
        if (*at == '_')
            *at = '-';
    return dashed;
}

static char *capital_name(const char *name)
{
    char *capitals = dashed_name(name);

    for (char *at = capitals; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return capitals;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the document. */
static enum option_kind kind_of(const struct document *document, struct json_object *schema)
{
    const char *type = json_get_string(schema, "type");

    if (type == NULL || strcmp(type, "string") == 0)
        return OPTION_TEXT;
    if (strcmp(type, "integer") == 0)
        return OPTION_INT;
    if (strcmp(type, "boolean") == 0)
        return OPTION_BOOL;
    if (strcmp(type, "object") == 0)
        return OPTION_OBJECT;

    struct json_object *items = document_resolve(document, json_get(schema, "items"));
    return kind_of(document, items) == OPTION_OBJECT ? OPTION_OBJECTS : OPTION_TEXTS;
}

static void read_option(const struct document *document, struct json_object *param,
                        struct option *option)
{
    struct json_object *descriptor = document_resolve(document, param);
    struct json_object *schema = json_get(descriptor, "schema");

    option->name = json_get_string(descriptor, "name");
    option->help = json_get_string(descriptor, "summary");
    option->named = name_of_reference(schema);
    option->schema = document_resolve(document, schema);
    option->kind = kind_of(document, option->schema);
    option->required = json_get_bool(descriptor, "required");
    option->secret = json_get_bool(descriptor, "x-secret");
    option->new_name = json_get_bool(descriptor, "x-new");
    option->common = json_get(param, "$ref") != NULL;
    option->negative = option->kind == OPTION_BOOL && json_get_bool(option->schema, "default");
    option->argument = (option->required || json_get_bool(descriptor, "x-positional")) &&
                       !option->secret &&
                       (option->kind == OPTION_TEXT || option->kind == OPTION_INT);

    autofree char *dashed = dashed_name(option->name);
    option->dashed = xasprintf("%s%s", option->negative ? "no-" : "", dashed);
    option->capitals = capital_name(option->name);
}

static void read_name(struct command *command)
{
    const char *point = strchr(command->name, '.');
    size_t length = point != NULL ? (size_t)(point - command->name) : strlen(command->name);

    command->noun = xstrndup(command->name, length);
    command->verb = dashed_name(point != NULL ? point + 1 : "");
}

static struct command *read_command(const struct document *document, struct json_object *method)
{
    struct command *command = xcalloc(1, sizeof(*command));
    struct json_object *params = json_get(method, "params");
    size_t count =
        json_object_is_type(params, json_type_array) ? json_object_array_length(params) : 0;

    command->method = method;
    command->name = json_get_string(method, "name");
    command->job = json_get_bool(method, "x-job");
    command->steps = json_get_bool(method, "x-steps");
    command->rows = json_get_string(method, "x-rows");
    command->many = json_get_string(method, "x-many");
    command->confirm = json_get_string(method, "x-confirm");
    read_name(command);
    for (size_t i = 0; i < count && i < OPTIONS_MAX; i++)
        read_option(document, json_object_array_get_idx(params, i),
                    &command->options[command->count++]);
    return command;
}

void command_free(struct command *command)
{
    if (command == NULL)
        return;
    for (size_t i = 0; i < command->count; i++) {
        free(command->options[i].dashed);
        free(command->options[i].capitals);
    }
    free(command->noun);
    free(command->verb);
    free(command);
}

const struct option *command_option(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->count; i++)
        if (strcmp(command->options[i].name, name) == 0)
            return &command->options[i];
    return NULL;
}

bool command_is_shown(const struct command *command)
{
    return strcmp(command->noun, "rpc") != 0 && strcmp(command->name, "agent.subscribe") != 0;
}

/* --- methods --- */

static struct json_object *method_at(const struct document *document, size_t index)
{
    if (!json_object_is_type(document->methods, json_type_array) ||
        index >= json_object_array_length(document->methods))
        return NULL;
    return json_object_array_get_idx(document->methods, index);
}

struct command *document_command(const struct document *document, size_t index)
{
    struct json_object *method = method_at(document, index);

    if (method == NULL || json_get_string(method, "name") == NULL)
        return NULL;
    return read_command(document, method);
}

struct command *document_find_method(const struct document *document, const char *name)
{
    struct json_object *method = NULL;

    for (size_t i = 0; (method = method_at(document, i)) != NULL; i++) {
        const char *own = json_get_string(method, "name");
        if (own != NULL && strcmp(own, name) == 0)
            return read_command(document, method);
    }
    return NULL;
}

struct command *document_find(const struct document *document, const char *noun, const char *verb)
{
    autofree char *name = xasprintf("%s.%s", noun, verb);

    for (char *at = name; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    /* There is one way to write a verb. */
    return strchr(verb, '_') != NULL ? NULL : document_find_method(document, name);
}

/* --- results --- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the document. */
static void add_properties(const struct document *document, struct json_object *schema,
                           struct json_object *fields)
{
    struct json_object *whole = document_resolve(document, schema);
    struct json_object *parts = json_get(whole, "allOf");
    struct json_object *properties = json_get(whole, "properties");
    struct json_object_iter member;

    for (size_t i = 0; parts != NULL && i < json_object_array_length(parts); i++)
        add_properties(document, json_object_array_get_idx(parts, i), fields);
    if (!json_object_is_type(properties, json_type_object))
        return;
    json_object_object_foreachC (properties, member)
        json_add(fields, member.key, json_object_get(member.val));
}

struct json_object *document_fields(const struct document *document, const struct command *command)
{
    struct json_object *fields = json_object_new_object();
    struct json_object *schema = json_get(json_get(command->method, "result"), "schema");

    if (command->rows != NULL) {
        struct json_object *list = document_resolve(document, schema);
        schema = json_get(json_get(json_get(list, "properties"), command->rows), "items");
    }
    add_properties(document, schema, fields);
    return fields;
}
