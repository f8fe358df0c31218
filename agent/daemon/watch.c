#include "watch.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "daemon.h"
#include "error.h"
#include "memory.h"
#include "process.h"
#include "spawn.h"

struct watch {
    union {
        uv_handle_t handle;
        uv_process_t child;
        uv_poll_t poll;
    } uv;
    int fd; /* -1: a child */
    void (*gone)(void *context);
    void *context;
};

static void watch_on_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    if (watch->fd >= 0)
        close(watch->fd);
    free(watch);
}

/* The watch is over, whoever hears of it. */
static void tell(struct watch *watch)
{
    void (*gone)(void *context) = watch->gone;
    void *context = watch->context;

    uv_close(&watch->uv.handle, watch_on_closed);
    if (gone != NULL)
        gone(context);
}

static void watch_on_exit(uv_process_t *child, int64_t status, int number)
{
    (void)status;
    (void)number;
    tell(child->data);
}

static void watch_on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    tell(poll->data);
}

struct watch *watch_spawn(struct daemon *daemon, const char *const argv[],
                          void (*gone)(void *context), void *context, struct error *err)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));

    *watch = (struct watch){ .fd = -1, .gone = gone, .context = context };
    int failure = spawn_alone(daemon, &watch->uv.child, argv, watch_on_exit);
    watch->uv.handle.data = watch;
    if (failure == 0)
        return watch;
    error_set(err, ERROR_INTERNAL, "cannot run '%s': %s", argv[0], uv_strerror(failure));
    uv_close(&watch->uv.handle, watch_on_closed);
    return NULL;
}

struct watch *watch_process(struct daemon *daemon, const struct process *process,
                            void (*gone)(void *context), void *context)
{
    int fd = process_open(process);
    struct watch *watch = NULL;

    if (fd < 0)
        return NULL;
    watch = xcalloc(1, sizeof(*watch));
    *watch = (struct watch){ .fd = fd, .gone = gone, .context = context };
    if (uv_poll_init(daemon->loop, &watch->uv.poll, fd) != 0)
        abort();
    watch->uv.handle.data = watch;
    uv_poll_start(&watch->uv.poll, UV_READABLE, watch_on_readable);
    return watch;
}

void watch_stop(struct watch *watch)
{
    if (watch == NULL)
        return;
    watch->gone = NULL;
    /* A child must be reaped: its handle goes when it has ended. */
    if (watch->fd >= 0 && !uv_is_closing(&watch->uv.handle))
        uv_close(&watch->uv.handle, watch_on_closed);
}
