/*
 * The one sentence that a change ends with, from the table's x-success.
 */
#ifndef DBGUEST_CLI_SUCCESS_H
#define DBGUEST_CLI_SUCCESS_H

struct json_object;
struct text;

/*
 * "{name}" is a member of the result, else of the params, "{asked.name}" one of the params; took_s
 * stands in for a result without one; an empty list is not known. "[one|other]" is one when all
 * names in it are known, else other. "{can}" says what the params give a user access to.
 */
void success_sentence(const char *form, struct json_object *params, struct json_object *result,
                      double took_s, struct text *out);

#endif
