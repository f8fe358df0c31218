/*
 * The first process of a tool's namespaces: it holds them together, and ends them when the worker
 * has gone (C9).
 */
#ifndef DBGUEST_ENGINE_TOOL_INIT_H
#define DBGUEST_ENGINE_TOOL_INIT_H

#include <stdbool.h>
#include <sys/types.h>

struct view;

/* What the worker gives to it; descriptors are the worker's numbers. */
struct tool_start {
    const struct view *view;
    const char *const *argv;
    char *const *env;
    uid_t uid;
    bool chroots;
    int input;
    int output;
    int errors;
    int lifeline; /* end of file: the worker has gone */
    int trouble;  /* where what went wrong is told */
    int lock;     /* of the data, kept over exec; -1: none */
};

/*
 * To be called in the new process. Ends as the tool ended: with its status, or 128 + signal. All
 * that the tool has left running ends with it.
 */
_Noreturn void tool_init(const struct tool_start *start);

#endif
