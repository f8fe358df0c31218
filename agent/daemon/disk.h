/*
 * How much room there is where the state lies. A disk that hangs keeps nobody waiting for long.
 */
#ifndef DBGUEST_DAEMON_DISK_H
#define DBGUEST_DAEMON_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;

struct disk {
    bool known; /* it has answered */
    int64_t free_bytes, total_bytes;
};

/* Asks on the pool, and calls then with the answer, or without one when it does not come. */
void disk_ask(struct daemon *daemon, void (*then)(void *context, const struct disk *disk),
              void *context);

#endif
