/*
 * Starting programs: with a clean environment, in sessions of their own.
 */
#ifndef DBGUEST_DAEMON_SPAWN_H
#define DBGUEST_DAEMON_SPAWN_H

#include <uv.h>

struct daemon;

/* pipes are its stdin and stdout. Both return 0 or libuv's error; process must be closed in either
 * case. */
int spawn_on_pipes(struct daemon *daemon, uv_process_t *process, const char *const argv[],
                   uv_pipe_t *const pipes[2], uv_exit_cb on_exit);
/* stdin and stdout are /dev/null; stderr is ours. It outlives us. */
int spawn_alone(struct daemon *daemon, uv_process_t *process, const char *const argv[],
                uv_exit_cb on_exit);

/* Frees the uv_shutdown_t; to be its callback. */
void spawn_on_shut(uv_shutdown_t *handle, int status);

#endif
