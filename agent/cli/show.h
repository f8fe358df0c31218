/*
 * One object for people: names and values, or one of the screens that are made by hand.
 */
#ifndef DBGUEST_CLI_SHOW_H
#define DBGUEST_CLI_SHOW_H

#include <stdbool.h>

struct cli;
struct command;
struct json_object;
struct text;

/* The result of a method that changes nothing, as fits the method. */
void show_result(const struct cli *cli, const struct command *command, struct json_object *params,
                 struct json_object *result, struct text *out);
/* Names and values, those that are null left out. */
void show_fields(const struct cli *cli, const struct command *command, struct json_object *object,
                 struct text *out);

/* --- by hand, in show_screens.c and show_job.c --- */

typedef void show_screen(const struct cli *cli, struct json_object *params,
                         struct json_object *result, struct text *out);

show_screen show_instance, show_backup, show_check_upgrade, show_agent, show_log, show_job,
    show_version;

/* "label      text" lines: a label and what follows it. */
void show_line(struct text *out, const char *label, const char *text);
/* A member as text that is safe to print; the caller frees it. */
char *show_member(struct json_object *object, const char *name);
bool show_has(struct json_object *object, const char *name);
/* {"a": 1} as "a=1", by spaces; the caller frees it, NULL when there is nothing. */
char *show_pairs(struct json_object *object);

#endif
