/*
 * One request from the first byte to its answer, also over a daemon that is restarted meanwhile.
 */
#ifndef DBGUEST_CLI_CALL_H
#define DBGUEST_CLI_CALL_H

#include <stdbool.h>

struct cli;
struct error;
struct json_object;

enum call_end {
    CALL_RESULT,
    CALL_ERROR,       /* the daemon's */
    CALL_NO_DAEMON,   /* nobody at the socket */
    CALL_INTERRUPTED, /* Ctrl-C; what there is to say was said */
};

struct call {
    const struct cli *cli;
    const char *method;
    const char *title; /* method and what it acts on, for people */
    bool job;          /* gets an idempotency_key, shows progress */
    bool steps;        /* a terminal keeps a line for each step */
    struct json_object *params;
    /* What came: the result or the error object, the caller's. */
    struct json_object *answer;
    double took_s;
};

/* err is set for CALL_NO_DAEMON. */
enum call_end call_run(struct call *call, struct error *err);

#endif
