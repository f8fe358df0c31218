/*
 * Answers and notifications as lines of JSON-RPC 2.0.
 */
#ifndef DBGUEST_DAEMON_MESSAGE_H
#define DBGUEST_DAEMON_MESSAGE_H

#include <stddef.h>

struct error;
struct json_object;
struct text;

/* Each adds one line to out. id is JSON; result and params are JSON text. */
void message_result(struct text *out, const char *id, const char *result);
/* code 0: the reason's. job may be NULL. */
void message_error(struct text *out, const char *id, int code, const struct error *err,
                   const char *job);
void message_note(struct text *out, const char *method, const char *params);

/* The answer to agent.ping, printed without any JSON being built. */
void message_pong(struct text *out, const char *id, size_t length);

#endif
