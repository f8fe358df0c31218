/*
 * The socket: who may listen on it, who is connected.
 */
#ifndef DBGUEST_DAEMON_SERVER_H
#define DBGUEST_DAEMON_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct client;
struct daemon;
struct error;
struct server;

/* Listens on the configured socket, or on that which systemd hands over. Call it with the socket's
 * lock held: a socket file that is there is a dead one's, and replaced. */
bool server_start(struct daemon *daemon, struct error *err);
/* Accepts nobody any more; those who are connected stay. */
void server_stop(struct daemon *daemon);

/* All who are connected; follow client->next. */
struct client *server_clients(const struct daemon *daemon);
size_t server_client_count(const struct daemon *daemon);
/* The client closes. */
void server_forget(struct client *client);

#endif
