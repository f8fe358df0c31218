/*
 * What this program can: names, methods, limits; what the daemon knows of a datastore.
 */
#include "command.h"

#include <stdio.h>

#include "cleanup.h"
#include "datastore.h"
#include "error.h"
#include "json.h"
#include "method.h"
#include "task.h"

static void add_words(struct json_object *row, const char *name, const char *const *words)
{
    struct json_object *array = json_add_array(row, name);

    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        json_object_array_add(array, json_object_new_string(words[i]));
}

static struct json_object *describe_store(const struct datastore *store)
{
    struct task task = { .store = store };
    struct json_object *row = json_object_new_object();
    struct json_object *limits;

    json_add_string(row, "name", store->name);
    struct json_object *supported = json_add_array(row, "methods");
    struct json_object *unsupported = json_add_array(row, "unsupported");
    for (const struct method *method = methods; method->name != NULL; method++) {
        struct error err = { 0 };

        if ((method->flags & METHOD_DAEMON) != 0)
            continue;
        json_object_array_add(command_check_support(&task, method->name, &err) ? supported
                                                                               : unsupported,
                              json_object_new_string(method->name));
        error_clear(&err);
    }
    limits = json_add_object(row, "limits");
    json_add_int(limits, "name_bytes", (int64_t)store->name_bytes);
    json_add_bool(limits, "atomic", store->atomic);
    add_words(row, "packages", store->packages);
    add_words(row, "remarks", store->remarks);
    return row;
}

int command_describe(void)
{
    autoptr(json_object) answer = json_object_new_object();
    struct json_object *rows = json_add_array(answer, "datastores");

    for (size_t i = 0; command_stores[i] != NULL; i++)
        json_object_array_add(rows, describe_store(command_stores[i]));
    printf("%s\n", json_line(answer));
    return fflush(stdout) == 0 ? 0 : 1;
}
