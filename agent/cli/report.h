/*
 * What went wrong, on standard error.
 */
#ifndef DBGUEST_CLI_REPORT_H
#define DBGUEST_CLI_REPORT_H

struct cli;
struct error;
struct json_object;

/* "error: … [reason]", then cause, engine and hint where there are any. Returns the exit code. */
int report_error(const struct cli *cli, const struct error *err);
/* The same for the error object of an answer; with --json as it came. */
int report_answer(const struct cli *cli, struct json_object *error);
/* Nobody is at the socket. */
int report_no_daemon(const struct cli *cli, const struct error *err);

#endif
