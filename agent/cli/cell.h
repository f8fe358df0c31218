/*
 * One value of a result as text: sizes, durations, ages and stamps by the unit in its name.
 */
#ifndef DBGUEST_CLI_CELL_H
#define DBGUEST_CLI_CELL_H

#include <stdbool.h>

struct json_object;

/* "size_bytes" is SIZE, "backup_age_s" is BACKUP, "verified_at" is VERIFIED. */
char *cell_title(const char *field);
/* For people, safe to print; "-" when there is none. A stamp is an age ("1 h ago") when in_list. */
char *cell_text(const char *field, struct json_object *value, bool in_list);
/* The whole value for programs, without tabs and newlines. */
char *cell_plain(struct json_object *value);

#endif
