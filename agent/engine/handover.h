/*
 * What passes between a starter and the process that it starts: descriptors, clean signals, and the
 * reason when it goes wrong, as a line of JSON on a pipe that exec closes.
 */
#ifndef DBGUEST_ENGINE_HANDOVER_H
#define DBGUEST_ENGINE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

struct error;

/* Makes fds[i] the descriptor i (-1: closed) and closes all others; at most 8. False with errno. */
bool handover_arrange(const int *fds, size_t count);
/* Default actions and nothing blocked: exec keeps what was ignored or blocked. */
void handover_reset_signals(void);

/* Tells the other side what went wrong. */
void handover_tell(int fd, const struct error *err);
/* Makes an error of what the other side told; true when it told nothing. */
bool handover_heard(const char *told, struct error *err);

#endif
