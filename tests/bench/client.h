/*
 * A client of one engine, linked with that engine's library and no other: what a worker could be
 * at best. Each engine has a file with the same functions; client.c makes a program of them.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdio.h>

struct target {
    const char *host; /* or a socket, when it begins with a slash; of PostgreSQL its folder */
    int port;
    const char *user;
    const char *password; /* NULL: the socket says who we are */
    const char *database; /* or NULL */
};

/* NULL when it is turned away, for whatever reason. The caller closes it. */
void *client_open(const struct target *target);
void client_close(void *connection);

/* One small acknowledged write, always to the same place. */
bool client_write(void *connection);
/* One of the writes of a load: dirties a place that number chooses. */
bool client_work(void *connection, unsigned int number);
/* The names of all users, a JSON line each. */
bool client_list(void *connection, FILE *out);
/* Users bench0000 and following with a ready verifier, in the fastest form that the engine has. */
bool client_create(void *connection, int count);
bool client_drop(void *connection, int count);

#endif
