/*
 * Databases and users as a request names them, one or many, turned into C; and what became of each,
 * turned into the answer.
 */
#ifndef DBGUEST_CATALOG_H
#define DBGUEST_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "datastore.h"

struct error;
struct json_object;
struct task;

/* Strings in it point into the objects it was read from. */
struct catalog_users {
    struct user *each;
    size_t count;
};

/* The objects asked for: those of the parameter `array`, or the parameters themselves as the only
 * one. The caller owns the array. */
struct json_object *catalog_objects(struct json_object *params, const char *array);
struct catalog_users catalog_read_users(struct json_object *objects);
void catalog_free_users(struct catalog_users *users);
/* As many as there are objects; the caller frees it, strings point into the objects. */
struct database *catalog_read_databases(struct json_object *objects);

/*
 * The result of each goes into the task's result. Fails when some failed: partial, with the
 * results, or the reason itself when there was only one.
 */
bool catalog_tell_outcomes(struct task *task, struct json_object *objects, struct error *each,
                           struct error *err);

#endif
