#include "openrpc.h"

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "protocol_text.h"

/* Rows that several methods give: their schema is called after the method that shows one. */
struct row {
    const char *name;
    const char *method;
};

static const struct row rows[] = {
    { "instance_row", "instance.show" }, { "version_row", "version.show" },
    { "database_row", "database.show" }, { "user_row", "user.show" },
    { "backup_row", "backup.show" },     { "job_row", "job.show" },
};

/* A reason's number in the protocol is the exit code of the command line, unless JSON-RPC has one
 * for it. */
struct code {
    enum error_reason reason;
    int code;
};

static const struct code standard_codes[] = {
    { ERROR_INTERNAL, -32603 },
    { ERROR_INVALID, -32602 },
};

int openrpc_code(enum error_reason reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(standard_codes); i++)
        if (standard_codes[i].reason == reason)
            return standard_codes[i].code;
    return (int)reason;
}

static bool is_new_name(const struct method *method)
{
    const struct param *instance = method_find_param(method, "instance");

    return (method->locks & LOCK_NAME_X) == LOCK_NAME_X && instance != NULL &&
           instance->flags & PARAM_NEW;
}

const char *openrpc_lock(const struct method *method, size_t index)
{
    static char word[16];
    bool new_name = is_new_name(method);
    unsigned int locks = method->locks & ~(new_name ? LOCK_NAME_X : 0U);

    if (new_name && index-- == 0)
        return "name!";
    for (unsigned int lock = LOCK_SERVICE; lock <= LOCK_BACKUP; lock <<= 1) {
        if ((locks & lock) == 0 || index-- > 0)
            continue;
        bool exclusive = (locks & LOCK_X(lock)) == LOCK_X(lock);
        (void)snprintf(word, sizeof(word), "%s%s", lock_word((enum lock)lock),
                       exclusive ? "!" : "");
        return word;
    }
    return NULL;
}

static void add_params(struct json_object *target, const struct method *method)
{
    struct json_object *params = json_add_array(target, "params");
    const struct param *param = NULL;
    size_t own = 0;

    while (method->params != NULL && method->params[own].name != NULL)
        own++;
    for (size_t i = 0; (param = method_param(method, i)) != NULL; i++)
        json_object_array_add(params, i < own
                                          ? openrpc_param(param)
                                          : openrpc_reference("contentDescriptors", param->name));
}

static struct json_object *row_schema(const struct method *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (method->result == method_find(rows[i].method)->result)
            return openrpc_reference("schemas", rows[i].name);
    return openrpc_fields(method->result, false);
}

static struct json_object *list_schema(const struct method *method)
{
    static const struct field marker[] = {
        { "next_marker", "string", "null when there are no more" },
        { 0 },
    };
    struct json_object *schema = openrpc_fields(marker, false);
    struct json_object *list = json_object_new_object();

    json_add_string(list, "type", "array");
    json_add(list, "items", row_schema(method));
    json_add(json_get(schema, "properties"), method->rows, list);
    return schema;
}

static struct json_object *result_schema(const struct method *method)
{
    if (method->flags & METHOD_LIST)
        return list_schema(method);
    if (!method_is_job(method))
        return row_schema(method);

    struct json_object *row = row_schema(method);
    if (json_get(row, "$ref") == NULL) {
        json_add(json_get(row, "properties"), "job", openrpc_reference("schemas", "job"));
        return row;
    }
    struct json_object *schema = json_object_new_object();
    struct json_object *parts = json_add_array(schema, "allOf");
    json_object_array_add(parts, row);
    json_object_array_add(parts, openrpc_fields(NULL, true));
    return schema;
}

static void add_result(struct json_object *target, const struct method *method)
{
    struct json_object *result = json_add_object(target, "result");
    autofree char *noun = xstrndup(method->name, strcspn(method->name, "."));

    json_add_string(result, "name", method->rows != NULL ? method->rows : noun);
    json_add(result, "schema", result_schema(method));
}

