#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "openrpc.h"
#include "protocol_text.h"
#include "text.h"

static void add_reasons_table(struct text *out)
{
    text_add(out, protocol_before_reasons);
    for (int i = ERROR_NONE + 1; i < ERROR_REASONS; i++) {
        enum error_reason reason = (enum error_reason)i;
        text_printf(out, "| `%s` | %d | %d | %s | %s | %s |\n", error_word(reason), i,
                    openrpc_code(reason), error_retryable(reason) ? "yes" : "no",
                    protocol_reasons[i].when, protocol_reasons[i].data);
    }
    text_add(out, protocol_after_reasons);
    text_add(out, protocol_notifications);
}

static void add_words(struct text *out, const char *const *words)
{
    for (const char *const *word = words; *word != NULL; word++)
        text_printf(out, "%s`%s`", word == words ? "" : " ", *word);
}

static const char *range_unit(const struct param *param)
{
    if (param->type == PARAM_TEXT)
        return " bytes";
    return param->type == PARAM_INT ? "" : " members";
}

static void add_range(struct text *out, const struct param *param)
{
    if (param->max > 0)
        text_printf(out, ", %lld to %lld%s", (long long)param->min, (long long)param->max,
                    range_unit(param));
}

static void add_fields(struct text *out, const struct param *fields)
{
    text_add(out, "{");
    for (const struct param *field = fields; field->name != NULL; field++)
        text_printf(out, "%s%s%s%s", field == fields ? "" : ", ", field->name,
                    field->flags & PARAM_SECRET ? " §" : "",
                    field->flags & PARAM_REQUIRED ? "" : "?");
    text_add(out, "}");
}

static void add_type(struct text *out, const struct param *param)
{
    static const char *const types[] = {
        [PARAM_TEXT] = "text",
        [PARAM_TEXTS] = "array of text",
        [PARAM_INT] = "integer",
        [PARAM_BOOL] = "boolean",
        [PARAM_WORD] = "",
        [PARAM_WORDS] = "array of ",
        [PARAM_INSTANCE] = "instance",
        [PARAM_DATASTORE] = "datastore",
        [PARAM_VERSION] = "version",
        [PARAM_BACKUP] = "backup",
        [PARAM_JOB] = "job",
        [PARAM_OBJECT] = "",
        [PARAM_OBJECTS] = "array of ",
        [PARAM_SETTINGS] = "object of scalars or null",
    };

    text_add(out, types[param->type]);
    if (param->words != NULL)
        add_words(out, param->words);
    if (param->fields != NULL)
        add_fields(out, param->fields);
    add_range(out, param);
    if (param->fallback != NULL)
        text_printf(out, "; default `%s`", param->fallback);
}

static size_t own_params(const struct method *method)
{
    size_t count = 0;

    while (method->params != NULL && method->params[count].name != NULL)
        count++;
    return count;
}

static void add_params(struct text *out, const struct method *method)
{
    size_t own = own_params(method);
    const struct param *param = NULL;

    if (own > 0)
        text_add(out, "\n| parameter | type | |\n|---|---|---|\n");
    for (size_t i = 0; i < own; i++) {
        param = method_param(method, i);
        text_printf(out, "| `%s`%s%s | ", param->name, param->flags & PARAM_SECRET ? " §" : "",
                    param->flags & PARAM_REQUIRED ? "" : " ?");
        add_type(out, param);
        text_printf(out, " | %s |\n", param->help != NULL ? param->help : "");
    }
    text_add(out, own > 0 ? "\nAnd " : "\nTakes ");
    for (size_t i = own; (param = method_param(method, i)) != NULL; i++)
        text_printf(out, "%s`%s`", i > own ? " " : "", param->name);
    text_add(out, ".\n");
}

static void add_head(struct text *out, const struct method *method)
{
    const char *lock = NULL;

    text_printf(out, "\n### %s\n\n%s Role %s.", method->name, method->help,
                role_words[method->role]);
    for (size_t i = 0; (lock = openrpc_lock(method, i)) != NULL; i++)
        text_printf(out, "%s `%s`", i == 0 ? " Locks" : "", lock);
    if (method->locks != 0)
        text_add(out, ".");
    if (method_is_job(method))
        text_add(out, " A job.");
    if (method_confirmed(method) != NULL)
        text_printf(out, " `confirm` repeats `%s`.", method_confirmed(method)->name);
    text_add(out, "\n");
}

