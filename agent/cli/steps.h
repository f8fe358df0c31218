/*
 * A job's steps, as job.show gives them: {step, started, took_s, what, undone, failed}.
 */
#ifndef DBGUEST_CLI_STEPS_H
#define DBGUEST_CLI_STEPS_H

struct json_object;

/* Texts that are safe to print; the caller frees them. */
char *steps_name(struct json_object *step); /* "stop", "undo stop" */
char *steps_took(struct json_object *step); /* "0.06 s", "-" */
char *steps_what(struct json_object *step);

#endif
