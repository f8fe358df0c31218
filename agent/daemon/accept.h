/*
 * From a call to a job: durable before anybody is told of it.
 */
#ifndef DBGUEST_DAEMON_ACCEPT_H
#define DBGUEST_DAEMON_ACCEPT_H

struct daemon;
struct request;

void accept_job(struct request *request);
/* A job that the daemon itself wants: of an instance. */
void accept_own(struct daemon *daemon, const char *method, const char *instance);

#endif
