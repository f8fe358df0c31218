/*
 * Lists: a table on a terminal, tab-separated full values elsewhere.
 */
#ifndef DBGUEST_CLI_TABLE_H
#define DBGUEST_CLI_TABLE_H

#include <stddef.h>

struct cli;
struct json_object;
struct text;

struct table {
    struct json_object *columns; /* names of fields, in order */
    struct json_object *sparse;  /* which are left out when no row has anything; the first stays */
    struct json_object *leaves;  /* which go first when it is narrow */
    struct json_object *fields;  /* their schemas by name */
    struct json_object *rows;
};

/* What a table says, and beside it what belongs on standard error. */
void table_print(const struct cli *cli, const struct table *table, struct text *out,
                 struct text *remarks);

#endif
