/*
 * The table behind jobs.h: reading it from the disk, its numbers, and what is forgotten.
 */
#ifndef DBGUEST_DAEMON_TABLE_H
#define DBGUEST_DAEMON_TABLE_H

#include <uv.h>

struct daemon;

/* Removes ended jobs that are more, or older, than is kept. */
void table_forget_old(struct daemon *daemon);
/* The one timer for the deadlines of waiting jobs. */
uv_timer_t *table_timer(struct daemon *daemon);

#endif
