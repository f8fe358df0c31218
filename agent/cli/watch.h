/*
 * dbguestctl watch: events as they come.
 */
#ifndef DBGUEST_CLI_WATCH_H
#define DBGUEST_CLI_WATCH_H

struct cli;
struct json_object;

/* Returns the exit code; goes on over a restart of the daemon, without missing what it can have. */
int watch_run(const struct cli *cli, struct json_object *params);

#endif
