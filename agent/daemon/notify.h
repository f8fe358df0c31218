/*
 * What systemd is told of us; without it, nothing.
 */
#ifndef DBGUEST_DAEMON_NOTIFY_H
#define DBGUEST_DAEMON_NOTIFY_H

struct daemon;

void notify_ready(struct daemon *daemon);
void notify_reloading(void);
void notify_stopping(void);

#endif
