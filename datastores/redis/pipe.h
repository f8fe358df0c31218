/*
 * Reading and writing descriptors that may stall, so that a cancel or deadline gets through.
 */
#ifndef DBGUEST_REDIS_PIPE_H
#define DBGUEST_REDIS_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;
struct task;

/* At most room bytes as soon as there are some; 0 at the end, -1 when it fails or the job stops. */
ssize_t pipe_read(struct task *task, int fd, void *bytes, size_t room, struct error *err);
/* All of them. Until pipe_restore() the descriptor does not block. */
bool pipe_write(struct task *task, int fd, const void *bytes, size_t length, struct error *err);
/* Returns the flags that were, for pipe_restore(). */
int pipe_unblock(int fd);
void pipe_restore(int fd, int flags);

#endif
