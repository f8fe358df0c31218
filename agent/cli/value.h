/*
 * What stands behind an option, as JSON.
 */
#ifndef DBGUEST_CLI_VALUE_H
#define DBGUEST_CLI_VALUE_H

#include <stdbool.h>

struct document;
struct error;
struct json_object;
struct option;

/*
 * Sets the parameter in params, or adds to it what was repeated. Text is the value itself; objects
 * and arrays may also be JSON, @FILE or - (standard input). A secret inside is taken from the
 * latter two only: a command line is seen by everybody.
 */
bool value_add(const struct document *document, const struct option *option, const char *text,
               struct json_object *params, struct error *err);
/* JSON text, @FILE or -; the caller owns it. inline_out says that it stood on the command line. */
struct json_object *value_json(const char *text, bool *inline_out, struct error *err);
/* Whether object holds a member that schema marks as secret. */
bool value_holds_secret(const struct document *document, struct json_object *schema,
                        struct json_object *object);

#endif
