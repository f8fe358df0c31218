/*
 * The folders that a daemon needs, and that it is alone on them.
 */
#ifndef DBGUEST_DAEMON_PLACE_H
#define DBGUEST_DAEMON_PLACE_H

#include <stdbool.h>

struct daemon;
struct error;

/*
 * Makes what is missing and takes the locks of state folder and socket, for as long as the process
 * lives. Refuses state on a network file system, and a second daemon, saying which is the first.
 */
bool place_take(struct daemon *daemon, struct error *err);
/* Unmounts what was mounted for secrets, unless some are waiting there. */
void place_leave(const struct daemon *daemon);

#endif
