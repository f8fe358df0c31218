/*
 * The loop and what hangs on it. Everything here runs on one thread, and nothing on it waits: files
 * are written and read by work_queue() on libuv's pool, which has a single thread, so that what is
 * queued first is on the disk first.
 */
#ifndef DBGUEST_DAEMON_DAEMON_H
#define DBGUEST_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct config;
struct events;
struct instances;
struct jobs;
struct programs;
struct server;

struct daemon {
    uv_loop_t *loop;
    struct config *config;
    struct server *server;
    struct programs *programs;
    struct instances *instances;
    struct jobs *jobs;
    struct events *events;
    uint64_t turn;     /* of the loop, counted from 1 */
    double started_s;  /* CLOCK_BOOTTIME */
    bool secrets_safe; /* RUN_DIR/secrets is in memory: work that carries secrets is accepted */
    bool stopping;
};

/* run on the pool's thread, then done on the loop; done may be NULL. */
void work_queue(struct daemon *daemon, void (*run)(void *context), void (*done)(void *context),
                void *context);

#endif
