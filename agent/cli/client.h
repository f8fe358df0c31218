/*
 * The daemon's socket, read one message at a time; blocking, with poll(2).
 */
#ifndef DBGUEST_CLI_CLIENT_H
#define DBGUEST_CLI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct client;
struct error;
struct json_object;

enum client_state { CLIENT_MESSAGE, CLIENT_TIMEOUT, CLIENT_GONE, CLIENT_INTERRUPTED };

/* From now on Ctrl-C ends a wait with CLIENT_INTERRUPTED. */
void client_catch_interrupt(void);
bool client_interrupted(void);

/* NULL with a message when nobody answers there. */
struct client *client_open(const char *path, struct error *err);
void client_free(struct client *client);
DEFINE_AUTOPTR(client, client_free)

/* Sends a request; params stay the caller's and may be NULL. Its id, or 0 when nobody is there. */
int64_t client_send(struct client *client, const char *method, struct json_object *params);
/* The next message, which the caller owns; a timeout below 0 waits for ever. */
enum client_state client_next(struct client *client, int timeout_ms, struct json_object **out);

/* A request and its result; NULL with the error that came, or internal when nobody is there. */
struct json_object *client_call(struct client *client, const char *method,
                                struct json_object *params, struct error *err);
/* An answer's error object as ours. */
void client_read_error(struct json_object *error, struct error *err);

#endif
