/*
 * How long ended jobs are kept.
 */
#ifndef DBGUEST_DAEMON_FORGET_H
#define DBGUEST_DAEMON_FORGET_H

struct daemon;

/* Removes ended jobs that are more, or older, than is kept. Age is time seen running (clock.h). */
void forget_old_jobs(struct daemon *daemon);

#endif
