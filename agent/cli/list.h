/*
 * Lists: all their pages as one, and the table.
 */
#ifndef DBGUEST_CLI_LIST_H
#define DBGUEST_CLI_LIST_H

#include "call.h"

struct command;

/* All rows, unless params limit them; call->answer is as if it had been one page. */
enum call_end list_fetch(struct call *call, const struct command *command, struct error *err);
void list_print(const struct cli *cli, const struct command *command, struct json_object *params,
                struct json_object *answer);

#endif
