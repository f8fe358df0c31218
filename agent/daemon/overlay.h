/*
 * What only the daemon knows of an instance, laid over what a worker says of it: which job is at
 * it, and instances that are accepted but not there yet.
 */
#ifndef DBGUEST_DAEMON_OVERLAY_H
#define DBGUEST_DAEMON_OVERLAY_H

#include <stdbool.h>

struct json_object;
struct request;

/* Whether overlay_result() would add anything to a result of this method. */
bool overlay_changes(const struct request *request);
/* Changes the rows of instance.list and instance.show; leaves all others alone. */
void overlay_result(const struct request *request, struct json_object *result);
/* Adds rows for instances that are accepted only. */
void overlay_new_rows(const struct request *request, struct json_object *rows);
/* Answers instance.show of such a one; false when the request is for a worker. */
bool overlay_answers(struct request *request);

#endif
