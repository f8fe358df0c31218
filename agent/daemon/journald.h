/*
 * Events as lines of the log: in systemd's journal with fields to search by (DBGUEST_JOB=,
 * DBGUEST_INSTANCE=), where that is what reads our stderr; elsewhere as plain lines.
 */
#ifndef DBGUEST_DAEMON_JOURNALD_H
#define DBGUEST_DAEMON_JOURNALD_H

struct json_object;

/* Of an agent.event's params. What people or engines have written (notes, errors) is left out. */
void journald_tell(struct json_object *event);

#endif
