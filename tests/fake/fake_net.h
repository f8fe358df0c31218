/*
 * The fake engine's sockets, and its one tool that is a client of them.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include <stdbool.h>
#include <stddef.h>

#define FAKE_SOCKET "/run/dbguest/fake.sock"

int net_listen_unix(void);
int net_listen_tcp(int port); /* of 127.0.0.1 */
bool net_peer_is_root(int fd);
/* All of it, or as much as the other side wants. */
void net_write(int fd, const char *bytes, size_t length);
/* 16 hex digits and a NUL (FNV-1a): what is kept of a password. */
void net_hash(const char *password, char out[17]);
/* The running engine's data to stdout; slowly: a second or so longer. */
bool net_dump(bool slowly);

#endif
