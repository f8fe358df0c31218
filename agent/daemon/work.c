#include <stdlib.h>

#include "daemon.h"
#include "memory.h"

struct work {
    uv_work_t handle;
    void (*run)(void *context);
    void (*done)(void *context);
    void *context;
};

static void work_on_pool(uv_work_t *handle)
{
    struct work *work = handle->data;

    work->run(work->context);
}

static void work_on_done(uv_work_t *handle, int status)
{
    struct work *work = handle->data;

    (void)status;
    if (work->done != NULL)
        work->done(work->context);
    free(work);
}

void work_queue(struct daemon *daemon, void (*run)(void *context), void (*done)(void *context),
                void *context)
{
    struct work *work = xcalloc(1, sizeof(*work));

    *work = (struct work){ .run = run, .done = done, .context = context };
    work->handle.data = work;
    if (uv_queue_work(daemon->loop, &work->handle, work_on_pool, work_on_done) != 0)
        abort();
}
