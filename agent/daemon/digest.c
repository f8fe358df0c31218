#include "digest.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

/* Two FNV-1a side by side, from different starts. */
struct digest {
    uint64_t one, other;
};

static void add(struct digest *digest, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        digest->one = (digest->one ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
        digest->other = (digest->other ^ (unsigned char)~bytes[i]) * UINT64_C(0x100000001b3);
    }
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void add_value(struct digest *digest, struct json_object *value);

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_members(struct digest *digest, struct json_object *object)
{
    size_t count = (size_t)json_object_object_length(object);
    autofree const char **names = xcalloc(count + 1, sizeof(*names));
    size_t i = 0;

    struct json_object_iter member;
    json_object_object_foreachC (object, member)
        names[i++] = member.key;
    qsort(names, count, sizeof(*names), compare_names);
    add(digest, "{", 1);
    for (i = 0; i < count; i++) {
        add(digest, names[i], strlen(names[i]) + 1);
        add_value(digest, json_get(object, names[i]));
    }
    add(digest, "}", 1);
}

/* As deep as a request may be. NOLINTNEXTLINE(misc-no-recursion) */
static void add_value(struct digest *digest, struct json_object *value)
{
    if (json_object_is_type(value, json_type_object)) {
        add_members(digest, value);
        return;
    }
    if (!json_object_is_type(value, json_type_array)) {
        const char *text = value != NULL ? json_line(value) : "null";
        add(digest, text, strlen(text) + 1);
        return;
    }
    add(digest, "[", 1);
    for (size_t i = 0; i < json_object_array_length(value); i++)
        add_value(digest, json_object_array_get_idx(value, i));
    add(digest, "]", 1);
}

void digest_json(struct json_object *object, char digest[33])
{
    struct digest state = { UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f) };

    add_value(&state, object);
    snprintf(digest, 33, "%016llx%016llx", (unsigned long long)state.one,
             (unsigned long long)state.other);
}
