/*
 * Follows what a worker tells in its job's folder: the same for a worker of ours and for one that
 * an earlier daemon started.
 */
#ifndef DBGUEST_DAEMON_FOLLOW_H
#define DBGUEST_DAEMON_FOLLOW_H

struct follower;
struct job;

/* From the first event on. appeared is called when the worker has said who it is (file pid). */
struct follower *follow_start(struct job *job, void (*appeared)(struct job *job));
/* Reads what is there now. */
void follow_read(struct follower *follower);
void follow_stop(struct follower *follower); /* NULL is accepted */

#endif
