/*
 * Checks on single values of parameters; those made of others are in method_check.c.
 */
#ifndef DBGUEST_METHOD_VALUE_H
#define DBGUEST_METHOD_VALUE_H

#include <stdbool.h>

#include "method.h"

/* Where a value stands: "user.create", and "users[3]." in front of a member's name. */
struct place {
    const char *method;
    const char *before;
};

/* Fails with invalid: which parameter, what it is and what it must be. */
bool method_value_wrong(const struct place *place, const struct param *param,
                        struct json_object *value, const char *wanted, struct error *err);
/* Of all types but PARAM_TEXTS, PARAM_WORDS, PARAM_OBJECT and PARAM_OBJECTS. */
bool method_value_check(const struct place *place, const struct param *param,
                        struct json_object *value, struct error *err);

#endif
