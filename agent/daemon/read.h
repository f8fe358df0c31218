/*
 * Reads: a worker on pipes that dies with whoever asked.
 */
#ifndef DBGUEST_DAEMON_READ_H
#define DBGUEST_DAEMON_READ_H

struct request;

void read_start(struct request *request);

#endif
