/*
 * A new job is written down before anybody is told of it: whoever has heard of it finds it again,
 * whatever dies.
 */
#ifndef DBGUEST_DAEMON_WRITING_H
#define DBGUEST_DAEMON_WRITING_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct job;
struct request;

/* What the pool's thread writes; all of it is the writing's own. */
struct writing {
    struct job *job;
    struct request *detached; /* who is answered as soon as it is durable, or NULL */
    char *request, *secrets;  /* JSON; secrets may be NULL */
    int64_t reserve;          /* jobs_next_number() */
    bool started;             /* it need not wait: its worker is spawned as soon as it is durable */
    struct error err;
};

/* Takes over writing. The job goes on from there, or ends for all who wait. */
void writing_start(struct writing *writing);

#endif
