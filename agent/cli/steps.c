#include "steps.h"

#include "json.h"
#include "memory.h"
#include "screen.h"
#include "units.h"

char *steps_name(struct json_object *step)
{
    const char *name = json_get_string(step, "step");
    autofree char *safe = screen_safe(name != NULL ? name : "?");

    return xasprintf("%s%s", json_get_bool(step, "undone") ? "undo " : "", safe);
}

char *steps_took(struct json_object *step)
{
    if (json_get(step, "took_s") == NULL)
        return xstrdup("-");
    return units_step(json_get_double(step, "took_s"));
}

char *steps_what(struct json_object *step)
{
    const char *what = json_get_string(step, "what");

    if ((what == NULL || what[0] == '\0') && json_get_bool(step, "failed"))
        return xstrdup("failed");
    return screen_safe(what != NULL ? what : "");
}