static void add_result(struct text *out, const struct method *method)
{
    if (method->result == NULL)
        return;
    if (method->rows != NULL)
        text_printf(out, "\nResult: `%s`, an array of these, and `next_marker`.\n", method->rows);
    else
        text_printf(out, "\nResult%s:\n", method_is_job(method) ? ", beside `job`" : "");
    text_add(out, "\n| field | type | |\n|---|---|---|\n");
    for (const struct field *field = method->result; field->name != NULL; field++)
        text_printf(out, "| `%s` | %s | %s |\n", field->name, field->type,
                    field->help != NULL ? field->help : "");
}

static void add_reasons(struct text *out, const struct method *method)
{
    autoptr(json_object) reasons = openrpc_words(method->reasons);

    text_add(out, "\nReasons: `invalid` `denied` `internal`");
    for (size_t i = 0; i < json_object_array_length(reasons); i++)
        text_printf(out, " `%s`", json_object_get_string(json_object_array_get_idx(reasons, i)));
    text_add(out, ".\n");
}

/* --- an example of a request: made, so that it is always one that is accepted --- */

struct sample {
    const char *name;
    const char *value;
};

static const char *sample_of(const struct sample *samples, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(samples[i].name, name) == 0)
            return samples[i].value;
    return "x";
}

static const char *sample_text(const struct method *method, const char *name)
{
    static const struct sample samples[] = {
        { "new_name", "anne" },
        { "password", "6mXv-qT2p-Zr8w-kLd4" },
        { "source", "apt:bookworm,bookworm-security" },
    };

    if (strcmp(name, "name") == 0)
        return text_starts(method->name, "database.") ? "shop" : "anna";
    return sample_of(samples, ARRAY_SIZE(samples), name);
}

static struct json_object *sample_value(const struct method *method, const struct param *param)
{
    struct json_object *settings = NULL;

    switch (param->type) {
    case PARAM_INSTANCE:
        return json_object_new_string("main");
    case PARAM_DATASTORE:
        return json_object_new_string("postgresql");
    case PARAM_VERSION:
        return json_object_new_string("15.20+deb12u1");
    case PARAM_BACKUP:
        return json_object_new_string("main-20261121-034102");
    case PARAM_JOB:
        return json_object_new_string("j184");
    case PARAM_SETTINGS:
        settings = json_object_new_object();
        json_add_int(settings, "max_connections", 200);
        return settings;
    case PARAM_TEXT:
        return json_object_new_string(sample_text(method, param->name));
    case PARAM_TEXTS:
    case PARAM_INT:
    case PARAM_BOOL:
    case PARAM_WORD:
    case PARAM_WORDS:
    case PARAM_OBJECT:
    case PARAM_OBJECTS:
        break;
    }
    return NULL;
}

static bool is_needed(const struct method *method, const struct param *param)
{
    const struct param *many = method_many(method);

    if (param->flags & PARAM_REQUIRED)
        return true;
    for (const struct param *field = many != NULL ? many->fields : NULL;
         field != NULL && field->name != NULL; field++)
        if (strcmp(field->name, param->name) == 0)
            return (field->flags & PARAM_REQUIRED) != 0;
    return false;
}

struct json_object *protocol_sample(const struct method *method)
{
    const struct param *confirmed = method_confirmed(method);
    struct json_object *params = json_object_new_object();

    for (size_t i = 0; i < own_params(method); i++) {
        const struct param *param = method_param(method, i);
        if (is_needed(method, param))
            json_add(params, param->name, sample_value(method, param));
    }
    if (confirmed != NULL)
        json_add_string(params, "confirm", json_get_string(params, confirmed->name));
    return params;
}

static void add_examples(struct text *out, const struct method *method)
{
    autoptr(json_object) params = protocol_sample(method);

    text_printf(
        out, "\n```\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n```\n```sh\n",
        method->name, json_line(params));
    for (const char *const *line = method->examples; line != NULL && *line != NULL; line++)
        text_printf(out, "dbguestctl %s\n", *line);
    text_add(out, "```\n");
}

void protocol_document(struct text *out)
{
    add_reasons_table(out);
    for (const struct method *method = methods; method->name != NULL; method++) {
        add_head(out, method);
        add_params(out, method);
        add_result(out, method);
        add_reasons(out, method);
        add_examples(out, method);
    }
}
