/*
 * One command from its words to its exit code.
 */
#ifndef DBGUEST_CLI_RUN_H
#define DBGUEST_CLI_RUN_H

struct cli;
struct command;
struct json_object;

/* params are complete. */
int run_command(const struct cli *cli, const struct command *command, struct json_object *params);
/* dbguestctl call: whatever the method, its result as JSON. */
int run_call(const struct cli *cli, const char *method, struct json_object *params);

#endif
