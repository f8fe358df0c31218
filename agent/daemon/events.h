/*
 * What happened, in order, for those who subscribed: numbered within a boot, over restarts of the
 * daemon, the last thousand kept for those who were away.
 */
#ifndef DBGUEST_DAEMON_EVENTS_H
#define DBGUEST_DAEMON_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct daemon;
struct job;
struct json_object;
struct request;

enum event_kind { EVENT_STATUS = 1, EVENT_JOB = 2, EVENT_BACKUP = 4, EVENT_HEARTBEAT = 8 };

void events_load(struct daemon *daemon);
int64_t events_seq(const struct daemon *daemon);

/* The status of an instance has changed; was or status may be NULL: it was not there, it is gone.
 */
void events_status(struct daemon *daemon, const char *instance, const char *was,
                   const char *status);
/* what: "accepted", "started", "ended". An ended job of a backup is told as a backup, too. */
void events_job(const struct job *job, const char *what);

/* Answers agent.subscribe, and sends what was missed. */
void events_subscribe(struct request *request);

#endif
