#include "catalog.h"

#include <stdint.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "state.h"

static const char *const *words_of(struct json_object *object, const char *name)
{
    struct json_object *array = json_get(object, name);
    size_t count = array == NULL ? 0 : json_object_array_length(array);
    const char **words = xcalloc(count + 1, sizeof(*words));

    for (size_t i = 0; i < count; i++)
        words[i] = json_object_get_string(json_object_array_get_idx(array, i));
    return words;
}

static enum access access_of(struct json_object *object)
{
    const char *word = json_get_string(object, "access");

    if (word != NULL && strcmp(word, "read") == 0)
        return ACCESS_READ;
    return word != NULL && strcmp(word, "all") == 0 ? ACCESS_ALL : ACCESS_WRITE;
}

struct json_object *catalog_objects(struct json_object *params, const char *array)
{
    struct json_object *many = json_get(params, array);

    if (many != NULL && json_object_is_type(json_object_array_get_idx(many, 0), json_type_object))
        return json_object_get(many);
    many = json_object_new_array();
    if (json_get(params, "name") != NULL)
        json_object_array_add(many, json_object_get(params));
    return many;
}

struct catalog_users catalog_read_users(struct json_object *objects)
{
    struct catalog_users users = { .count = json_object_array_length(objects) };

    users.each = xcalloc(users.count + 1, sizeof(*users.each));
    for (size_t i = 0; i < users.count; i++) {
        struct json_object *object = json_object_array_get_idx(objects, i);

        users.each[i] = (struct user){
            .name = json_get_string(object, "name"),
            .password = json_get_string(object, "password"),
            .new_name = json_get_string(object, "new_name"),
            .databases = words_of(object, "databases"),
            .access = access_of(object),
            .keys = words_of(object, "keys"),
            .channels = words_of(object, "channels"),
            .categories = words_of(object, "categories"),
        };
    }
    return users;
}

static void free_words(const char *const *words)
{
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): made here, const for its readers */
    free((void *)(uintptr_t)words);
}

void catalog_free_users(struct catalog_users *users)
{
    for (size_t i = 0; i < users->count; i++) {
        free_words(users->each[i].databases);
        free_words(users->each[i].keys);
        free_words(users->each[i].channels);
        free_words(users->each[i].categories);
    }
    free(users->each);
}

struct database *catalog_read_databases(struct json_object *objects)
{
    size_t count = json_object_array_length(objects);
    struct database *databases = xcalloc(count + 1, sizeof(*databases));

    for (size_t i = 0; i < count; i++) {
        struct json_object *object = json_object_array_get_idx(objects, i);

        databases[i] = (struct database){ .name = json_get_string(object, "name"),
                                          .encoding = json_get_string(object, "encoding"),
                                          .locale = json_get_string(object, "locale") };
    }
    return databases;
}

static struct json_object *outcome_row(const char *name, struct error *err)
{
    struct json_object *row = json_object_new_object();

    json_add_string(row, "name", name);
    json_add_string(row, "outcome", err->reason == ERROR_NONE ? "ok" : error_word(err->reason));
    if (err->reason != ERROR_NONE)
        json_add(row, "error", error_to_json(err));
    return row;
}

bool catalog_tell_outcomes(struct task *task, struct json_object *objects, struct error *each,
                           struct error *err)
{
    size_t count = json_object_array_length(objects);
    struct json_object *results = json_object_new_array();
    size_t failed = 0;
    size_t last = 0;

    for (size_t i = 0; i < count; i++) {
        const char *name = json_get_string(json_object_array_get_idx(objects, i), "name");

        json_object_array_add(results, outcome_row(name, &each[i]));
        if (each[i].reason != ERROR_NONE) {
            failed++;
            last = i;
        }
    }
    if (failed == 0) {
        json_add(task->state->result, "results", results);
        return true;
    }
    if (count == 1) {
        json_object_put(results);
        error_move(err, &each[last]);
        return false;
    }
    error_set(err, ERROR_PARTIAL, "%zu of %zu failed, the last: %s", failed, count,
              each[last].message);
    error_hint(err, "see results for each; what went well stays");
    return error_add(err, "results", results);
}
