#include "wipe.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

static void overwrite(const char *text, size_t length)
{
    union {
        const char *read;
        char *written;
    } secret = { text };

    explicit_bzero(secret.written, length);
}

/* As deep as a request may be. */
void wipe_json(struct json_object *value) /* NOLINT(misc-no-recursion) */
{
    if (json_object_is_type(value, json_type_string)) {
        overwrite(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            wipe_json(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        struct json_object_iter member;
        json_object_object_foreachC (value, member)
            wipe_json(member.val);
    }
}

void wipe_text(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}
