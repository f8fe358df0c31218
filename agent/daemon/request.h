/*
 * One call that waits for its answer. It belongs to its client until it is answered or the client
 * has gone; a call whose client has gone may still be answered, into nothing.
 */
#ifndef DBGUEST_DAEMON_REQUEST_H
#define DBGUEST_DAEMON_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct client;
struct daemon;
struct error;
struct json_object;
struct method;

struct request {
    struct daemon *daemon;
    struct client *client;        /* NULL once it has gone */
    struct request *next, **link; /* of the client's calls */
    const struct method *method;
    struct json_object *params; /* checked, defaults filled in; never NULL */
    char *id;                   /* its own bytes; NULL: a notification */
    uid_t uid;
    bool own; /* the daemon's: nobody waits for the answer */
    /* Called when the client goes before the answer; the request must not be answered by it. */
    void (*gone)(struct request *request);
    void *context; /* of whoever will answer */
};

struct request *request_new(struct client *client, const char *id, size_t id_length);

/* Each answers and frees the request. */
void request_result(struct request *request, struct json_object *result); /* takes it over */
void request_result_text(struct request *request, const char *result);
/* Clears err. job may be NULL; code 0: that of the reason. */
void request_error(struct request *request, struct error *err, const char *job);
void request_error_code(struct request *request, int code, struct error *err);
/* Frees it without an answer. */
void request_drop(struct request *request);

/* job.progress to the caller, when it is there and not too slow. Takes over params. */
void request_progress(struct request *request, struct json_object *params);

#endif
