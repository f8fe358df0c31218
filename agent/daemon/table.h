/*
 * The table behind jobs.h: reading it from the disk, and its numbers.
 */
#ifndef DBGUEST_DAEMON_TABLE_H
#define DBGUEST_DAEMON_TABLE_H

#include <stdbool.h>
#include <uv.h>

struct daemon;

/* Whether the ended jobs have been read. */
bool table_is_whole(const struct daemon *daemon);
/* The one timer for the deadlines of waiting jobs. */
uv_timer_t *table_timer(struct daemon *daemon);

#endif
