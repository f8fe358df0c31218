/*
 * Which program is to do what a request asks for: named by its datastore, by its instance or by the
 * manifest of its backup.
 */
#ifndef DBGUEST_DAEMON_ROUTE_H
#define DBGUEST_DAEMON_ROUTE_H

#include "error.h"

struct request;

struct route {
    struct request *request;
    char *datastore; /* NULL where a method has none */
    char *version;   /* that the request names, else that of the backup; or NULL */
    char *program;   /* its path */
    struct error err;
    void (*then)(struct request *request, struct route *route);
    char *manifest; /* of the backup: its path */
};

/*
 * Calls then with what was found, or why nothing was in route->err, to be answered by then.
 * Instances and new names are looked up here, too: not_found and exists need no program.
 */
void route_find(struct request *request,
                void (*then)(struct request *request, struct route *route));

#endif
