/*
 * One connection: lines in, lines out, with bounds on what it may make us keep.
 */
#ifndef DBGUEST_DAEMON_CLIENT_H
#define DBGUEST_DAEMON_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "peer.h"
#include "text.h"

struct daemon;
struct request;

struct client {
    uv_pipe_t pipe;
    struct daemon *daemon;
    struct client *next, **link; /* of the server's clients */
    struct peer peer;
    struct text input;     /* the part of a line that has come so far, and lines held back */
    struct request *calls; /* that wait for their answers */
    int64_t in_flight;
    uint64_t turn;      /* of the loop, in which it was read from last */
    unsigned int kinds; /* of events that it subscribed to */
    char *instance;     /* events of this one only; or NULL */
    bool stalled;       /* it does not read: nothing more is read from it */
    bool half_closed;   /* it sends no more, but waits for answers */
    bool closing;
};

/* Accepts from a listening pipe; NULL when that fails. */
struct client *client_accept(struct daemon *daemon, uv_stream_t *listening);
void client_close(struct client *client);
/* Sends bytes: at once, or when the peer takes them. */
void client_send(struct client *client, char *bytes, size_t length);
/* Likewise, but to a peer that is far behind it is dropped. */
void client_notify(struct client *client, char *bytes, size_t length);
/* A call was answered: there is room for another. */
void client_call_ended(struct client *client);

#endif
