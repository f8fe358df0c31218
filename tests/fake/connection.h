/*
 * The agent's connection to a fake engine: lines over its socket (fake_engine.c).
 */
#ifndef FAKE_CONNECTION_H
#define FAKE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cleanup.h"

struct error;
struct task;

struct connection {
    FILE *file;
};

struct connection *connection_open(struct task *task, struct error *err);
void connection_free(struct connection *connection);
DEFINE_AUTOPTR(connection, connection_free)

/* Sends a line and returns what follows "OK " of the answer, owned by the caller; "NONE" becomes an
 * empty string; NULL when it is an error or the engine has gone. */
char *connection_ask(struct connection *connection, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same when only success counts. */
bool connection_run(struct connection *connection, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Calls row for each "key value" below prefix, the prefix cut off; stops where it returns false. */
bool connection_list(struct connection *connection, const char *prefix,
                     bool (*row)(const char *name, const char *value, void *context), void *context,
                     struct error *err);

#endif
