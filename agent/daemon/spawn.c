#include "spawn.h"

#include <stdlib.h>

#include "daemon.h"

static int spawn(struct daemon *daemon, uv_process_t *process, const char *const argv[],
                 uv_stdio_container_t stdio[3], uv_exit_cb on_exit)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LANG=C.UTF-8";
    static char *environment[] = { path, language, NULL };
    /* libuv's type has no const, but it changes nothing. */
    union {
        const char *const *ours;
        char **its;
    } words = { argv };
    uv_process_options_t options = {
        .exit_cb = on_exit,
        .file = argv[0],
        .args = words.its,
        .env = environment,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };

    return uv_spawn(daemon->loop, process, &options);
}

int spawn_on_pipes(struct daemon *daemon, uv_process_t *process, const char *const argv[],
                   uv_pipe_t *const pipes[2], uv_exit_cb on_exit)
{
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)pipes[0] },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)pipes[1] },
        { .flags = UV_INHERIT_FD, .data.fd = 2 },
    };

    return spawn(daemon, process, argv, stdio, on_exit);
}

int spawn_alone(struct daemon *daemon, uv_process_t *process, const char *const argv[],
                uv_exit_cb on_exit)
{
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_IGNORE },
        { .flags = UV_IGNORE },
        { .flags = UV_INHERIT_FD, .data.fd = 2 },
    };

    return spawn(daemon, process, argv, stdio, on_exit);
}

void spawn_on_shut(uv_shutdown_t *handle, int status)
{
    (void)status;
    free(handle);
}
