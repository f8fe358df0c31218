#include "cell.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

char *cell_title(const char *field)
{
    static const char *const endings[] = { "_bytes", "_s", "_at", "_age" };
    char *title = xstrdup(field);

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t length = strlen(title);
        size_t ending = strlen(endings[i]);
        if (text_ends(title, endings[i]) && length > ending)
            title[length - ending] = '\0';
    }
    for (char *at = title; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return title;
}

static bool is_age(const char *field)
{
    return text_ends(field, "_age_s") || strcmp(field, "age_s") == 0 || strcmp(field, "up_s") == 0;
}

static char *number_text(const char *field, struct json_object *value)
{
    double number = json_object_get_double(value);

    if (text_ends(field, "_bytes"))
        return units_size(number);
    if (is_age(field))
        return units_age(number);
    if (text_ends(field, "_s"))
        return units_duration(number);
    return xstrdup(json_object_get_string(value));
}

static char *stamp_text(const char *stamp, bool in_list)
{
    double moment = 0;

    if (!in_list || !units_read_stamp(stamp, &moment))
        return units_stamp(stamp, false);
    double away = (double)time(NULL) - moment;
    autofree char *age = units_age(away > 0 ? away : 0);
    return xasprintf("%s ago", age);
}

/* "databases" is "database" when there is one. */
static int singular_length(const char *name, struct json_object *count)
{
    size_t length = strlen(name);
    bool one = json_object_get_int64(count) == 1 && text_ends(name, "s");

    return (int)(one ? length - 1 : length);
}

/* {"shop": "write"} is "shop:write", {"databases": 3} is "3 databases". */
static void add_member(struct text *out, const char *name, struct json_object *value)
{
    bool counts = json_object_is_type(value, json_type_int);

    if (out->length > 0)
        text_add(out, counts ? ", " : " ");
    if (counts)
        text_printf(out, "%s %.*s", json_object_get_string(value), singular_length(name, value),
                    name);
    else if (value == NULL)
        text_printf(out, "%s:-", name);
    else
        text_printf(out, "%s:%s", name, json_object_get_string(value));
}

static char *object_text(struct json_object *object)
{
    struct text out = { 0 };
    struct json_object_iter member;

    json_object_object_foreachC (object, member)
        add_member(&out, member.key, member.val);
    return out.bytes != NULL ? out.bytes : xstrdup("-");
}

static char *array_text(struct json_object *array)
{
    struct text out = { 0 };

    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *member = json_object_array_get_idx(array, i);
        text_printf(&out, "%s%s", i > 0 ? " " : "",
                    member != NULL ? json_object_get_string(member) : "-");
    }
    return out.bytes != NULL ? out.bytes : xstrdup("-");
}

static char *unsafe_text(const char *field, struct json_object *value, bool in_list)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return xstrdup("-");
    case json_type_boolean:
        return xstrdup(json_object_get_boolean(value) ? "yes" : "no");
    case json_type_int:
    case json_type_double:
        return number_text(field, value);
    case json_type_object:
        return object_text(value);
    case json_type_array:
        return array_text(value);
    case json_type_string:
        break;
    }
    const char *text = json_object_get_string(value);
    if (text_ends(field, "_at") || text_ends(field, "_until") || strcmp(field, "since") == 0 ||
        strcmp(field, "time") == 0)
        return stamp_text(text, in_list);
    return xstrdup(text[0] != '\0' ? text : "-");
}

char *cell_text(const char *field, struct json_object *value, bool in_list)
{
    autofree char *text = unsafe_text(field, value, in_list);

    return screen_safe(text);
}

char *cell_plain(struct json_object *value)
{
    bool deep =
        json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array);

    if (value == NULL)
        return xstrdup("-");
    return screen_safe(deep ? json_line(value) : json_object_get_string(value));
}
