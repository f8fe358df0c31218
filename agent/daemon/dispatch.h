/*
 * From a line to whoever answers it.
 */
#ifndef DBGUEST_DAEMON_DISPATCH_H
#define DBGUEST_DAEMON_DISPATCH_H

#include <stddef.h>

struct client;

/* One line without its end. Overwritten when it carried a secret. */
void dispatch_line(struct client *client, char *bytes, size_t length);

#endif