static void add_errors(struct json_object *target, const struct method *method)
{
    struct json_object *errors = json_add_array(target, "errors");
    autofree char *all =
        xasprintf("internal invalid denied %s", method->reasons != NULL ? method->reasons : "");
    autoptr(json_object) reasons = openrpc_words(all);
    bool seen[ERROR_REASONS] = { false };

    for (size_t i = 0; i < json_object_array_length(reasons); i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(reasons, i));
        enum error_reason reason = error_from_word(word);
        if (!seen[reason])
            json_object_array_add(errors, openrpc_reference("errors", word));
        seen[reason] = true;
    }
}

static void add_screen(struct json_object *target, const struct method *method)
{
    const struct param *many = method_many(method);
    const struct param *confirmed = method_confirmed(method);

    if (method->flags & METHOD_LIST) {
        json_add_string(target, "x-rows", method->rows);
        json_add(target, "x-columns", openrpc_words(method->columns));
        json_add(target, "x-sparse", openrpc_words(method->sparse));
        json_add(target, "x-leaves", openrpc_words(method->leaves));
    }
    if (many != NULL)
        json_add_string(target, "x-many", many->name);
    if (confirmed != NULL)
        json_add_string(target, "x-confirm", confirmed->name);
    if (method->flags & METHOD_STEPS)
        json_add_bool(target, "x-steps", true);
    if (method->success != NULL)
        json_add_string(target, "x-success", method->success);

    struct json_object *examples = json_add_array(target, "x-examples");
    for (const char *const *line = method->examples; line != NULL && *line != NULL; line++)
        json_object_array_add(examples, json_object_new_string(*line));
}

static struct json_object *openrpc_method(const struct method *method)
{
    struct json_object *target = json_object_new_object();

    json_add_string(target, "name", method->name);
    json_add_string(target, "summary", method->help);
    json_add_string(target, "paramStructure", "by-name");
    json_add_string(target, "x-role", role_words[method->role]);

    struct json_object *locks = json_add_array(target, "x-locks");
    const char *lock = NULL;
    for (size_t i = 0; (lock = openrpc_lock(method, i)) != NULL; i++)
        json_object_array_add(locks, json_object_new_string(lock));
    json_add_bool(target, "x-job", method_is_job(method));
    add_screen(target, method);
    add_params(target, method);
    add_result(target, method);
    add_errors(target, method);
    return target;
}

/* Those of all methods; each kind of method brings its own. */
static struct json_object *content_descriptors(void)
{
    struct json_object *descriptors = json_object_new_object();

    for (const struct method *method = methods; method->name != NULL; method++) {
        const struct param *param = NULL;
        size_t i = 0;
        while (method->params != NULL && method->params[i].name != NULL)
            i++;
        for (; (param = method_param(method, i)) != NULL; i++)
            if (json_get(descriptors, param->name) == NULL)
                json_add(descriptors, param->name, openrpc_param(param));
    }
    return descriptors;
}

static struct json_object *errors(void)
{
    struct json_object *all = json_object_new_object();

    for (int i = ERROR_NONE + 1; i < ERROR_REASONS; i++) {
        enum error_reason reason = (enum error_reason)i;
        struct json_object *error = json_add_object(all, error_word(reason));
        json_add_int(error, "code", openrpc_code(reason));
        json_add_string(error, "message", protocol_reasons[reason].when);

        struct json_object *data = json_add_object(error, "data");
        json_add_string(data, "reason", error_word(reason));
        json_add_bool(data, "retryable", error_retryable(reason));
    }
    return all;
}

struct json_object *openrpc_document(void)
{
    struct json_object *document = json_object_new_object();

    json_add_string(document, "openrpc", "1.2.6");
    struct json_object *info = json_add_object(document, "info");
    json_add_string(info, "title", "dbguest");
    json_add_string(info, "version", DBGUEST_VERSION);

    struct json_object *list = json_add_array(document, "methods");
    for (const struct method *method = methods; method->name != NULL; method++)
        json_object_array_add(list, openrpc_method(method));

    struct json_object *components = json_add_object(document, "components");
    struct json_object *schemas = openrpc_schemas();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        json_add(schemas, rows[i].name, openrpc_fields(method_find(rows[i].method)->result, false));
    json_add(components, "schemas", schemas);
    json_add(components, "contentDescriptors", content_descriptors());
    json_add(components, "errors", errors());
    return document;
}
