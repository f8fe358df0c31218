/*
 * The instances of this machine as far as the daemon knows them: loaded at the start, looked at
 * again when a job that may have changed one has ended, and when an engine dies. Engines that no
 * systemd watches are started again from here.
 */
#ifndef DBGUEST_DAEMON_INSTANCE_H
#define DBGUEST_DAEMON_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>

struct daemon;
struct instance;
struct look;

/* Reads all of them; for the time before the loop runs. */
void instances_load(struct daemon *daemon);

struct instance *instances_find(const struct daemon *daemon, const char *name);
struct instance *instances_first(const struct daemon *daemon);
struct instance *instances_next(const struct instance *instance);
/* The known name nearest to this one, or NULL. */
const char *instances_nearest(const struct daemon *daemon, const char *name);

const char *instance_name(const struct instance *instance);
const char *instance_datastore(const struct instance *instance);
/* "ACTIVE": of disk and process, or what the job that holds it makes of it. */
const char *instance_status(const struct instance *instance);

/* Looks at one again, on disk; starts its engine when it should run and nobody is at it. */
void instance_look(struct daemon *daemon, const char *name);
/* What was found on the disk is how it is; takes over the look. */
void instance_take(struct daemon *daemon, struct look *look);
/* A job began, or ended: its status counts from now, or no more. */
void instance_job_began(struct daemon *daemon, const char *name);
void instance_job_ended(struct daemon *daemon, const char *name);

#endif
