/*
 * How long ended jobs are kept.
 */
#ifndef DBGUEST_DAEMON_FORGET_H
#define DBGUEST_DAEMON_FORGET_H

struct daemon;

/* Notes what the clock says now, to notice when it jumps. */
void forget_begin(void);
/* Removes ended jobs that are more, or older, than is kept. */
void forget_old_jobs(struct daemon *daemon);

#endif
