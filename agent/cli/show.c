#include "show.h"

#include <string.h>

#include "cell.h"
#include "cli.h"
#include "document.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"

#define LABEL_WIDTH 12

struct screen_of {
    const char *method;
    show_screen *show;
};

static const struct screen_of screens[] = {
    { "instance.show", show_instance }, { "instance.check_upgrade", show_check_upgrade },
    { "instance.log", show_log },       { "version.show", show_version },
    { "backup.show", show_backup },     { "job.show", show_job },
    { "job.wait", show_job },           { "job.cancel", show_job },
    { "agent.info", show_agent },
};

void show_line(struct text *out, const char *label, const char *text)
{
    text_printf(out, "  %-*s %s\n", LABEL_WIDTH, label, text);
}

char *show_member(struct json_object *object, const char *name)
{
    return cell_text(name, json_get(object, name), false);
}

bool show_has(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);

    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) > 0;
    if (json_object_is_type(value, json_type_object))
        return json_object_object_length(value) > 0;
    return value != NULL;
}

char *show_pairs(struct json_object *object)
{
    autotext struct text pairs = { 0 };
    struct json_object_iter member;

    if (!json_object_is_type(object, json_type_object) || json_object_object_length(object) == 0)
        return NULL;
    json_object_object_foreachC (object, member)
        text_printf(&pairs, "%s%s=%s", pairs.length > 0 ? " " : "", member.key,
                    member.val != NULL ? json_object_get_string(member.val) : "null");
    return screen_safe(pairs.bytes);
}

static bool is_deep(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) && json_object_array_length(array) > 0 &&
           json_object_is_type(json_object_array_get_idx(array, 0), json_type_object);
}

/* An array of objects: a line each. */
static void show_objects(struct text *out, const char *label, struct json_object *array)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        autofree char *pairs = show_pairs(json_object_array_get_idx(array, i));
        show_line(out, i == 0 ? label : "", pairs != NULL ? pairs : "-");
    }
}

static char *label_of(const char *field)
{
    static const char *const endings[] = { "_bytes", "_s", "_at" };
    char *label = xstrdup(field);

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
        if (text_ends(label, endings[i]) && strlen(label) > strlen(endings[i]))
            label[strlen(label) - strlen(endings[i])] = '\0';
    for (char *at = label; *at != '\0'; at++)
        if (*at == '_')
            *at = ' ';
    return label;
}

static void show_field(struct text *out, const char *field, struct json_object *value)
{
    autofree char *label = label_of(field);
    autofree char *safe = screen_safe(label);

    if (is_deep(value)) {
        show_objects(out, safe, value);
        return;
    }
    autofree char *text = cell_text(field, value, false);
    show_line(out, safe, text);
}

/* Fields that the table knows come in its order, others after them. */
void show_fields(const struct cli *cli, const struct command *command, struct json_object *object,
                 struct text *out)
{
    autoptr(json_object) known = document_fields(cli->document, command);
    struct json_object_iter member;

    json_object_object_foreachC (known, member)
        if (show_has(object, member.key))
            show_field(out, member.key, json_get(object, member.key));
    json_object_object_foreachC (object, member)
        if (json_get(known, member.key) == NULL && member.val != NULL)
            show_field(out, member.key, member.val);
}

void show_result(const struct cli *cli, const struct command *command, struct json_object *params,
                 struct json_object *result, struct text *out)
{
    const char *text = json_get_string(result, "text");

    for (size_t i = 0; i < ARRAY_SIZE(screens); i++) {
        if (strcmp(screens[i].method, command->name) == 0) {
            screens[i].show(cli, params, result, out);
            return;
        }
    }
    /* A page of text is printed as it is. */
    autoptr(json_object) fields = document_fields(cli->document, command);
    if (text != NULL && json_get(fields, "text") != NULL) {
        text_add(out, text);
        if (!text_ends(text, "\n"))
            text_add(out, "\n");
        return;
    }
    if (json_object_is_type(result, json_type_object))
        show_fields(cli, command, result, out);
    else
        text_printf(out, "%s\n", json_object_to_json_string(result));
}
